"""CRC-32C (Castagnoli) of many byte strings at once, on NumPy.

A checksum is linear over GF(2): the bytes are cut into lanes that all advance together, two bytes a
step, and the lanes of one string are joined by the operator that runs zeros through the register.
Source: RFC 3720, appendix B.4; the joining is that of zlib's `crc32_combine`.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["crc32c", "crc32c_short", "masked_crc32c"]

Words = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78  # reflected
_LANE = 512  # bytes that one lane holds; even
_ONES = np.uint32(0xFFFFFFFF)
_MOST_LANES = 2**15  # that advance together: their registers stay in the cache
_MASK_DELTA = 0xA282EAD8  # of TFRecord: a file that holds checksums has others of its own


def crc32c(buffer: bytes | memoryview, spans: Sequence[tuple[int, int]]) -> Words:
    """Checksums of parts of a buffer.

    Args:
        buffer: holds them all.
        spans: (first byte, number of bytes) of each.

    Returns:
        (len(spans),) uint32.
    """
    data = np.frombuffer(buffer, np.uint8)
    lengths = np.array([length for _, length in spans], np.int64)
    counts = -(-lengths // _LANE)
    found = np.zeros(len(spans), np.uint32)
    order = np.argsort(counts, kind="stable")  # alike beside each other: little is padded
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * counts[order[stop]] <= _MOST_LANES:
            stop += 1
        some = order[start:stop]
        found[some] = _from_zero(data, [spans[i] for i in some], int(counts[some].max(initial=0)))
        start = stop
    return found ^ _run_zeros(np.full(len(spans), _ONES, np.uint32), lengths) ^ _ONES


def crc32c_short(data: bytes) -> int:
    """The checksum of a few bytes, for which arrays would not pay."""
    table, register = _one_byte_list(), 0xFFFFFFFF
    for byte in data:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register ^ 0xFFFFFFFF


def masked_crc32c(checksums: Words) -> Words:
    """The form in which a TFRecord stores checksums: turned by 15 bits, and a constant added."""
    turned = (checksums >> np.uint32(15)) | (checksums << np.uint32(17))
    return turned + np.uint32(_MASK_DELTA)


def _from_zero(data: NDArray[np.uint8], spans: Sequence[tuple[int, int]], lanes: int) -> Words:
    """Registers after each string, begun at zero: bytes of zero before it change nothing."""
    if lanes == 0:
        return np.zeros(len(spans), np.uint32)
    padded = np.zeros((len(spans), lanes * _LANE), np.uint8)
    for row, (first, length) in zip(padded, spans, strict=True):
        row[len(row) - length :] = data[first : first + length]
    # (bytes of a lane / 2, lanes): what every step needs lies together.
    columns = np.ascontiguousarray(padded.view("<u2").reshape(-1, _LANE // 2).T).astype(np.uint32)
    table = _two_bytes()
    register = np.zeros(columns.shape[1], np.uint32)
    index = np.empty_like(register)
    for column in columns:
        np.bitwise_xor(register, column, out=index)
        index &= np.uint32(0xFFFF)
        register >>= np.uint32(16)
        register ^= table.take(index)
    by_string = register.reshape(len(spans), lanes)
    joined = by_string[:, 0].copy()
    skip = _operator(_LANE.bit_length() - 1)
    for lane in range(1, lanes):
        joined = _apply(skip, joined) ^ by_string[:, lane]
    return joined


def _run_zeros(register: Words, lengths: NDArray[np.int64]) -> Words:
    """Registers after so many bytes of zero."""
    for power in range(int(lengths.max(initial=0)).bit_length()):
        some = (lengths >> power) & 1 == 1
        register[some] = _apply(_operator(power), register[some])
    return register


def _apply(operator: Words, register: Words) -> Words:
    """A linear map of registers, given by its values for each of their four bytes: (4, 256)."""
    found: Words = operator[0][register & np.uint32(0xFF)]
    for place in range(1, 4):
        found = found ^ operator[place][(register >> np.uint32(8 * place)) & np.uint32(0xFF)]
    return found


@cache
def _one_byte() -> Words:
    table: Words = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return table


@cache
def _one_byte_list() -> list[int]:
    return [int(entry) for entry in _one_byte()]


@cache
def _two_bytes() -> Words:
    """The register 16 bits on, for each of its lower halves."""
    table, register = _one_byte(), np.arange(2**16, dtype=np.uint32)
    for _ in range(2):
        register = (register >> np.uint32(8)) ^ table[register & np.uint32(0xFF)]
    return register


@cache
def _operator(power: int) -> Words:
    """What 2**power bytes of zero do to a register."""
    bytes_ = np.arange(256, dtype=np.uint32)
    whole = np.stack([bytes_ << np.uint32(8 * place) for place in range(4)])
    if power == 0:
        start: Words = (whole >> np.uint32(8)) ^ _one_byte()[whole & np.uint32(0xFF)]
        return start
    half = _operator(power - 1)
    return _apply(half, _apply(half, whole))
