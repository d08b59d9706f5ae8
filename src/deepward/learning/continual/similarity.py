"""How alike domains are: what one teaches about another, and where their fakes lie.

A small probe: some training samples of each domain, described by fixed statistics of residuals.
Two things are measured and averaged: zero-shot transfer (a ridge fitted on one domain ranks the
pictures of another) and whether the step from real to fake points the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors import Descriptions
    from deepward.domains import ImageSet

__all__ = ["Similarity", "measure_similarity"]

STATISTICS = {"image": ("cooccurrence", "spectrum"), "audio": ("sound_cooccurrence",)}
FEWEST = 4  # pictures of each class, below which nothing is measured
_RIDGE = 10.0

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """What was measured between D domains; NaN where a domain lacks a class.

    Attributes:
        names: of the domains.
        transfer: (D, D) AUC of what was fitted on the row's domain, on the column's.
        direction: (D, D) cosine between the steps from real to fake.
    """

    names: tuple[str, ...]
    transfer: Values
    direction: Values

    @property
    def likeness(self) -> Values:
        """(D, D) in [0, 1], symmetric: the mean of both, chance and opposite counting as 0."""
        gain = np.clip(2.0 * self.transfer - 1.0, 0.0, 1.0)
        found = 0.5 * (gain + gain.T) / 2.0 + 0.5 * np.clip(self.direction, 0.0, 1.0)
        found = np.nan_to_num((found + found.T) / 2.0, nan=0.0)
        np.fill_diagonal(found, 1.0)
        return found

    def linkage(self) -> Values:
        """Average linkage of 1 - likeness, as scipy has it: (D - 1, 4)."""
        from scipy.cluster.hierarchy import average
        from scipy.spatial.distance import squareform

        if len(self.names) < 2:
            return np.zeros((0, 4))
        return np.asarray(average(squareform(1.0 - self.likeness, checks=False)), np.float64)

    def groups(self, most_apart: float) -> list[tuple[str, ...]]:
        """Domains that are closer than `most_apart` in the tree, which is in [0, 1]; by name."""
        from scipy.cluster.hierarchy import fcluster

        if len(self.names) < 2:
            return [(name,) for name in self.names]
        labels = fcluster(self.linkage(), most_apart, "distance")
        found = [
            tuple(sorted(n for n, own in zip(self.names, labels, strict=True) if own == label))
            for label in sorted(set(labels.tolist()))
        ]
        return sorted(found)

    def ordered(self, groups: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
        """Groups one after the other: first what teaches most about all, then what is nearest.

        Domains that say nothing of others (a class is missing) come last, by name.
        """
        places = {name: i for i, name in enumerate(self.names)}
        likeness = self.likeness
        teaches = np.nan_to_num(self.transfer, nan=0.0).mean(1)
        waiting = [tuple(group) for group in sorted(map(tuple, groups))]
        order: list[tuple[str, ...]] = []
        while waiting:
            known = [places[name] for group in order for name in group]

            def worth(
                group: tuple[str, ...], known: Sequence[int] = known
            ) -> tuple[bool, float, int]:
                mine = [places[name] for name in group]
                speaks = bool(np.isfinite(self.transfer[mine]).any())
                if known:
                    value = float(likeness[np.ix_(mine, known)].max(1).mean())
                else:
                    value = float(teaches[mine].mean())
                return speaks, round(value, 9), -waiting.index(group)

            best = max(waiting, key=worth)
            order.append(best)
            waiting.remove(best)
        return order

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON; `from_dict` reads it back."""
        return {
            "names": list(self.names),
            "transfer": _plain(self.transfer),
            "direction": _plain(self.direction),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Similarity":
        """Reads what `as_dict` gave."""
        parts = [np.array(values[part], np.float64) for part in ("transfer", "direction")]
        return cls(tuple(values["names"]), *parts)


def measure_similarity(
    sets: "Mapping[str, ImageSet]",
    descriptions: "Descriptions",
    *,
    medium: str = "image",
    pictures: int = 60,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Similarity:
    """Measures how alike domains are.

    Args:
        sets: domain -> training pictures.
        descriptions: what pictures were described as before.
        medium: that they are of.
        pictures: of each class that are looked at, drawn by `seed`.
        seed: of the draw.
        progress: told of each domain.
    """
    from deepward.detectors.statistics import build_statistic

    built = [build_statistic(name) for name in STATISTICS[medium]]
    rows, labels = {}, {}
    for done, (name, data) in enumerate(sets.items()):
        progress(Advance("similarity of domains", done, len(sets), "domain", name))
        chosen = _drawn(data, pictures, seed)
        some = data.subset(chosen)
        labels[name] = some.labels
        rows[name] = (
            np.concatenate(
                [_rooted(descriptions.rows(each, some.pixels)) for each in built], axis=1
            )
            if len(some)
            else np.zeros((0, 0))
        )
    progress(Advance("similarity of domains", len(sets), len(sets), "domain"))
    names = tuple(sets)
    able = [n for n in names if min(int((labels[n] == k).sum()) for k in (0, 1)) >= FEWEST]
    transfer, direction = (np.full((len(names), len(names)), np.nan) for _ in range(2))
    if able:
        joined = np.concatenate([rows[name] for name in able])
        middle, spread = joined.mean(0), joined.std(0)
        spread = spread + 1e-3 * float(np.sqrt(np.mean(spread**2))) + 1e-12
        scaled = {name: np.clip((rows[name] - middle) / spread, -8, 8) for name in able}
        steps = {name: _step(scaled[name], labels[name]) for name in able}
        for i, one in enumerate(names):
            for j, other in enumerate(names):
                if one in able and other in able:
                    said = _ridge(scaled[one], labels[one], scaled[other], one == other)
                    transfer[i, j] = _auc(said, labels[other])
                    direction[i, j] = float(steps[one] @ steps[other])
    return Similarity(names, transfer, direction)


def _drawn(data: "ImageSet", pictures: int, seed: int) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    parts = [random.permutation(np.flatnonzero(data.labels == k))[:pictures] for k in (0, 1)]
    return np.sort(np.concatenate(parts)).astype(np.int64)


def _rooted(rows: NDArray[Any]) -> Values:
    """Each statistic's numbers count as one, however many they are."""
    return np.asarray(rows / np.sqrt(max(rows.shape[1], 1)), np.float64)


def _step(rows: Values, labels: NDArray[np.int64]) -> Values:
    step = rows[labels == 1].mean(0) - rows[labels == 0].mean(0)
    return np.asarray(step / max(float(np.linalg.norm(step)), 1e-12), np.float64)


def _ridge(rows: Values, labels: NDArray[np.int64], others: Values, same: bool) -> Values:
    """What a linear ridge fitted on `rows` says of `others`; of its own rows by leaving one out."""
    middle, signs = rows.mean(0), 2.0 * labels - 1.0
    signs = signs - signs.mean()
    kernel = (rows - middle) @ (rows - middle).T / rows.shape[1]
    inverse = np.linalg.inv(kernel + _RIDGE / len(rows) * np.eye(len(rows)))
    weights = inverse @ signs
    if same:
        return np.asarray(signs - weights / np.diag(inverse), np.float64)
    return np.asarray((others - middle) @ (rows - middle).T @ weights / rows.shape[1], np.float64)


def _auc(said: Values, labels: NDArray[np.int64]) -> float:
    from scipy.stats import mannwhitneyu

    reals, fakes = said[labels == 0], said[labels == 1]
    return float(mannwhitneyu(fakes, reals).statistic / (len(reals) * len(fakes)))


def _plain(values: Values) -> list[list[float | None]]:
    return [[None if np.isnan(v) else round(float(v), 6) for v in line] for line in values]
