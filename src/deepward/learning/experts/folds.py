"""Folds of samples: each is validated on what the others train on.

Cluster folds leave whole clusters out; random folds, beside which they are measured, do not.
Folds are kept by content hash, so that any trainer can take them up (`deepward train --folds`).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.errors import TrainingError, UsageError
from deepward.files import write_json

if TYPE_CHECKING:
    from deepward.detectors.protocol import Samples
    from deepward.learning.experts.clusters import Clusters

__all__ = ["Folds", "cluster_folds", "random_folds"]

_KINDS = ("clusters", "random")


@dataclass(frozen=True)
class Folds:
    """Which fold each sample is held out in.

    Attributes:
        fold: (N,) 0 to F - 1.
        cluster: (N,) number of its cluster; -1 in random folds.
        keys: (N,) content hash of each sample.
        kind: "clusters" or "random".
    """

    fold: NDArray[np.int64]
    cluster: NDArray[np.int64]
    keys: tuple[str, ...]
    kind: str = "clusters"

    @property
    def count(self) -> int:
        """F."""
        return int(self.fold.max(initial=-1)) + 1

    def split(self, samples: Any, fold: int) -> tuple[Any, Any]:
        """(train, held out) of one fold; samples that the folds do not know are left out.

        Raises:
            UsageError: there is no such fold, or the folds know none of the samples.
        """
        if not 0 <= fold < self.count:
            raise UsageError(f"There is no fold {fold}; there are 0 to {self.count - 1}.")
        known = dict(zip(self.keys, self.fold.tolist(), strict=True))
        mine = np.array([known.get(key, -1) for key in samples.hashes], np.int64)
        if (mine < 0).all():
            raise UsageError("The folds know none of these samples: make them for these domains.")
        return (
            samples.subset(np.flatnonzero((mine >= 0) & (mine != fold))),
            samples.subset(np.flatnonzero(mine == fold)),
        )

    def write(self, file: Path) -> None:
        """As JSON, by content hash."""
        rows = zip(self.keys, self.fold.tolist(), self.cluster.tolist(), strict=True)
        write_json(file, {"kind": self.kind, "samples": {key: [fold, c] for key, fold, c in rows}})

    @classmethod
    def read(cls, file: Path) -> "Folds":
        """Reads what `write` wrote.

        Raises:
            UsageError: the file is missing or holds something else.
        """
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            samples = values["samples"]
            found = cls(
                np.array([int(row[0]) for row in samples.values()], np.int64),
                np.array([int(row[1]) for row in samples.values()], np.int64),
                tuple(samples),
                str(values["kind"]),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise UsageError(
                f"{file} holds no folds ({error}); `deepward experts` writes them as folds.json."
            ) from None
        if found.kind not in _KINDS or not len(found.keys) or found.fold.min() < 0:
            raise UsageError(f"{file} holds no folds; `deepward experts` writes them.")
        return found


def cluster_folds(samples: "Samples", clusters: "Clusters", count: int) -> Folds:
    """Deals clusters out to folds, so that each holds out about as many reals and fakes.

    Raises:
        TrainingError: there are fewer clusters than folds, or a fold would hold out one class only.
    """
    _check_count(count)
    if clusters.count < count:
        raise TrainingError(
            f"{clusters.count} clusters cannot fill {count} folds: ask for fewer folds, for more "
            "clusters, or give more pictures."
        )
    cells = np.zeros((clusters.count, 2), np.int64)
    np.add.at(cells, (clusters.cluster, samples.labels), 1)
    fold_of = _dealt(cells, count)
    fold = fold_of[clusters.cluster]
    _check_classes(samples, fold, count, "clusters")
    return Folds(fold, clusters.cluster, tuple(samples.hashes), "clusters")


def random_folds(samples: "Samples", count: int, seed: int) -> Folds:
    """Deals groups out at random, alike over labels and domains.

    Raises:
        TrainingError: a fold would hold out one class only.
    """
    _check_count(count)
    random = np.random.default_rng(seed)
    names, first, index = np.unique(
        samples.groups.astype(np.str_), return_index=True, return_inverse=True
    )
    kinds = [f"{samples.labels[i]} {samples.domains[i]}" for i in first]
    of_group = np.zeros(len(names), np.int64)
    start = 0
    for kind in sorted(set(kinds)):
        members = random.permutation([i for i, each in enumerate(kinds) if each == kind])
        of_group[members] = (np.arange(len(members)) + start) % count
        start += len(members)
    fold = of_group[index]
    _check_classes(samples, fold, count, "groups")
    nowhere = np.full(len(fold), -1, np.int64)
    return Folds(fold, nowhere, tuple(samples.hashes), "random")


def _dealt(cells: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Largest cluster first, each to the fold that it leaves most even: (K, 2) to (K,)."""
    shares = cells / np.maximum(cells.sum(0), 1)  # of all reals, and of all fakes
    held = np.zeros((count, 2))
    fold = np.zeros(len(cells), np.int64)
    for cluster in np.argsort(-shares.sum(1), kind="stable"):
        # What the sum of squares would become: it is least where both classes are even.
        grown = ((held + shares[cluster]) ** 2).sum(1) - (held**2).sum(1)
        fold[cluster] = int(grown.argmin())
        held[fold[cluster]] += shares[cluster]
    return fold


def _check_count(count: int) -> None:
    if count < 2:
        raise UsageError(f"Folds are two at least, not {count}.")


def _check_classes(samples: "Samples", fold: NDArray[np.int64], count: int, parts: str) -> None:
    for number in range(count):
        for label, name in ((0, "real"), (1, "fake")):
            if not ((fold == number) & (samples.labels == label)).any():
                raise TrainingError(
                    f"Fold {number} of {count} would hold out no {name} picture: the {parts} of "
                    f"{len(fold)} samples cannot be dealt out so that all folds have both classes. "
                    "Ask for fewer folds, or for more and smaller clusters."
                )
