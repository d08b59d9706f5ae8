"""How a detector adapts to a domain: a curve over the number of samples it is given."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from deepward.detectors import Detector, Stage
from deepward.domains import ImageSet
from deepward.errors import DomainError
from deepward.learning.meta.closed_form import auc
from deepward.learning.training import adapt_detector
from deepward.media import Laundered
from deepward.progress import Advance, Progress, no_progress

__all__ = ["Curve", "Kept", "Rung", "climb", "draw_support", "kept_knowledge", "mean_interval"]


@dataclass(frozen=True)
class Curve:
    """A mean over draws and its 95 % interval (Student's t); no interval of a single draw."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rung:
    """What K samples of each class gave.

    Attributes:
        shots: K.
        draws: supports it is the mean of; 1 at K = 0.
        clean, laundered: AUC on the test pictures, as they are and at half size as JPEG.
        recall_fake, recall_real: share of the test's fakes called fake, of its reals not so, at
            the adapted detector's own threshold.
        old_loss: mean AUC that the domains known before lose, judged unseen; None where no member
            can say or no old domain has both classes.
        old_worst: the most that one of them loses, over draws.
    """

    shots: int
    draws: int
    clean: Curve
    laundered: Curve
    recall_fake: Curve
    recall_real: Curve
    old_loss: Curve | None
    old_worst: float | None

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Kept:
    """An old domain before and after, from predictions by fits that had not seen the samples.

    Attributes:
        auc: area under the ROC curve, before and after; None where one class is missing.
        false_positives: share of its reals above the detector's own threshold, before and after.
    """

    auc: tuple[float, float] | None
    false_positives: tuple[float, float] | None


def climb(
    detector: Detector,
    train: ImageSet,
    test: ImageSet,
    stage: Stage,
    ladder: Sequence[int],
    draws: int,
    progress: Progress = no_progress,
) -> list[Rung]:
    """Adapts to `draws` supports of each size and measures each on the test pictures.

    The same seeds draw for every detector, so that curves of two of them compare.

    Args:
        detector: the parent; K = 0 is it.
        train: where supports are drawn from.
        test: of the same domain; both classes.
        stage: seed, device, budget and descriptions of the adapting.
        ladder: each K.
        draws: supports of each K.
        progress: told of every draw.

    Raises:
        DomainError: a class has fewer than K training pictures, or the test lacks one.
    """
    if len(set(test.labels.tolist())) < 2:
        raise DomainError("A ladder needs real and fake test pictures to measure on.")
    for shots in ladder:
        draw_support(train, shots, stage.seed)  # say what is missing before any work
    rungs = []
    total, done = sum(1 if shots == 0 else draws for shots in ladder), 0
    for shots in sorted(set(ladder)):
        found = []
        for number in range(1 if shots == 0 else draws):
            adapted = detector
            if shots:
                support = draw_support(train, shots, stage.seed + number)
                adapted = adapt_detector(detector, support, stage)
            found.append(_measured(detector, adapted, test))
            done += 1
            progress(Advance("ladder", done, total, "draw", f"K = {shots}"))
        rungs.append(_rung(shots, found))
    return rungs


def draw_support(data: ImageSet, shots: int, seed: int) -> ImageSet:
    """K samples of each class, without repetition.

    Raises:
        DomainError: a class has fewer than K.
    """
    random = np.random.default_rng([seed, shots])
    chosen: list[NDArray[np.int64]] = []
    for label, name in enumerate(("real", "fake")):
        places = np.flatnonzero(data.labels == label)
        if len(places) < shots:
            raise DomainError(
                f"There are {len(places)} {name} training samples, fewer than the {shots} asked "
                "for: ask for fewer."
            )
        chosen.append(random.permutation(places)[:shots])
    return data.subset(np.sort(np.concatenate(chosen)))


def kept_knowledge(parent: Detector, child: Detector) -> dict[str, Kept]:
    """What each domain of the parent's bank keeps; nothing where members cannot say."""
    before, after = _unseen(parent), _unseen(child)
    if before is None or after is None:
        return {}
    found = {}
    for domain in sorted({key[0] for key in before}):
        keys = sorted(key for key in before if key[0] == domain and key in after)
        if not keys:
            continue
        labels = np.array([before[key][1] for key in keys], np.int64)
        said = [np.array([rows[key][0] for key in keys]) for rows in (before, after)]
        both = len(set(labels.tolist())) == 2
        limits = [_odds(d.decision.threshold) for d in (parent, child)]
        real = labels == 0
        rates = [
            float((v[real] > limit).mean())
            for v, limit in zip(said, limits, strict=True)
            if real.any()
        ]
        found[domain] = Kept(
            (auc(said[0], labels), auc(said[1], labels)) if both else None,
            (rates[0], rates[1]) if rates else None,
        )
    return found


def mean_interval(values: Sequence[float]) -> Curve:
    """Mean of draws and its 95 % interval."""
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Curve(mean, None, None)
    half = float(student.ppf(0.975, count - 1)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return Curve(mean, mean - half, mean + half)


def _measured(parent: Detector, adapted: Detector, test: ImageSet) -> dict[str, float | None]:
    clean = adapted.predict(test.pixels)
    washed = adapted.predict(Laundered(test.pixels))
    called = clean.probability > adapted.decision.threshold
    found: dict[str, float | None] = {
        "clean": auc(clean.logit, test.labels),
        "laundered": auc(washed.logit, test.labels),
        "recall_fake": float(called[test.labels == 1].mean()),
        "recall_real": float(1.0 - called[test.labels == 0].mean()),
        "old": None,
        "worst": None,
    }
    if adapted is not parent:
        kept = [k.auc for k in kept_knowledge(parent, adapted).values() if k.auc is not None]
        if kept:
            found["old"] = float(np.mean([before - after for before, after in kept]))
            found["worst"] = max(before - after for before, after in kept)
    return found


def _rung(shots: int, found: Sequence[Mapping[str, float | None]]) -> Rung:
    def curve(name: str) -> Curve | None:
        values = [value for each in found if (value := each[name]) is not None]
        return mean_interval(values) if values else None

    curves = {name: curve(name) for name in ("clean", "laundered", "recall_fake", "recall_real")}
    worst = [value for each in found if (value := each["worst"]) is not None]
    whole: Any = curves
    return Rung(
        shots=shots,
        draws=len(found),
        **whole,
        old_loss=curve("old"),
        old_worst=max(worst) if worst else None,
    )


def _unseen(detector: Detector) -> dict[tuple[str, str, bool], tuple[float, int]] | None:
    """Log-odds and label of every sample that all members judge unseen, by domain, key, twin."""
    unseen = detector.unseen()
    if unseen is None:
        return None
    columns = (unseen.domains, unseen.keys, unseen.twin, unseen.logits, unseen.labels)
    return {
        (str(d), str(k), bool(t)): (float(v), int(label))
        for d, k, t, v, label in zip(*columns, strict=True)
    }


def _odds(probability: float) -> float:
    return math.log(probability / (1 - probability)) if 0 < probability < 1 else math.inf
