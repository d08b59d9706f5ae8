"""Exemplars: crops of every source class that are kept, never more bytes than the budget.

A source class is (domain, real) or (domain, technique). Three quarters of its budget hold training
samples, which `replay` sees again; a quarter holds samples that no fit has seen, on which the
threshold of later stages rests.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.pictures.crops import take_crop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deepward.detectors.protocol import Samples

__all__ = ["Exemplars", "JoinedSamples", "herding", "reservoir", "room"]

Pixels = NDArray[np.uint8]
_HELD = 0.25  # of the budget
_FACTS = ("domains", "techniques", "groups", "hashes")


def room(budget: int, side: int) -> tuple[int, int]:
    """How many crops of a source class fit its bytes: training samples, and held ones."""
    whole = budget // (side * side * 3)
    held = int(whole * _HELD)
    return whole - held, held


def reservoir(count: int, wanted: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Positions of a uniform sample of a stream of `count`, as it is drawn in one pass (Vitter)."""
    kept = list(range(min(count, wanted)))
    for position in range(wanted, count):
        place = int(random.integers(0, position + 1))
        if place < wanted:
            kept[place] = position
    return np.sort(np.array(kept, np.int64))


def herding(features: NDArray[Any], wanted: int) -> NDArray[np.int64]:
    """Positions whose means follow the mean of all, best first (iCaRL, algorithm 4).

    Args:
        features: (N, D); rows are brought to length one.
        wanted: how many.
    """
    rows = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    mean, total = rows.mean(0), np.zeros(rows.shape[1])
    chosen: list[int] = []
    for number in range(1, min(wanted, len(rows)) + 1):
        apart = np.linalg.norm(mean - (total + rows) / number, axis=1)
        apart[chosen] = np.inf
        chosen.append(int(apart.argmin()))
        total = total + rows[chosen[-1]]
    return np.array(chosen, np.int64)


@dataclass(frozen=True, eq=False)
class Exemplars:
    """N crops with all that `Samples` asks for.

    Attributes:
        pixels: (N, S, S, 3) uint8.
        labels: (N,); held: (N,) no fit has seen it.
        domains, techniques, groups: (N,); hashes: of the pictures that they were cut from.
    """

    pixels: Any
    labels: NDArray[np.int64]
    held: NDArray[np.bool_]
    domains: NDArray[Any]
    techniques: NDArray[Any]
    groups: NDArray[Any]
    hashes: tuple[str, ...]

    @classmethod
    def none(cls) -> "Exemplars":
        """Nothing kept."""
        names = np.zeros(0, np.str_)
        return cls(
            np.zeros((0, 1, 1, 3), np.uint8),
            np.zeros(0, np.int64),
            np.zeros(0, np.bool_),
            names,
            names,
            names,
            (),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Of the crops."""
        return int(self.pixels.nbytes)

    def subset(self, index: NDArray[Any]) -> "Exemplars":
        """Those at some positions, or under a mask."""
        chosen = np.flatnonzero(index) if index.dtype == np.bool_ else index
        return Exemplars(
            self.pixels[chosen],
            self.labels[chosen],
            self.held[chosen],
            self.domains[chosen],
            self.techniques[chosen],
            self.groups[chosen],
            tuple(self.hashes[int(i)] for i in chosen),
        )

    def training(self) -> "Exemplars":
        """What replay sees again."""
        return self.subset(~self.held)

    def unseen(self) -> "Exemplars":
        """What no fit has seen."""
        return self.subset(self.held)

    def without(self, domains: Sequence[str]) -> "Exemplars":
        """As if these domains had never been met."""
        return self.subset(~np.isin(self.domains, list(domains)))

    def joined(
        self,
        train: "Samples",
        val: "Samples",
        *,
        budget: int,
        side: int,
        seed: int,
        features: "Callable[[Samples, NDArray[np.int64]], NDArray[Any]] | None" = None,
    ) -> "Exemplars":
        """With exemplars of new samples; a domain that is met again has its own replaced.

        Args:
            train, val: where training and held exemplars come from.
            budget: bytes of each source class.
            side: of the crops.
            seed: of the reservoir.
            features: of samples at positions, for herding; without it a reservoir.
        """
        met = sorted({*train.domains.tolist(), *val.domains.tolist()})
        kept = self.without(met)
        parts = [kept] if len(kept) else []
        for samples, wanted, held in zip(
            (train, val), room(budget, side), (False, True), strict=True
        ):
            for number, places in enumerate(_source_classes(samples)):
                if features is None or held:
                    random = np.random.default_rng([seed, number, int(held)])
                    chosen = places[reservoir(len(places), wanted, random)]
                else:
                    chosen = places[herding(features(samples, places), wanted)]
                if len(chosen):
                    parts.append(_cut(samples, chosen, side, held))
        return _concatenated(parts) if parts else Exemplars.none()

    def tensors(self) -> dict[str, Tensor]:
        """For a detector file; `restore` reads them back."""
        if not len(self):
            return {}
        facts: dict[str, Any] = {name: list(map(str, getattr(self, name))) for name in _FACTS}
        text = json.dumps(facts, sort_keys=True).encode()
        return {
            "exemplars/pixels": torch.from_numpy(np.ascontiguousarray(self.pixels)),
            "exemplars/labels": torch.from_numpy(self.labels),
            "exemplars/held": torch.from_numpy(self.held),
            "exemplars/facts": torch.from_numpy(np.frombuffer(text, np.uint8).copy()),
        }

    @classmethod
    def restore(cls, state: "Mapping[str, Tensor]") -> "Exemplars":
        """Reads what `tensors` gave."""
        if "exemplars/pixels" not in state:
            return cls.none()
        facts = json.loads(bytes(state["exemplars/facts"].cpu().numpy()).decode())
        return cls(
            state["exemplars/pixels"].cpu().numpy(),
            state["exemplars/labels"].cpu().numpy(),
            state["exemplars/held"].cpu().numpy(),
            np.array(facts["domains"], np.str_),
            np.array(facts["techniques"], np.str_),
            np.array(facts["groups"], np.str_),
            tuple(facts["hashes"]),
        )


class JoinedSamples:
    """The samples of both, these first; pictures may differ in size."""

    def __init__(self, first: "Samples", second: "Samples") -> None:
        self.first, self.second = first, second
        self.labels = np.concatenate([first.labels, second.labels])
        self.domains = _names(first.domains, second.domains)
        self.techniques = _names(first.techniques, second.techniques)
        self.groups = _names(first.groups, second.groups)
        self.hashes = (*first.hashes, *second.hashes)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> "_JoinedPixels":
        return _JoinedPixels(self.first.pixels, self.second.pixels)


class _JoinedPixels(Sequence[Any]):
    def __init__(self, first: Sequence[Any], second: Sequence[Any]) -> None:
        self.first, self.second = first, second

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        count = len(self.first)
        return self.first[place] if place < count else self.second[place - count]


def _names(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.str_]:
    return np.concatenate([first.astype(np.str_), second.astype(np.str_)])


def _source_classes(samples: "Samples") -> list[NDArray[np.int64]]:
    """Positions of each source class, by (domain, label, technique)."""
    fake = samples.labels == 1
    techniques = np.where(fake, samples.techniques.astype(np.str_), "")
    keys = list(zip(samples.domains.tolist(), fake.tolist(), techniques.tolist(), strict=True))
    return [
        np.array([i for i, found in enumerate(keys) if found == key], np.int64)
        for key in sorted(set(keys))
    ]


def _cut(samples: "Samples", chosen: NDArray[np.int64], side: int, held: bool) -> Exemplars:
    crops = [take_crop(samples.pixels[int(i)], side, (0.0, 0.0)) for i in chosen]
    return Exemplars(
        np.stack(crops),
        samples.labels[chosen],
        np.full(len(chosen), held),
        samples.domains[chosen].astype(np.str_),
        samples.techniques[chosen].astype(np.str_),
        samples.groups[chosen].astype(np.str_),
        tuple(samples.hashes[int(i)] for i in chosen),
    )


def _concatenated(parts: Sequence[Exemplars]) -> Exemplars:
    arrays = ("pixels", "labels", "held", "domains", "techniques", "groups")
    joined: dict[str, Any] = {n: np.concatenate([getattr(p, n) for p in parts]) for n in arrays}
    return Exemplars(**joined, hashes=tuple(h for p in parts for h in p.hashes))
