"""A detector: members, how they are weighed, and how a probability becomes a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from deepward.detectors.closed_form import ClosedForm
from deepward.detectors.config import DetectorConfig
from deepward.detectors.decision import Decision
from deepward.detectors.familiarity import Familiarity
from deepward.detectors.network import Network
from deepward.progress import Advance, Progress, no_progress

__all__ = ["Combination", "Detector", "Predictions"]

Image = NDArray[np.uint8]
Member = Network | ClosedForm


@dataclass(frozen=True)
class Combination:
    """The calibrated sum of the members: P(fake) = sigmoid(sum of weight x logit, plus bias)."""

    weights: Mapping[str, float]
    bias: float

    def logit(self, members: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Calibrated log-odds of fake, (N,)."""
        total = np.full(len(next(iter(members.values()))), self.bias)
        for name in sorted(self.weights):  # in one order, so that sums agree to the last bit
            total = total + self.weights[name] * members[name]
        return total


@dataclass(frozen=True)
class Predictions:
    """What a detector says of N pictures.

    Attributes:
        probability: (N,) calibrated P(fake) at even odds, in [0, 1].
        logit: (N,) its log-odds.
        unfamiliarity: (N,) distance from the training data; above 1 is unlike anything seen.
        control: (N,) logit of the thumbnail control, which sees content but no trace.
        members: each member's own logit, (N,).
    """

    probability: NDArray[np.float64]
    logit: NDArray[np.float64]
    unfamiliarity: NDArray[np.float64]
    control: NDArray[np.float64]
    members: Mapping[str, NDArray[np.float64]]


class Detector:
    """Tells real from fake pictures.

    Args:
        config: what it is made of.
        members: by name, in the order of the config.
        control: the thumbnail control that was trained on the same data.
        combination: weights of the members and the bias.
        decision: threshold and band.
        familiarity: what the training data looks like.
        lineage: training domains and counts, settings, seed, versions of libraries.
        content_hash: of the stored weights and settings; "" before it was saved.
    """

    minimum_size = 48  # pixels along the shorter side; below, no trace is left to look at

    def __init__(
        self,
        config: DetectorConfig,
        members: Mapping[str, Member],
        control: ClosedForm,
        combination: Combination,
        decision: Decision,
        familiarity: Familiarity,
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

    def predict(
        self,
        images: Sequence[Image],
        batch_size: int = 64,
        progress: Progress = no_progress,
    ) -> Predictions:
        """Scores pictures of any sizes from `minimum_size` on.

        Args:
            images: (H, W, 3) uint8 RGB each.
            batch_size: pictures held in memory at once.
            progress: told of every batch.
        """
        collected: dict[str, list[NDArray[np.float64]]] = {}
        for start in range(0, len(images), batch_size):
            batch = [images[i] for i in range(start, min(start + batch_size, len(images)))]
            values = {f"member.{n}": member.logits(batch) for n, member in self.members.items()}
            values["control"] = self.control.logits(batch)
            values["unfamiliarity"] = self.familiarity.unfamiliarity(batch)
            for name, value in values.items():
                collected.setdefault(name, []).append(value)
            progress(Advance("scoring", start + len(batch), len(images), "picture"))
        joined = {name: np.concatenate(parts) for name, parts in collected.items()}
        empty = np.zeros(0)
        members = {name: joined.get(f"member.{name}", empty) for name in self.members}
        logits = self.combination.logit(members)
        return Predictions(
            probability=np.asarray(expit(logits), dtype=np.float64),
            logit=logits,
            unfamiliarity=joined.get("unfamiliarity", empty),
            control=joined.get("control", empty),
            members=members,
        )

    def evidence(self, image: Image) -> NDArray[np.float32]:
        """Where the evidence for fake lies: (H, W) float32 in [0, 1].

        0.5 is neutral at the threshold; above speaks for fake, below for real. Members are
        weighed as in the verdict. Each says exactly what a place adds to its logit where it can
        (`activation_map`); of those that cannot, the picture is judged again with one part after
        another smoothed away, and a fall of the log-odds marks the part.
        """
        shape = image.shape[:2]
        whole = np.zeros(shape, np.float32)
        unplaced = {}
        for name, member in self.members.items():
            shares = member.activation_map(image)
            if shares is None:
                unplaced[name] = member
            else:
                whole += np.float32(self.combination.weights[name]) * _enlarge(shares, shape)
        if unplaced:
            whole += self._occlusion(image, unplaced)
        whole -= float(whole.mean()) * 0.5
        spread = float(np.abs(whole).max()) or 1.0
        shift = float(self.predict([image]).logit[0] - logit(self.decision.threshold))
        lean = float(np.tanh(shift / 4)) / 4  # a picture that is called real stays mostly below
        shown = 0.5 + lean + 0.5 * whole / spread * (1 - abs(lean))
        return np.asarray(np.clip(shown, 0, 1), dtype=np.float32)

    def _occlusion(
        self, image: Image, members: Mapping[str, Member], cells: int = 8
    ) -> NDArray[np.float32]:
        smooth = cv2.GaussianBlur(image, (0, 0), 4.0)
        rows = np.linspace(0, image.shape[0], cells + 1).astype(int)
        columns = np.linspace(0, image.shape[1], cells + 1).astype(int)
        covered = []
        for row in range(cells):
            for column in range(cells):
                one = image.copy()
                place = np.s_[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
                one[place] = smooth[place]
                covered.append(one)
        falls = np.zeros(len(covered))
        for name, member in members.items():
            logits = member.logits([image, *covered])
            falls += self.combination.weights[name] * (logits[0] - logits[1:])
        grid = (falls * len(covered)).reshape(cells, cells).astype(np.float32)
        return _enlarge(grid, image.shape[:2])


def _enlarge(shares: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(shares, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
