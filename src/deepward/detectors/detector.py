"""A detector: members, how they are weighed, and how a probability becomes a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from deepward.detectors.config import DetectorConfig
from deepward.detectors.decision import Decision, Finding
from deepward.detectors.familiarity import Familiarity
from deepward.detectors.protocol import Judgement, Member, Unseen, shared_rows
from deepward.detectors.sketch import join_sketch
from deepward.errors import UsageError
from deepward.media import MINIMUM, NOUNS, only_medium
from deepward.progress import Advance, Progress, no_progress

__all__ = ["Combination", "Detector", "Predictions"]

Image = NDArray[Any]
Doubles = NDArray[np.float64]
_CELLS = 8  # of a map by occlusion, along and across


@dataclass(frozen=True)
class Combination:
    """The calibrated sum of the members: P(fake) = sigmoid(sum of weight x logit, plus bias).

    Attributes:
        weights: of the members' logits.
        bias: added to their sum.
        levels: log-odds that reals near each known domain reach; taken off, so that one threshold
            suits them all. What is near none of them has the highest taken off.
    """

    weights: Mapping[str, float]
    bias: float
    levels: Mapping[str, float] = field(default_factory=dict)

    def logit(self, members: Mapping[str, Doubles], nearest: NDArray[Any] | None = None) -> Doubles:
        """Calibrated log-odds of fake, (N,).

        Args:
            members: their logits, (N,) each.
            nearest: (N,) names of the known domains that are nearest.
        """
        total: Doubles = np.full(len(next(iter(members.values()))), self.bias)
        for name in sorted(self.weights):  # in one order, so that sums agree to the last bit
            total = total + self.weights[name] * members[name]
        if not self.levels:
            return total
        highest = max(self.levels.values())
        names = [""] * len(total) if nearest is None else nearest.tolist()
        return total - np.array([self.levels.get(name, highest) for name in names], np.float64)


@dataclass(frozen=True)
class Predictions:
    """What a detector says of N pictures.

    Attributes:
        probability: (N,) calibrated P(fake) at even odds, in [0, 1].
        logit: (N,) its log-odds.
        unfamiliarity: (N,) distance from the training data; above 1 is unlike anything seen.
        control: (N,) logit of the thumbnail control, which sees content but no trace.
        members: each member's own logit, (N,).
        firm: (N,) probability without the families that may not say "fake" alone.
        family: (N,) the family of fakes that speaks loudest; "" where none does.
        nearest: (N,) the known domain that is nearest; "" where no member knows.
        sketch: (N, 64) float16, what the members described, made small; see `sketch`.
    """

    probability: Doubles
    logit: Doubles
    unfamiliarity: Doubles
    control: Doubles
    members: Mapping[str, Doubles]
    firm: Doubles
    family: NDArray[np.str_]
    nearest: NDArray[np.str_]
    sketch: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.probability)

    def finding(self, index: int) -> Finding:
        """What a verdict on one picture rests on."""
        return Finding(
            probability=float(self.probability[index]),
            unfamiliarity=float(self.unfamiliarity[index]),
            firm=float(self.firm[index]),
            family=str(self.family[index]),
            nearest=str(self.nearest[index]),
        )


class Detector:
    """Tells real from fake pictures.

    Args:
        config: what it is made of.
        members: by name, in the order of the config.
        control: the thumbnail control that was trained on the same data.
        combination: weights of the members and the bias.
        decision: threshold and band.
        familiarity: what the training data looks like, where no member knows that by itself.
        lineage: training domains and counts, settings, seed, versions of libraries.
        content_hash: of the stored weights and settings; "" before it was saved.
    """

    def __init__(
        self,
        config: DetectorConfig,
        members: Mapping[str, Member],
        control: Member,
        combination: Combination,
        decision: Decision,
        familiarity: Familiarity | None,
        lineage: Mapping[str, Any],
        content_hash: str = "",
    ) -> None:
        self.config = config
        self.members = dict(members)
        self.control = control
        self.combination = combination
        self.decision = decision
        self.familiarity = familiarity
        self.lineage = dict(lineage)
        self.content_hash = content_hash

    @property
    def medium(self) -> str:
        """What it judges: "image" or "audio"."""
        return self.config.medium

    @property
    def minimum_size(self) -> int:
        """Pixels along the shorter side, or samples; below, no trace is left to look at."""
        return MINIMUM[self.medium]

    def predict(
        self,
        images: Sequence[Image],
        batch_size: int = 64,
        progress: Progress = no_progress,
    ) -> Predictions:
        """Scores pictures of any sizes from `minimum_size` on.

        Args:
            images: (H, W, 3) uint8 RGB each; of sounds, (N,) int16 as `prepare` leaves them.
            batch_size: pictures held in memory at once.
            progress: told of every batch.

        Raises:
            UsageError: the samples are of another medium.
        """
        given = only_medium(images)
        if given not in (None, self.medium):
            raise UsageError(
                f"The detector judges {NOUNS[self.medium]}s and was given {NOUNS[str(given)]}s: "
                "name another with --detector."
            )
        parts = []
        for start in range(0, len(images), batch_size):
            batch = [images[i] for i in range(start, min(start + batch_size, len(images)))]
            parts.append(self._judged(batch))
            progress(Advance("scoring", start + len(batch), len(images), NOUNS[self.medium]))
        return _joined(parts or [self._nothing()])

    def _judged(self, batch: Sequence[Image]) -> Predictions:
        judged = {name: member.judge(batch) for name, member in self.members.items()}
        logits = {name: said.logits for name, said in judged.items()}
        firm = {n: said.logits if said.firm is None else said.firm for n, said in judged.items()}
        family, nearest = _families(judged, len(batch))
        total = self.combination.logit(logits, nearest)
        return Predictions(
            probability=np.asarray(expit(total), np.float64),
            logit=total,
            unfamiliarity=self._unfamiliarity(judged, batch),
            control=self.control.judge(batch).logits,
            members=logits,
            firm=np.asarray(expit(self.combination.logit(firm, nearest)), np.float64),
            family=family,
            nearest=nearest,
            sketch=join_sketch([said.rows for said in judged.values()], len(batch)),
        )

    def _unfamiliarity(self, judged: Mapping[str, Judgement], batch: Sequence[Image]) -> Doubles:
        """The least of what the members say: one that knows the like is enough."""
        known = [said.unfamiliarity for said in judged.values() if said.unfamiliarity is not None]
        if self.familiarity is not None:
            known.append(self.familiarity.unfamiliarity(batch))
        return np.min(known, axis=0) if known else np.zeros(len(batch))

    def _nothing(self) -> Predictions:
        empty, names = np.zeros(0), np.zeros(0, np.str_)
        members = dict.fromkeys(self.members, empty)
        sketch = join_sketch([], 0)
        return Predictions(empty, empty, empty, empty, members, empty, names, names, sketch)

    def unseen(self) -> Unseen | None:
        """Its log-odds of all that its members were fitted on, by fits without it.

        None where a member cannot say.
        """
        found = {name: member.unseen() for name, member in self.members.items()}
        known = {name: rows for name, rows in found.items() if rows is not None}
        if len(known) < len(found):
            return None
        shared = shared_rows(known)
        first = next(iter(shared.values()))
        logits = {name: rows.logits for name, rows in shared.items()}
        firm = {name: rows.firm for name, rows in shared.items()}
        return replace(
            first,
            logits=self.combination.logit(logits, first.nearest),
            firm=self.combination.logit(firm, first.nearest),
        )

    @property
    def networks(self) -> dict[str, Any]:
        """Networks with a gradient by the pixels: "member", or "member/part"."""
        return {
            f"{name}/{part}" if part else name: network
            for name, member in self.members.items()
            for part, network in member.networks().items()
        }

    def evidence(self, image: Image) -> NDArray[np.float32]:
        """Where the evidence for fake lies: (H, W) in [0, 1]; 0.5 is the threshold.

        Each value is a probability: `expit` of what `evidence_odds` says of the place.
        """
        return np.asarray(expit(self.evidence_odds(image)), np.float32)

    def evidence_odds(self, image: Image) -> NDArray[np.float64]:
        """Evidence per place as log-odds, (H, W), on one scale for all pictures.

        The mean over the picture is its log-odds above the threshold's: positive places speak for
        fake, negative ones for real, and zero is the threshold. Members are weighed as in the
        verdict. Each says exactly what a place adds to its logit where it can (`places`); of those
        that cannot, the picture is judged again with one part after another smoothed away. Of a
        sound the places are those of its spectrogram; see `sound_odds`.
        """
        if self.medium == "audio":
            from deepward.detectors.sound_evidence import sound_odds

            return sound_odds(self, image)
        shape = image.shape[:2]
        whole = np.zeros(shape, np.float32)
        unplaced = {}
        for name, member in self.members.items():
            shares = member.places(image)
            if shares is None:
                unplaced[name] = member
            else:
                whole += self._placed(name, shares, shape)
        if unplaced:
            whole += self._occlusion(image, unplaced)
        odds = float(self.predict([image]).logit[0] - logit(self.decision.threshold))
        return np.asarray(whole + (odds - float(whole.mean())), np.float64)

    def _placed(
        self, name: str, shares: NDArray[np.float32], shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        return _enlarge(shares * np.float32(shares.size * self.combination.weights[name]), shape)

    def _occlusion(self, image: Image, members: Mapping[str, Member]) -> NDArray[np.float32]:
        smooth = cv2.GaussianBlur(image, (0, 0), 4.0)
        rows = np.linspace(0, image.shape[0], _CELLS + 1).astype(int)
        columns = np.linspace(0, image.shape[1], _CELLS + 1).astype(int)
        covered = []
        for row in range(_CELLS):
            for column in range(_CELLS):
                one = image.copy()
                place = np.s_[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
                one[place] = smooth[place]
                covered.append(one)
        falls = np.zeros(len(covered))
        for name, member in members.items():
            logits = member.judge([image, *covered]).logits
            falls += self.combination.weights[name] * (logits[0] - logits[1:])
        grid = (falls * len(covered)).reshape(_CELLS, _CELLS).astype(np.float32)
        return _enlarge(grid, image.shape[:2])


def _families(
    judged: Mapping[str, Judgement], count: int
) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Names of the loudest family and of the nearest domain, from the first member that knows."""
    family, nearest = ["" for _ in range(count)], ["" for _ in range(count)]
    for said in judged.values():
        if said.speaking is not None and said.nearest is not None:
            family = [said.families[i] if i >= 0 else "" for i in said.speaking]
            nearest = [said.domains[i] for i in said.nearest]
            break
    return np.array(family, np.str_), np.array(nearest, np.str_)


def _joined(parts: Sequence[Predictions]) -> Predictions:
    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return Predictions(
        probability=column("probability"),
        logit=column("logit"),
        unfamiliarity=column("unfamiliarity"),
        control=column("control"),
        members={
            name: np.concatenate([part.members[name] for part in parts])
            for name in parts[0].members
        },
        firm=column("firm"),
        family=column("family"),
        nearest=column("nearest"),
        sketch=column("sketch"),
    )


def _enlarge(shares: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(shares, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
