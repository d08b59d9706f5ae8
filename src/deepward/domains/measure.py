"""What worker processes do with one file: measure it for a scan, or decode it into a cache.

Imports little, so that a worker starts quickly.
"""

import base64
import os
import zlib
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np

from deepward.domains.writing import write_at
from deepward.errors import UnreadableImage
from deepward.files import sha256_bytes
from deepward.pictures.containers import EXTENSIONS
from deepward.pictures.copies import is_re_encoding
from deepward.pictures.crops import judged_part
from deepward.pictures.decode import decode_image, read_bytes
from deepward.pictures.hashes import perceptual_hash
from deepward.pictures.keypoints import Sight, describe_keypoints, see, show_same_place

__all__ = [
    "MEASURED",
    "MINIMUM_SIDE",
    "are_one_picture",
    "compare_files",
    "decode_into",
    "measure_file",
    "measure_with_landmarks",
]

MINIMUM_SIDE = 32  # pixels; below, a picture has room for few 8 x 8 blocks and no traces
# Fields of a measurement, all None where they don't apply.
MEASURED: tuple[str, ...] = (
    "content_hash",
    "perceptual_hash",
    "width",
    "height",
    "mode",
    "container",
    "quality",
    "subsampling",
    "quantization",
    "metadata_bytes",
    "bytes",
    "notes",
    "quarantine",
)


def measure_file(path: str) -> dict[str, Any]:
    """Opens, hashes and decodes one file; every failure becomes a `quarantine` reason."""
    return _measure(path, with_landmarks=False)


def measure_with_landmarks(path: str) -> dict[str, Any]:
    """`measure_file` with `landmarks` (base64), by which crops are found."""
    return _measure(path, with_landmarks=True)


def _measure(path: str, with_landmarks: bool) -> dict[str, Any]:
    cv2.setNumThreads(0)
    row: dict[str, Any] = dict.fromkeys((*MEASURED, "landmarks"))
    try:
        data = read_bytes(path)
        row["content_hash"] = sha256_bytes(data)
        row["bytes"] = len(data)
        decoded = decode_image(data, minimum_side=MINIMUM_SIDE)
        row["perceptual_hash"] = perceptual_hash(decoded.pixels)
        if with_landmarks:
            row["landmarks"] = base64.b64encode(describe_keypoints(decoded.pixels)).decode()
    except UnreadableImage as error:
        row["quarantine"] = error.reason
        return row
    notes = list(decoded.notes)
    if PurePosixPath(os.path.basename(path)).suffix.lower() not in EXTENSIONS[decoded.container]:
        notes = sorted([*notes, "wrong_extension"])
    row["height"], row["width"] = judged_part(decoded.pixels).shape[:2]
    row["notes"] = " ".join(notes) or None
    for field in ("mode", "container", "quality", "subsampling", "quantization", "metadata_bytes"):
        row[field] = getattr(decoded, field)
    return row


def compare_files(paths: list[str]) -> bool:
    """Says whether two files show the same place of one base image; False when one is gone."""
    cv2.setNumThreads(0)
    try:
        return show_same_place(*map(_see_file, paths))
    except (UnreadableImage, MemoryError):
        return False


def are_one_picture(paths: list[str]) -> bool:
    """Says whether two files hold one picture up to encoding; False when one is gone."""
    cv2.setNumThreads(0)
    try:
        return is_re_encoding(*(read_bytes(path) for path in paths))
    except (UnreadableImage, MemoryError):
        return False


@lru_cache(maxsize=32)  # pairs come sorted, and a picture has several
def _see_file(path: str) -> Sight:
    return see(decode_image(read_bytes(path)).pixels)


def decode_into(task: list[Any]) -> int:
    """Decodes a file to its place in a cache's data file.

    Args:
        task: the file, its content hash, height, width, the place in bytes, the data file.

    Returns:
        The CRC-32 of the pixels.

    Raises:
        UnreadableImage: it is not the file expected.
    """
    path, key, height, width, offset, data = task
    content = read_bytes(path)
    if sha256_bytes(content) != key:
        raise UnreadableImage("changed", "its content changed")
    pixels = np.ascontiguousarray(judged_part(decode_image(content).pixels))
    if pixels.shape != (height, width, 3):
        raise UnreadableImage("changed", "its size changed")
    write_at(data, pixels, offset)
    return zlib.crc32(pixels.data)
