"""Is robustness not worse? Champion and challenger on the same few pictures, degraded alike.

Laundering, which the gate measures on every test picture, is one way of losing traces. A challenger
may hold there and fall where pictures are blurred or grainy. Both are asked about the same pictures
of the domains that the champion knows under a few fixed degradations; a difference counts by the
lower end of its paired interval.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepward.degrading import Degraded, find_degradations
from deepward.evaluation.robustness import pick_evenly
from deepward.media import size_of
from deepward.metrics.intervals import Counts, Estimate, bootstrap
from deepward.metrics.ranking import paired_auc_difference, rank_auc
from deepward.release.decision import Check, GateConfig
from deepward.release.wording import gain_text

if TYPE_CHECKING:
    from deepward.domains import ImageSet

__all__ = ["CONDITIONS", "PICTURES", "degraded_scores", "robustness_checks", "some_of"]

CONDITIONS: dict[str, tuple[str, ...]] = {
    "image": ("jpeg 75", "resize 0.5", "blur 1", "noise 4"),
    "audio": ("mp3 1", "opus 1", "noise 30", "telephone 3400"),
}
# In all, shared evenly by the domains. A picture and condition takes a tenth of a second of a core
# to be described by the default detector: 64 make half a minute, once, for descriptions are kept
# and the next challenger's check is nearly free. Of two detectors that disagree on one picture in
# ten the paired difference of mean recall is then known to 0.08.
PICTURES = 64
RECALL = 2.0  # times the margin of AUC that mean recall may lose: a threshold moves it, too
_FEWEST = 10  # of each class, below which nothing is said


class Judge(Protocol):
    """What is asked of a detector here."""

    @property
    def decision(self) -> Any: ...
    @property
    def minimum_size(self) -> int: ...
    def predict(self, images: Sequence[NDArray[Any]]) -> Any: ...


def some_of(domains: "Sequence[ImageSet]", seed: int, most: int = PICTURES) -> "ImageSet | None":
    """As many pictures of each domain, reals and fakes alike.

    None without enough of both classes.
    """
    found = None
    for data in domains:
        few = data.subset(pick_evenly(data, max(2, most // len(domains)), seed))
        found = few if found is None else found.joined(few)
    if found is None or min(np.bincount(found.labels, minlength=2)) < _FEWEST:
        return None
    return found


def degraded_scores(challenger: Judge, champion: Judge, data: "ImageSet") -> pd.DataFrame:
    """What both say of samples under each of their medium's `CONDITIONS`.

    Returns:
        A row per condition and picture that is large enough for both: condition, path, label,
        group, `probability_old`, `probability_new`, and whether the threshold calls it fake,
        `fake_old` and `fake_new`.
    """
    tables = []
    for condition in find_degradations(CONDITIONS[data.medium], data.medium):
        pictures = Degraded(data.pixels, condition)
        least = max(challenger.minimum_size, champion.minimum_size)
        kept = [i for i, picture in enumerate(pictures) if size_of(picture) >= least]
        some = [pictures[i] for i in kept]
        columns: dict[str, Any] = {
            "condition": condition.name,
            "path": [data.paths[i] for i in kept],
            "label": data.labels[kept],
            "group": data.groups[kept].astype(str),
        }
        for age, judge in (("old", champion), ("new", challenger)):
            said = judge.predict(some).probability
            columns[f"probability_{age}"] = said
            columns[f"fake_{age}"] = said >= judge.decision.threshold
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def robustness_checks(scores: pd.DataFrame, config: GateConfig) -> Iterator[Check]:
    """One answer per condition: AUC may not have fallen by the margin, nor recall by twice that."""
    options: Any = {"resamples": config.resamples, "seed": config.seed}
    for name, rows in scores.groupby("condition", sort=False):
        labels, groups = rows["label"].to_numpy(), rows["group"].to_numpy()
        if min(np.bincount(labels, minlength=2)) < _FEWEST:
            continue
        old, new = rows["probability_old"], rows["probability_new"]
        gain = paired_auc_difference(labels, new, old, groups, **options)
        right = [(rows[f"fake_{age}"] == (labels == 1)).to_numpy() for age in ("old", "new")]
        recall = _recall_difference(labels, right[1], right[0], groups, options)
        said = (
            f"After {name}, {len(rows)} files of known domains: AUC {rank_auc(labels, old):.3f} "
            f"before, {rank_auc(labels, new):.3f} now, {gain_text(gain)}; mean recall of reals and "
            f"fakes, {gain_text(recall)}."
        )
        margin = config.robustness_margin
        passed = _low(gain) > -margin and _low(recall) > -RECALL * margin
        settle = (
            f"It may lose more than {margin:g} of AUC or {RECALL * margin:g} of recall where "
            "files are degraded so: learn from such that were, or measure it on more."
        )
        yield Check("robustness", "", passed, said, "" if passed else settle)


def _low(estimate: Estimate) -> float:
    value = estimate.value if estimate.low is None else estimate.low
    return 0.0 if value is None else value


def _recall_difference(
    labels: NDArray[np.int64],
    new: NDArray[np.bool_],
    old: NDArray[np.bool_],
    groups: NDArray[Any],
    options: Any,
) -> Estimate:
    """Mean over both classes of the share that is judged rightly, new less old, paired."""
    change = new.astype(np.float64) - old.astype(np.float64)

    def statistic(counts: Counts) -> dict[str, NDArray[np.float64]]:
        parts = []
        for label in (0, 1):
            mine = counts[:, labels == label]
            parts.append(mine @ change[labels == label] / mine.sum(1))
        return {"difference": np.asarray(np.mean(parts, axis=0), np.float64)}

    return bootstrap(statistic, labels, groups, **options)["difference"]
