"""Frames of an untrusted video by their own times, in passages that bound what is decoded."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableVideo
from deepward.pictures.decode import MEGAPIXELS, most_pixels
from deepward.videos.containers import DEMUXERS

__all__ = ["LOOKED", "PASSAGE", "Footage", "Passage", "open_footage", "plan_passages"]

LOOKED = 30.0  # seconds that are decoded at most; of a longer clip, in passages spread over it
PASSAGE = 5.0  # seconds
_PIXELS = 5e9  # decoded at most: some 20 s of computing
_RATES = (1.0, 240.0)  # frames per second that are believed
_LONGEST = 48 * 3600.0  # seconds that a header may claim

Passage = tuple[float, float]  # from and to, in seconds


def plan_passages(seconds: float, most: float = LOOKED) -> list[Passage]:
    """Which parts of a clip are decoded: all of a short one, else parts evenly over it.

    Args:
        seconds: that the clip lasts.
        most: seconds that may be decoded.
    """
    count = max(1, math.ceil(min(seconds, most) / PASSAGE - 1e-6))
    length = min(seconds, most) / count
    starts = np.linspace(0, seconds - length, count)
    return [(float(start), float(start + length)) for start in starts]


@dataclass
class Footage:
    """A video that is open, and what its header says.

    Attributes:
        width, height: of a frame, upright.
        rate: frames per second, as claimed, within what is believed.
        seconds: that it lasts, as claimed; measured where it claims nothing that can be.
        codec: four letters.
        decoded: frames so far.
        turned: frames are turned upright, as the file says.
        ended_early: a passage was not there, or the last ended before it should.
        last: time of the frame that was decoded last.
    """

    width: int
    height: int
    rate: float
    seconds: float
    codec: str
    turned: bool
    decoded: int = 0
    ended_early: bool = False
    last: float = 0.0
    _capture: Any = None

    @property
    def frames_at_most(self) -> int:
        """Frames that may be decoded in all."""
        return max(60, int(_PIXELS / (self.width * self.height)))

    @property
    def looked(self) -> float:
        """Seconds that may be decoded, of those that it lasts."""
        return min(self.seconds, LOOKED, self.frames_at_most / self.rate)

    def times(self, passages: Sequence[Passage]) -> Iterator[tuple[int, float]]:
        """Decodes through the passages; yields number of the passage and time of each frame.

        Times are the frames' own, so that an uneven rate stays uneven; they always grow within a
        passage. `picture` gives the pixels of the frame that was yielded last.
        """
        now, most = -1.0, 2 * self.frames_at_most
        for number, (start, end) in enumerate(passages):
            if start > now + 1.0 and number:
                self._capture.set(cv2.CAP_PROP_POS_MSEC, 1000 * start)
                now = -1.0
            final = number == len(passages) - 1
            claimed = end
            if final and self.looked >= self.seconds:
                end = start + LOOKED  # a header that claims too little is not believed
            found = False
            while self.decoded < most and self._capture.grab():
                self.decoded += 1
                told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                now = told if told > now else now + 1 / self.rate
                self.last = max(self.last, now)
                if now >= start - 0.5 / self.rate:
                    found = True
                    yield number, now
                if now + 1 / self.rate >= end - 1e-3:
                    break
            else:
                missing = claimed - now - 1 / self.rate
                self.ended_early |= final and missing > max(0.25, 0.1 * self.seconds)
            self.ended_early |= not found

    def picture(self) -> NDArray[np.uint8] | None:
        """(H, W, 3) uint8 RGB, upright; None where it cannot be decoded, or grew beyond limits."""
        good, frame = self._capture.retrieve()
        if not good or frame is None or frame.ndim != 3:
            return None
        if min(frame.shape[:2]) < 1 or frame.shape[0] * frame.shape[1] > most_pixels():
            return None
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        self._capture.release()


def open_footage(path: str, container: str, seconds: float | None = None) -> Footage:
    """Opens a video of a known container; see `containers.sniff_video`.

    Args:
        path: of the file.
        container: what it is; nothing else is tried.
        seconds: that it lasts, where that is known better than by rate and number of frames.

    Raises:
        UnreadableVideo: there is no decoder, or a frame is too large.
    """
    capture = _open(path, container)
    width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
    height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > most_pixels():
        limit = f"the limit is {most_pixels() / 1e6:g} megapixels ({MEGAPIXELS})"
        raise UnreadableVideo(
            "decompression_bomb", f"{path} has frames of {width:,} x {height:,} pixels; {limit}."
        )
    told = float(capture.get(cv2.CAP_PROP_FPS))
    told = told if math.isfinite(told) and told > 0 else 25.0
    rate = min(max(told, _RATES[0]), _RATES[1])
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    codec = "".join(chr(code >> shift & 255) for shift in (0, 8, 16, 24))
    turned = round(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360 in (90, 180, 270)
    footage = Footage(width, height, rate, 0.0, codec if codec.isprintable() else "", turned)
    footage._capture = capture
    frames = float(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    claimed = frames / told if seconds is None else seconds
    if 0 < claimed <= _LONGEST:
        footage.seconds = claimed
        return footage
    while footage.decoded < footage.frames_at_most and capture.grab():
        footage.decoded += 1
        at = float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        footage.seconds = max(at, footage.seconds) + 1 / rate
    capture.release()
    footage._capture = _open(path, container)
    return footage


def _open(path: str, container: str) -> Any:
    name = DEMUXERS[container]
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = f"protocol_whitelist;file|format_whitelist;{name}"
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise UnreadableVideo(
            "damaged", f"{path} begins like a video ({container}) but cannot be decoded."
        )
    return capture
