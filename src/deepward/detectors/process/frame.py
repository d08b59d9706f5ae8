"""From what statistics say of a sample to a compact row: fitted once, at the first stage.

Each part of a description is standardized, clipped, its blocks are made to count alike, and it is
projected on the principal directions of the first stage's samples, to length 1. Frozen afterwards,
so that rows of later stages can stand beside rows of earlier ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.statistics import Floats, Statistic, build_statistic
from deepward.errors import DetectorFileError, TrainingError

__all__ = ["Frame", "Part", "fit_frame"]

_CLIP = 8.0  # standard deviations
_FITTED_ON = 4096  # rows at most: directions hardly move beyond, and the cost grows cubically


@dataclass(frozen=True)
class Part:
    """One part of a statistic's description, with a kernel of its own.

    Attributes:
        statistic: index of its statistic.
        start, stop: its numbers in that statistic's description.
        mean, scale: (D,) standardization; `scale` makes blocks count alike too.
        directions: (D, d) orthonormal columns.
    """

    statistic: int
    start: int
    stop: int
    mean: Floats
    scale: Floats
    directions: Floats

    def deviations(self, described: Floats) -> Floats:
        """Standardized numbers of this part, (N, D); their mean square is about 1 / D."""
        raw = (described[:, self.start : self.stop] - self.mean) / self.scale
        limit = _CLIP / np.sqrt(self.stop - self.start)
        return np.asarray(np.clip(raw, -limit, limit), np.float32)


@dataclass(frozen=True)
class Frame:
    """Describes samples and brings descriptions into rows."""

    statistics: tuple[Statistic, ...]
    parts: tuple[Part, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of a row that belong to each part."""
        return tuple(part.directions.shape[1] for part in self.parts)

    def describe(self, samples: Sequence[NDArray[Any]], descriptions: Descriptions) -> list[Floats]:
        """What each statistic says, (N, D) each."""
        keys = descriptions.keys(samples)
        return [descriptions.rows(statistic, samples, keys) for statistic in self.statistics]

    def project(self, described: Sequence[Floats]) -> Floats:
        """Rows (N, sum of `widths`), in half precision as they are kept."""
        columns = []
        for part in self.parts:
            both = self._both(part, described[part.statistic])
            columns.append(_unit(both @ part.directions)[0])
        return np.concatenate(columns, 1).astype(np.float16).astype(np.float32)

    def _both(self, part: Part, found: Floats) -> NDArray[np.float64]:
        """Mean deviations of a sample and of its mirror image."""
        mirrored = part.deviations(self.statistics[part.statistic].mirror(found))
        # In double precision: the bits that are kept must not depend on who stands beside.
        return (part.deviations(found).astype(np.float64) + mirrored) / 2

    def rows(self, samples: Sequence[NDArray[Any]], descriptions: Descriptions) -> Floats:
        """`describe` and `project` in one."""
        return self.project(self.describe(samples, descriptions))

    def places(self, described: Sequence[Floats], gradient: Floats) -> list[tuple[str, Floats]]:
        """What each place adds, by part, given the mean gradient on the way: [(name, (h, w))].

        Args:
            described: of one sample, (1, D) each.
            gradient: of the logit by the row, (sum of widths,), averaged from zero to the row.
        """
        maps = []
        ends = np.cumsum(self.widths)[:-1]
        for part, slope in zip(self.parts, np.split(gradient, ends), strict=True):
            statistic, found = self.statistics[part.statistic], described[part.statistic]
            length = float(_unit(self._both(part, found) @ part.directions)[1][0, 0])
            by_number = part.directions @ (slope / length)  # (D,)
            whole = np.zeros_like(found)
            whole[0, part.start : part.stop] = by_number
            both = (whole + statistic.mirror(whole)) / 2  # mirroring is its own inverse
            shares = part.deviations(found)[0] * both[0, part.start : part.stop]
            full = np.zeros(found.shape[1], np.float32)
            full[part.start : part.stop] = shares
            cells = statistic.places(full)
            if cells is None:
                cells = np.full((1, 1), full.sum(), np.float32)
            maps.append((statistic.name, cells))
        return maps

    def tensors(self) -> dict[str, Tensor]:
        """Named for a detector file."""
        named: dict[str, Tensor] = {}
        for number, part in enumerate(self.parts):
            place = torch.tensor([part.statistic, part.start, part.stop])
            named[f"parts.{number}.place"] = place
            named[f"parts.{number}.mean"] = torch.from_numpy(part.mean)
            named[f"parts.{number}.scale"] = torch.from_numpy(part.scale)
            named[f"parts.{number}.directions"] = torch.from_numpy(part.directions).half()
        for number, statistic in enumerate(self.statistics):
            named |= {f"statistics.{number}.{k}": t for k, t in statistic.state_dict().items()}
            version = np.frombuffer(statistic.version.encode(), np.uint8).copy()
            named[f"versions.{number}"] = torch.from_numpy(version)
        return named

    @classmethod
    def restore(cls, names: Sequence[str], tensors: Mapping[str, Tensor], device: str) -> Self:
        """Reads what `tensors` gave.

        Raises:
            DetectorFileError: a statistic describes otherwise today than when the rows were made.
        """
        statistics = []
        for number, name in enumerate(names):
            start = f"statistics.{number}."
            state = {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}
            statistic = build_statistic(name).restored(state)
            statistic.device = device
            then = bytes(tensors[f"versions.{number}"].numpy()).decode()
            if statistic.version != then:
                raise DetectorFileError(
                    f"The detector's statistic {name!r} is of version {then}, this deepward's of "
                    f"{statistic.version}: its rows mean something else here. Train it again."
                )
            statistics.append(statistic)
        parts = []
        for number in range(sum(name.endswith(".place") for name in tensors)):
            which, first, last = (int(v) for v in tensors[f"parts.{number}.place"])
            mean, scale, directions = (
                tensors[f"parts.{number}.{name}"].float().numpy()
                for name in ("mean", "scale", "directions")
            )
            parts.append(Part(which, first, last, mean, scale, directions))
        return cls(tuple(statistics), tuple(parts))


def fit_frame(
    names: Sequence[str],
    samples: Sequence[NDArray[Any]],
    twins: Sequence[NDArray[Any]],
    directions: int,
    descriptions: Descriptions,
    *,
    seed: int,
    device: str = "cpu",
) -> Frame:
    """Fits standardization and principal directions on samples and their laundered twins.

    Args:
        names: of statistics.
        samples: of the first stage; at most 4,096 rows of them and their twins are used.
        directions: most of each part.

    Raises:
        TrainingError: there are fewer than two samples.
    """
    if len(samples) < 2:
        raise TrainingError(f"A first stage of {len(samples)} samples is too small to describe.")
    random = np.random.default_rng([seed, len(samples)])
    chosen = np.sort(random.permutation(len(samples))[: _FITTED_ON // 2])
    some = [samples[int(i)] for i in chosen] + [twins[int(i)] for i in chosen]
    statistics, parts = [], []
    for index, name in enumerate(names):
        statistic = build_statistic(name)
        statistic.device = device
        statistic = statistic.prepared(some[: len(chosen)], seed)
        statistic.device = device
        statistics.append(statistic)
        found = descriptions.rows(statistic, some)
        start = 0
        for sizes in statistic.parts(found.shape[1]):
            stop = start + sum(sizes)
            mirrored = statistic.mirror(found)[:, start:stop]
            parts.append(_fit_part(index, start, found[:, start:stop], mirrored, sizes, directions))
            start = stop
    return Frame(tuple(statistics), tuple(parts))


def _fit_part(
    statistic: int,
    start: int,
    found: Floats,
    mirrored: Floats,
    sizes: Sequence[int],
    directions: int,
) -> Part:
    mean = (found.mean(0) + mirrored.mean(0)) / 2
    spread = np.sqrt((found.var(0) + mirrored.var(0)) / 2)
    # What hardly ever varies must not be blown up: a floor, relative to its block.
    floors = [np.median(block) for block in np.split(spread, np.cumsum(sizes)[:-1])]
    floor = np.repeat(0.05 * np.array(floors) + 1e-6, sizes)
    alike = np.repeat(np.sqrt(np.array(sizes, np.float64) * len(sizes)), sizes)
    scale = ((spread + floor) * alike).astype(np.float32)
    whole = Part(
        statistic,
        start,
        start + found.shape[1],
        mean.astype(np.float32),
        scale,
        np.zeros((0, 0), np.float32),
    )
    plain = np.zeros((len(found), start), np.float32)  # `deviations` cuts its part out itself
    own = whole.deviations(np.concatenate([plain, found], 1))
    other = whole.deviations(np.concatenate([plain, mirrored], 1))
    kept = _principal(np.asarray((own + other) / 2, np.float32), directions)
    return Part(statistic, start, whole.stop, whole.mean, scale, kept)


def _unit(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of length 1, and the lengths they had, (N, 1).

    Directions that were fitted on few samples give those longer rows than others; which way a row
    points is all that is kept.
    """
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows / lengths, lengths


def _principal(x: Floats, count: int) -> Floats:
    """Leading eigenvectors of x'x as columns (D, d), rounded as they are stored."""
    wide = x.astype(np.float64)
    if x.shape[0] < x.shape[1]:
        values, vectors = _leading(wide @ wide.T, count)
        order = np.flatnonzero(values > 1e-9 * max(values.max(), 1e-12))
        basis = wide.T @ (vectors[:, order] / np.sqrt(values[order]))
    else:
        basis = _leading(wide.T @ wide, count)[1]
    return np.asarray(basis.astype(np.float16), np.float32)


def _leading(symmetric: NDArray[np.float64], count: int) -> tuple[Any, Any]:
    """The largest eigenvalues, falling, and their vectors as columns."""
    size = len(symmetric)
    values, vectors = eigh(symmetric, subset_by_index=(max(size - count, 0), size - 1))
    return values[::-1], vectors[:, ::-1]
