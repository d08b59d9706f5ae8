"""Writers of data sets from elsewhere: enough of each format for what it is read back as."""

import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_POLYNOMIAL = 0x82F63B78


def picture(seed: int, kind: str = "PNG", side: int = 64) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, kind)
    return held.getvalue()


def crc32c(data: bytes) -> int:
    """Bit by bit, as the polynomial says."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
    return register ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    checksum = crc32c(data)
    turned = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (turned + 0xA282EAD8) & 0xFFFFFFFF)


def sized(png: bytes, side: int) -> bytes:
    """A PNG that says it is so many pixels wide and high."""
    kind_and_size = png[12:16] + struct.pack(">II", side, side) + png[24:29]
    checksum = struct.pack(">I", zlib.crc32(kind_and_size))
    return png[:12] + kind_and_size + checksum + png[33:]


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def message(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def example(features: Mapping[str, bytes | int | float | str]) -> bytes:
    entries = b""
    for name, value in features.items():
        if isinstance(value, str | bytes):
            raw = value.encode() if isinstance(value, str) else value
            feature = message(1, message(1, raw))
        elif isinstance(value, int):
            feature = message(3, message(1, varint(value)))  # packed
        else:
            feature = message(2, message(1, struct.pack("<f", value)))
        entries += message(1, message(1, name.encode()) + message(2, feature))
    return message(1, entries)


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def write_tfrecord(path: Path, examples: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Writes it, and returns the framed records."""
    records = [framed(example(each)) for each in examples]
    path.write_bytes(b"".join(records))
    return records


def write_tar(path: Path, members: Sequence[tuple[str, bytes]], mode: str = "w") -> None:
    with tarfile.open(path, mode) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def huggingface_schema(names: Sequence[str]) -> Any:
    """As `datasets` writes it for an image and a class."""
    import pyarrow as pa

    features = {
        "image": {"_type": "Image"},
        "label": {"names": list(names), "_type": "ClassLabel"},
    }
    notes = {"huggingface": json.dumps({"info": {"features": features}})}
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.schema(
        [("image", image), ("label", pa.int64()), ("how", pa.string())], metadata=notes
    )
