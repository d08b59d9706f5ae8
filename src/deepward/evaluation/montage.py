"""Pictures made small enough for a page: samples, best and worst, and where evidence lies."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Pillow

from deepward.errors import EvaluationError
from deepward.evaluation.style import FAKE, REAL
from deepward.media import as_picture
from deepward.pictures.sheets import Strip, draw_sheet

__all__ = ["evidence_overlay", "relative_evidence", "sample_montage", "thumbnail"]

Image = NDArray[np.uint8]

MOST_BYTES = 100_000  # what Dagster's pages take as one picture
TILE = 96
_EVEN = 1e-6  # log-odds between places that are no difference


def thumbnail(image: Image, side: int = 128, quality: int = 82) -> bytes:
    """JPEG of at most `side` px, encoded anew: nothing of the original file is in it."""
    picture = Pillow.fromarray(image, "RGB")
    picture.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    return _jpeg(picture, quality)


def sample_montage(
    images: Sequence[Image],
    labels: ArrayLike,
    *,
    columns: int = 8,
    rows_per_class: int = 2,
    most_bytes: int = MOST_BYTES,
) -> bytes:
    """JPEG of a domain's first, last and evenly spaced pictures: reals framed blue, fakes orange.

    Args:
        images: HWC uint8 RGB of any size, or sounds; only the ones shown are read.
        labels: 0 real, 1 fake, one per picture.
        columns: pictures in a row.
        rows_per_class: rows of each class.
        most_bytes: quality is lowered until the picture is no larger.

    Raises:
        EvaluationError: when there is no picture.
    """
    truth = np.asarray(labels)
    if len(truth) == 0 or len(truth) != len(images):
        raise EvaluationError(f"A montage of {len(images)} pictures with {len(truth)} labels.")
    strips = []
    for label, name, color in ((0, "real", REAL), (1, "fake", FAKE)):
        members = np.flatnonzero(truth == label)
        if len(members):
            room = min(len(members), columns * rows_per_class)
            chosen = members[np.linspace(0, len(members) - 1, room).round().astype(np.int64)]
            shown = [as_picture(images[int(index)]) for index in chosen]
            strips.append(Strip(f"{name} ({len(members)} in all)", shown, color))
    sheet = draw_sheet(strips, across=columns, tile=TILE)
    for quality in (85, 75, 60, 45, 30):
        encoded = _jpeg(sheet, quality)
        if len(encoded) <= most_bytes:
            return encoded
    return encoded


def evidence_overlay(image: Image, evidence: ArrayLike, strength: float = 0.65) -> Image:
    """Paints evidence over a grey copy of the picture, from nothing to deep orange.

    Args:
        image: HWC uint8 RGB.
        evidence: (H, W) in [0, 1], as `Detector.evidence` gives it.
        strength: how far full evidence covers the picture.
    """
    heat = np.clip(np.asarray(evidence, dtype=np.float64), 0, 1)
    if heat.shape != image.shape[:2]:
        raise EvaluationError(
            f"Evidence of shape {heat.shape} does not fit a picture of {image.shape[:2]}."
        )
    gray = (image @ np.array([0.299, 0.587, 0.114]))[..., None]  # (H, W, 1)
    color = np.array([int(FAKE[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64)
    cover = strength * heat[..., None]
    return np.asarray((1 - cover) * gray + cover * color, dtype=np.uint8)


def relative_evidence(odds: ArrayLike) -> NDArray[np.float32]:
    """Where most of a picture's evidence for fake lies: shares in [0, 1], to be painted.

    On a fake that a detector is sure of every place speaks for fake, and a map of probabilities is
    one colour. Here 0 is the picture's own median and 1 its hundredth highest place; places that
    speak for real stay 0. Evidence that is spread evenly paints nothing.

    Args:
        odds: log-odds for fake by place, (H, W), as `Detector.evidence_odds` gives them.
    """
    values = np.asarray(odds, np.float64)
    middle, high = np.quantile(values, [0.5, 0.99])
    if high - middle <= _EVEN:
        return np.zeros(values.shape, np.float32)
    heat = np.clip((values - middle) / (high - middle), 0, 1)
    return np.where(values > 0, heat, 0).astype(np.float32)


def _jpeg(picture: Pillow.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
