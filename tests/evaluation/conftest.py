"""Invented pictures and an invented detector: only what evaluation asks of either."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deepward.detectors.decision import Decision, Finding
from deepward.progress import Advance, Progress, no_progress

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class InventedSet:
    """As `deepward.domains.ImageSet`; a picture's first pixels hold what the detector reads."""

    pixels: Sequence[Image]
    labels: NDArray[np.int64]
    techniques: NDArray[Any]
    groups: NDArray[Any]
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: NDArray[np.int64]) -> "InventedSet":
        index = np.asarray(index)
        return replace(
            self,
            pixels=[self.pixels[int(i)] for i in index],
            labels=self.labels[index],
            techniques=self.techniques[index],
            groups=self.groups[index],
            paths=tuple(self.paths[int(i)] for i in index),
        )


@dataclass(frozen=True)
class InventedPredictions:
    probability: NDArray[np.float64]
    logit: NDArray[np.float64]
    unfamiliarity: NDArray[np.float64]
    control: NDArray[np.float64]

    def finding(self, index: int) -> Finding:
        return Finding(float(self.probability[index]), float(self.unfamiliarity[index]))


class InventedDetector:
    """Reads its score off the picture's brightness: red for the traces, green for the content."""

    content_hash = "f00d" * 16
    minimum_size = 16
    decision = Decision(threshold=0.6, false_positive_rate=0.05, low=0.5)

    def predict(
        self, images: Sequence[Image], batch_size: int = 64, progress: Progress = no_progress
    ) -> InventedPredictions:
        means = np.array([image.reshape(-1, 3).mean(axis=0) for image in images]).reshape(-1, 3)
        logit = (means[:, 0] - 128) / 16
        progress(Advance("scoring", len(images), len(images), "picture"))
        return InventedPredictions(
            probability=1 / (1 + np.exp(-logit)),
            logit=logit,
            unfamiliarity=np.where(means[:, 2] > 200, 2.0, 0.5),
            control=(means[:, 1] - 128) / 16,
        )

    def evidence_odds(self, image: Image) -> NDArray[np.float64]:
        height, width = image.shape[:2]
        y, x = np.mgrid[:height, :width]
        bump = np.exp(-(((y - height / 3) / 9) ** 2) - ((x - width / 2) / 9) ** 2)
        return 3 + 4 * bump


def invent_set(
    domain: str,
    *,
    reals: int,
    fakes: int,
    power: float = 1.5,
    content: float = 0.6,
    techniques: Sequence[str] = ("",),
    size: int = 48,
    seed: int = 0,
) -> InventedSet:
    """Pictures of which the invented detector tells fakes by `power` standard deviations."""
    generator = np.random.default_rng(seed)
    labels = np.r_[np.zeros(reals, dtype=np.int64), np.ones(fakes, dtype=np.int64)]
    names = np.array([""] * reals + [techniques[i % len(techniques)] for i in range(fakes)])
    pixels = []
    for label in labels:
        red = 128 + 24 * (generator.normal() + power * (label - 0.5))
        green = 128 + 24 * (generator.normal() + content * (label - 0.5))
        blue = 230 if generator.random() < 0.04 else 110
        noise = generator.normal(0, 18, (size, size, 1))
        y, x = np.mgrid[:size, :size]
        shade = 26 * np.sin(x / 7 + generator.random() * 6) * np.cos(y / 9 + generator.random() * 6)
        picture = np.array([red, green, blue]) + noise + shade[..., None]
        pixels.append(np.clip(picture, 0, 255).astype(np.uint8))
    classes = np.where(labels == 1, "1_fake", "0_real")
    return InventedSet(
        pixels=pixels,
        labels=labels,
        techniques=names,
        groups=np.array([f"{domain}-{i // 2}" for i in range(len(labels))]),
        paths=tuple(f"{domain}/test/{c}/{i:05d}.jpg" for i, c in enumerate(classes)),
    )


@pytest.fixture(scope="session")
def detector() -> InventedDetector:
    return InventedDetector()


@pytest.fixture(scope="session")
def invented() -> Callable[..., InventedSet]:
    return invent_set
