"""The three exchangeable parts of synthesis, and what they hand to each other.

A locator finds where a phrase is in a picture, a segmenter turns the box into a mask, an engine
makes the fake inside the mask. The pipeline knows these interfaces and nothing behind them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deepward.techniques.specs import EditSpec

__all__ = ["Box", "Engine", "Job", "Locator", "Mask", "Pixels", "Rejected", "Segmenter"]

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.bool_]  # (H, W) True where the picture may change


@dataclass(frozen=True)
class Box:
    """Where a phrase was found.

    Attributes:
        left, top, right, bottom: in pixels; right and bottom are exclusive. May reach over the
            picture's sides.
        score: of the find, higher is better; only comparable within one locator.
        phrase: what was looked for.
    """

    left: float
    top: float
    right: float
    bottom: float
    score: float
    phrase: str


class Rejected(Exception):
    """One sample that cannot be made; the run goes on without it.

    Attributes:
        reason: short stable code for tables and counts: `no_region`, `mask_empty`, `mask_full`,
            `unchanged`, `no_donor`, `too_small` …
        message: a sentence for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)  # both, so that it can be sent between processes
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        return self.message


class Locator(Protocol):
    """Finds phrases in pictures."""

    name: str

    def locate(self, images: Sequence[Pixels], phrases: Sequence[str]) -> list[list[Box]]:
        """For each picture the boxes of its phrase, best first; an empty list for nothing found."""
        ...


class Segmenter(Protocol):
    """Turns boxes into masks."""

    name: str

    def segment(self, images: Sequence[Pixels], boxes: Sequence[Box]) -> list[Mask]:
        """For each picture the mask (H, W) of what its box holds."""
        ...


@dataclass(frozen=True)
class Job:
    """One fake to make.

    Attributes:
        base: the real picture.
        mask: where it may change.
        region: what the mask covers, in the edit spec's words.
        spec: the planned manipulation.
        seed: of every random choice; drawn from the run's seed, the spec and the base.
        box: what the mask was made from.
        donor: another real picture, for engines that need one.
        donor_box: the face in it, or the same region as in the base.
        scene: what the base shows, in words; "" where nobody looked.
    """

    base: Pixels
    mask: Mask
    region: str
    spec: EditSpec
    seed: int
    box: Box
    donor: Pixels | None = None
    donor_box: Box | None = None
    scene: str = ""

    @property
    def prompt(self) -> str:
        """What the picture shall show: the change, and what is there besides."""
        return ", ".join(filter(None, (self.spec.positive_prompt, self.scene)))


class Engine(Protocol):
    """Makes fakes.

    Attributes:
        name: of the one operation that it carries out; the folder of its fakes, and so what the
            domain calls their technique.
        is_composite: whether a fake mixes pixels of two pictures, or of a picture and a changed
            copy of it.
        needs_donor: jobs without a donor are rejected.
        follows_prompt: whether the positive prompt is what it makes; else it is not done.
        batch_size: how many jobs it likes at a time.
        model, model_sha256: the trained model that makes the new pixels; None where none does.
    """

    @property
    def name(self) -> str: ...
    @property
    def is_composite(self) -> bool: ...
    @property
    def needs_donor(self) -> bool: ...
    @property
    def follows_prompt(self) -> bool: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def model(self) -> str | None: ...
    @property
    def model_sha256(self) -> str | None: ...

    def make(self, jobs: Sequence[Job]) -> list[Pixels | Rejected]:
        """One full picture of its base's size per job, or why there is none.

        The way from the old pixels to the new ones, if soft, lies inside the mask; what is outside
        it is pasted back afterwards, whatever the engine made there.
        """
        ...
