"""A sound as a picture: time to the right, frequency upwards."""

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.sounds.prepare import RATE

__all__ = ["COLUMNS_PER_SECOND", "HEIGHT", "draw_spectrogram"]

HEIGHT = 256  # pixels, for 0 to 8 kHz
COLUMNS_PER_SECOND = 62.5
_RANGE = 70.0  # dB that are shown below the loudest


def draw_spectrogram(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """(256, W, 3) uint8 RGB, the low frequencies at the bottom; W grows with the duration."""
    step, size = round(RATE / COLUMNS_PER_SECOND), 2 * HEIGHT
    padded = np.pad(samples.astype(np.float32), (0, max(0, size + step - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=1))[:, :HEIGHT] ** 2
    level = 10 * np.log10(power + 1.0)
    shown = np.clip((level - level.max() + _RANGE) * (255 / _RANGE), 0, 255).astype(np.uint8)
    upright = np.ascontiguousarray(shown.T[::-1])  # (256, W)
    coloured = cv2.applyColorMap(upright, cv2.COLORMAP_MAGMA)
    return np.asarray(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), np.uint8)
