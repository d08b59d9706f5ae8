"""Fine source classes, and the episodes that are drawn from them."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from deepward.detectors.protocol import Samples
from deepward.errors import TrainingError, UsageError
from deepward.learning.meta.config import MetaConfig

__all__ = ["Drawn", "EpisodeSampler", "SourceClasses", "source_classes"]

_TRIES = 10_000  # draws of classes until one holds a real and a fake
_SPLITS = 100  # draws of sides until each class has base pictures on both


@dataclass(frozen=True)
class SourceClasses:
    """Fine labels of samples; real or fake is read off the class.

    Attributes:
        names: "<domain>/real" or "<domain>/<technique>".
        fake: (C,) whether a class is of fakes.
        of: (N,) the class of each sample, as an index of `names`; -1 where it was left out.
        left_out: classes with a single base picture, which no episode can split.
    """

    names: tuple[str, ...]
    fake: NDArray[np.bool_]
    of: NDArray[np.int64]
    left_out: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Samples of each class."""
        return {name: int((self.of == i).sum()) for i, name in enumerate(self.names)}


def source_classes(data: Samples) -> SourceClasses:
    """The classes of samples: reals by domain, fakes by domain and technique.

    A class with one base picture alone is left out, and named.

    Raises:
        TrainingError: no class of reals or none of fakes is left.
    """
    labels = data.labels
    techniques = [t or "fake" for t in data.techniques.tolist()]
    full = [
        f"{domain}/{technique if label else 'real'}"
        for domain, technique, label in zip(data.domains.tolist(), techniques, labels, strict=True)
    ]
    found = np.array(full, np.str_)
    groups = data.groups.astype(np.str_)
    single = {n for n in set(full) if len(set(groups[found == n].tolist())) < 2}
    names = tuple(sorted(set(full) - single))
    fake = np.array([bool(labels[found == name][0]) for name in names], bool)
    if fake.all() or not fake.any():
        what = "real" if fake.all() else "fake"
        hint = f" ({', '.join(sorted(single))} has one base picture)" if single else ""
        raise TrainingError(
            f"There is no source class of {what} pictures to draw episodes from{hint}: each needs "
            "two base pictures or more, and an episode needs a real and a fake class."
        )
    places = {name: i for i, name in enumerate(names)}
    of = np.array([places.get(name, -1) for name in full], np.int64)
    return SourceClasses(names, fake, of, tuple(sorted(single)))


@dataclass(frozen=True)
class Drawn:
    """One episode: positions of the samples of support and query, class by class."""

    classes: tuple[int, ...]
    support: NDArray[np.int64]
    query: NDArray[np.int64]


class EpisodeSampler:
    """Draws N-way K-shot episodes through learn2learn's task data set.

    Within an episode no base picture stands in both support and query, of whatever class: base
    pictures are halved first, differently in each episode.

    Args:
        classes: of the samples.
        groups: (N,) base picture of each sample.
        config: ways, shots and query.
    """

    def __init__(self, classes: SourceClasses, groups: NDArray[Any], config: MetaConfig) -> None:
        self.classes, self.groups, self.config = classes, groups.astype(np.str_), config
        self.ways = min(config.ways, len(classes.names))

    def draw(self, seed: int, epoch: int, task: int) -> Drawn:
        """The episode of a place in training; depends on these alone."""
        with _seeded(hash_of(seed, epoch, task)):
            for _ in range(_TRIES):
                rows = [entry.index for entry in self._tasks.sample_task_description()]
                chosen = sorted({int(self._row_class[row]) for row in rows})
                fake = self.classes.fake[chosen]
                if fake.any() and not fake.all():
                    break
            else:
                raise TrainingError("No episode with a real and a fake class was found.")
        generator = np.random.default_rng([seed, epoch, task])
        sides = self._sides(chosen, generator)
        parts = [self._class(number, sides, generator) for number in chosen]
        return Drawn(
            tuple(chosen),
            np.concatenate([support for support, _ in parts]),
            np.concatenate([query for _, query in parts]),
        )

    def _sides(self, chosen: list[int], generator: np.random.Generator) -> dict[str, bool]:
        """Whether each base picture of these classes is of the support; some of both in each.

        Raises:
            TrainingError: classes share their base pictures in a way that cannot be halved.
        """
        share = self.config.shots / (self.config.shots + self.config.query)
        for _ in range(_SPLITS):
            sides: dict[str, bool] = {}
            for number in chosen:  # what a class before shares with this one stays where it is
                bases = sorted(set(self.groups[self._members[number]].tolist()))
                free = [base for base in bases if base not in sides]
                wanted = min(max(round(len(bases) * share), 1), len(bases) - 1)
                more = max(wanted - sum(sides.get(base, False) for base in bases), 0)
                for place, index in enumerate(generator.permutation(len(free))):
                    sides[free[index]] = place < more
            if all(len({sides[g] for g in self.groups[self._members[n]]}) == 2 for n in chosen):
                return sides
        names = ", ".join(self.classes.names[n] for n in chosen)
        raise TrainingError(
            f"The classes {names} share their base pictures so that support and query cannot be "
            "kept apart: give more pictures of them."
        )

    def _class(
        self, number: int, sides: dict[str, bool], generator: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        mine = self._members[number]
        support = np.array([sides[base] for base in self.groups[mine].tolist()])
        drawn = [
            generator.choice(side, count, replace=len(side) < count).astype(np.int64)
            for side, count in (
                (mine[support], self.config.shots),
                (mine[~support], self.config.query),
            )
        ]
        return drawn[0], drawn[1]

    @cached_property
    def _members(self) -> list[NDArray[np.int64]]:
        return [np.flatnonzero(self.classes.of == i) for i in range(len(self.classes.names))]

    @cached_property
    def _row_class(self) -> NDArray[np.int64]:
        return self.classes.of[self.classes.of >= 0]

    @cached_property
    def _tasks(self) -> Any:
        """learn2learn's stream of N-way tasks over the samples that are in a class."""
        l2l = learn2learn()
        numbers = torch.from_numpy(self._row_class)
        data = l2l.data.MetaDataset(TensorDataset(torch.arange(len(numbers)), numbers))
        ways = l2l.data.transforms.NWays(data, n=self.ways)
        shots = l2l.data.transforms.KShots(data, k=1)  # the class is what is asked for
        return l2l.data.TaskDataset(data, [ways, shots])


def learn2learn() -> Any:
    """The library; nothing else imports it.

    Raises:
        UsageError: it is not installed.
    """
    import contextlib
    import io

    try:
        with contextlib.redirect_stderr(io.StringIO()):  # gym's notice of its own age
            import learn2learn as found
    except ImportError as error:
        raise UsageError(
            f"Meta-training a network needs learn2learn ({error}); install the extra "
            "deepward[meta]."
        ) from None
    return found


def hash_of(*numbers: int) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """learn2learn draws from the global generator of `random`; it is left as it was found."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
