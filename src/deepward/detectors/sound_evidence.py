"""Where in time and frequency the evidence of a sound lies."""

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from deepward.sounds.prepare import RATE
from deepward.sounds.spectrogram import draw_spectrogram

if TYPE_CHECKING:
    from deepward.detectors.detector import Detector
    from deepward.detectors.protocol import Member

__all__ = ["sound_odds"]

_SPAN = RATE // 2  # samples that are left out at once


def sound_odds(detector: "Detector", sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Log-odds of fake above the threshold by place, on the grid of the sound's spectrogram.

    The mean is the sound's own log-odds. Over time each half second counts by how much the odds
    fall without it; over frequency, exactly, what the statistics of each part of the band add.

    Returns:
        (H, W) as `draw_spectrogram` draws it.
    """
    count = max(1, round(len(sound) / _SPAN))
    edges = np.linspace(0, len(sound), count + 1).astype(int)
    left = [np.delete(sound, np.s_[a:b]) for a, b in pairwise(edges)]
    usable = [each if len(each) >= _SPAN else sound for each in left]
    odds = detector.predict([sound, *usable]).logit
    whole = float(odds[0] - logit(detector.decision.threshold))
    over_time = (odds[0] - odds[1:])[None]  # (1, T)
    over_band = _by_band(detector.members, detector.combination.weights, sound)[::-1]  # (F, 1)
    height, width = draw_spectrogram(sound).shape[:2]
    total = np.full((height, width), whole)
    for part in (over_time * count, over_band * len(over_band)):
        drawn = cv2.resize(
            np.asarray(part, np.float32), (width, height), interpolation=cv2.INTER_LINEAR
        )
        total += drawn - drawn.mean()
    return total


def _by_band(
    members: Mapping[str, "Member"], weights: Mapping[str, float], sound: NDArray[np.int16]
) -> NDArray[np.float64]:
    """What each part of the band adds, low to high, (F, 1)."""
    found = np.zeros((1, 1))
    for name, member in members.items():
        shares = member.places(sound)
        if shares is not None:
            added = shares.sum(1, keepdims=True).astype(np.float64) * weights[name]
            found = added if found.size == 1 else found + added
    return found
