"""From what statistics say of a sample to a compact row: fitted once, at the first stage.

Each part of a description is standardized, clipped, its blocks are made to count alike; it is
projected, and brought to length 1. Frozen afterwards, so that rows of later stages can stand beside
rows of earlier ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.process.part import Part, fit_part
from deepward.detectors.statistics import Floats, Statistic, build_statistic
from deepward.errors import DetectorFileError, TrainingError

__all__ = ["Frame", "fit_frame"]

_FITTED_ON = 4096  # rows at most: directions hardly move beyond, and the cost grows cubically


@dataclass(frozen=True)
class Frame:
    """Describes samples and brings descriptions into rows."""

    statistics: tuple[Statistic, ...]
    parts: tuple[Part, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers of a row that belong to each part."""
        return tuple(part.width for part in self.parts)

    def describe(self, samples: Sequence[NDArray[Any]], descriptions: Descriptions) -> list[Floats]:
        """What each statistic says, (N, D) each."""
        keys = descriptions.keys(samples)
        return [descriptions.rows(statistic, samples, keys) for statistic in self.statistics]

    def project(self, described: Sequence[Floats]) -> Floats:
        """Rows (N, sum of `widths`), in half precision as they are kept."""
        columns = []
        for part in self.parts:
            both = self._both(part, described[part.statistic])
            columns.append(_unit(part.project(both))[0])
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
            length = float(_unit(part.project(self._both(part, found)))[1][0, 0])
            by_number = part.spread(slope / length)
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
            named[f"parts.{number}.buckets"] = torch.from_numpy(part.buckets)
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
            none = torch.zeros(0, dtype=torch.int32)  # files of before hashed nothing
            buckets = tensors.get(f"parts.{number}.buckets", none).numpy()
            parts.append(Part(which, first, last, mean, scale, directions, buckets))
        return cls(tuple(statistics), tuple(parts))


def fit_frame(
    names: Sequence[str],
    samples: Sequence[NDArray[Any]],
    twins: Sequence[NDArray[Any]],
    directions: int,
    hashed: int,
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
        hashed: numbers that what they miss of each part is hashed to.

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
            part = found[:, start:stop], mirrored
            parts.append(fit_part(index, start, *part, sizes, directions, hashed))
            start = stop
    return Frame(tuple(statistics), tuple(parts))


def _unit(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of length 1, and the lengths they had, (N, 1).

    Directions that were fitted on few samples give those longer rows than others; which way a row
    points is all that is kept.
    """
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return rows / lengths, lengths
