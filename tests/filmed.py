"""Small clips for tests: a talking face, plain motion, and files that are not what they seem."""

import struct
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deepward.sounds.prepare import RATE

Pixels = NDArray[np.uint8]


@cache
def portrait() -> Pixels:
    """(240, 240, 3) RGB: a photograph with a face that cascades find."""
    from skimage.data import astronaut

    return np.asarray(cv2.resize(astronaut()[0:270, 90:360], (240, 240)), np.uint8)


def loudness(seed: int, seconds: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """How loud somebody is at each time, in [0, 1]: syllables by chance, about four a second."""
    random = np.random.default_rng(seed)
    knots = np.arange(-1, seconds + 1, 0.12)
    heights = random.uniform(0, 1, len(knots)) ** 1.5
    return lambda times: np.interp(times, knots, heights)


def speech(
    loud: Callable[[NDArray[np.float64]], NDArray[np.float64]], seconds: float, late: float = 0.0
) -> NDArray[np.int16]:
    """A buzz that is as loud as `loud` says, `late` seconds later: (N,) at 16 kHz."""
    times = np.arange(int(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 150 * n * times) / n for n in range(2, 18))
    return np.asarray(buzz * loud(times - late) * 4000, np.int16)


def talking(
    loud: Callable[[NDArray[np.float64]], NDArray[np.float64]], seconds: float, rate: float = 25.0
) -> Iterable[Pixels]:
    """Frames of a face whose mouth is open as far as the voice is loud."""
    from deepward.pictures.faces import look_for_faces

    face = portrait()
    seen = look_for_faces(np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8))[0]
    side = seen.right - seen.left
    middle = (int(seen.left + 0.5 * side), int(seen.top + 0.8 * side))
    for time in np.arange(int(seconds * rate)) / rate:
        frame = face.copy()
        size = (int(0.13 * side), 1 + int(0.13 * side * float(loud(np.array(time)))))
        cv2.ellipse(frame, middle, size, 0, 0, 360, (40, 10, 10), -1)
        yield frame


def moving(count: int, size: tuple[int, int] = (96, 80), seed: int = 0) -> Iterable[Pixels]:
    """Frames (height, width) of soft blobs that drift; no face."""
    random = np.random.default_rng(seed)
    field = random.uniform(0, 255, (8, 8, 3)).astype(np.float32)
    for number in range(count):
        turned = np.roll(field, number // 5, axis=1)
        yield np.clip(cv2.resize(turned, size[::-1]), 0, 255).astype(np.uint8)


def film(path: Path, frames: Iterable[Pixels], rate: float = 25.0, codec: str = "") -> Path:
    """Writes RGB frames as what the ending says: .mp4 and .mov MPEG-4, .avi Motion JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = codec or ("MJPG" if path.suffix == ".avi" else "mp4v")
    writer = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, size)
            assert writer.isOpened()
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    return path


def turned(path: Path, matrix: tuple[float, float, float, float]) -> Path:
    """Writes a rotation (a, b, c, d) into an MP4's track header."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 4 + 20 + 16  # version 0: times and numbers, then layers
    values = [int(v * 65536) for v in matrix]
    data[place : place + 36] = struct.pack(
        ">9i", values[0], values[1], 0, values[2], values[3], 0, 0, 0, 1 << 30
    )
    path.write_bytes(data)
    return path


def uneven(path: Path, runs: list[tuple[int, int]]) -> Path:
    """Gives an MP4's frames other lengths: runs of (count, length in units of its time scale).

    In all they last as long as before, for the edit list says that too.
    """
    data = path.read_bytes()
    at = data.index(b"stts") - 4
    (length,) = struct.unpack(">I", data[at : at + 4])
    table = struct.pack(">II", 0, len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)
    box = struct.pack(">I4s", 8 + len(table), b"stts") + table
    grown = len(box) - length
    made = bytearray(data[:at] + box + data[at + length :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        place = made.index(name) - 4
        (old,) = struct.unpack(">I", made[place : place + 4])
        made[place : place + 4] = struct.pack(">I", old + grown)
    path.write_bytes(made)
    return path
