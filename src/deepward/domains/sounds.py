"""What worker processes do with one sound: measure it for a scan, or decode it into a cache."""

import os
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from deepward.domains.writing import write_at
from deepward.errors import UnreadableSound
from deepward.files import sha256_file
from deepward.sounds.containers import EXTENSIONS
from deepward.sounds.copies import is_one_recording, sound_hash
from deepward.sounds.decode import decode_sound

__all__ = ["SOUND_MEASURED", "are_one_recording", "decode_sound_into", "measure_sound"]

# Fields of a sound's measurement beside those of any file.
SOUND_MEASURED: tuple[str, ...] = ("seconds", "rate", "channels", "codec", "samples")


def measure_sound(path: str) -> dict[str, Any]:
    """Hashes and decodes one file; every failure becomes a `quarantine` reason."""
    common = ("content_hash", "perceptual_hash", "container", "bytes", "notes", "quarantine")
    row: dict[str, Any] = dict.fromkeys((*common, *SOUND_MEASURED))
    try:
        decoded = decode_sound(path)
        row["content_hash"] = sha256_file(Path(path))
        row["bytes"] = os.stat(path).st_size
    except UnreadableSound as error:
        row["quarantine"] = error.reason
        return row
    except OSError:
        row["quarantine"] = "unreadable"
        return row
    notes = list(decoded.notes)
    if PurePosixPath(os.path.basename(path)).suffix.lower() not in EXTENSIONS[decoded.container]:
        notes = sorted([*notes, "wrong_extension"])
    row["perceptual_hash"] = sound_hash(decoded.samples)
    row["notes"] = " ".join(notes) or None
    row["samples"] = len(decoded.samples)
    for field in ("seconds", "rate", "channels", "codec", "container"):
        row[field] = getattr(decoded, field)
    return row


def are_one_recording(paths: list[str]) -> bool:
    """Says whether two files hold one recording up to encoding; False when one is gone."""
    try:
        return is_one_recording(*(decode_sound(path).samples for path in paths))
    except (UnreadableSound, MemoryError):
        return False


def decode_sound_into(task: list[Any]) -> int:
    """Decodes a file to its place in a cache's data file.

    Args:
        task: the file, its content hash, 1, the number of samples, the place in bytes, the data
            file.

    Returns:
        The CRC-32 of the samples.

    Raises:
        UnreadableSound: it is not the file expected.
    """
    path, key, _, count, offset, data = task
    if sha256_file(Path(path)) != key:
        raise UnreadableSound("changed", "its content changed")
    samples = np.ascontiguousarray(decode_sound(path).samples)
    if len(samples) != count:
        raise UnreadableSound("changed", "its length changed")
    write_at(data, samples, offset)
    return zlib.crc32(samples.data)
