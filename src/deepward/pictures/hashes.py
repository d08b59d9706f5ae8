"""Near-duplicates: a 256-bit hash of how a picture looks, and all pairs that look alike.

The hash holds the signs of the low-frequency DCT coefficients of the picture at 32 x 32 pixels, as
in pHash (Zauner, 2010): the 8 x 8 lowest first, then the rest of the 16 x 16 lowest. It survives
re-encoding, resizing, and slight changes of tone; mirrored and quarter-turned copies are found by
their hashes too. It does not survive cropping: see `keypoints` for crops.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["COARSE_LIMIT", "FINE_LIMIT", "near_pairs", "perceptual_hash", "read_hashes"]

# Measured on photographs of faces and scenes: JPEG 30-90, 0.3-2 x and a gamma of 1.3 move at most
# 6 of the first 64 and 15 of all bits; two photographs of one person, the same day, differ in 39
# at least.
COARSE_LIMIT = 10  # of the first 64 bits: a quick test before the whole one
FINE_LIMIT = 28  # of all 256 bits
_CROWD = 100  # pictures that share a piece of 16 bits; by chance, one in 65,536 does

_LOW = np.add.outer(np.arange(16) // 8, np.arange(16) // 8) == 0
_ORDER = np.concatenate([np.flatnonzero(_LOW), np.flatnonzero(~_LOW)])


def perceptual_hash(pixels: NDArray[np.uint8]) -> str:
    """Returns 64 hex digits for a picture, (H, W, 3) uint8 RGB."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)  # (H, W)
    small = cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small.astype(np.float32))[:16, :16].ravel()[_ORDER]  # (256,)
    waves[0] = 0.0  # mean brightness says nothing
    return np.packbits(waves > 0.5).tobytes().hex()  # a flat picture has no signs at all


def read_hashes(texts: list[str]) -> NDArray[np.uint64]:
    """Turns N hashes from hex into an (N, 4) array."""
    return np.frombuffer(bytes.fromhex("".join(texts)), dtype=">u8").reshape(-1, 4).astype("u8")


def near_pairs(hashes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Returns the pairs (i, j), i < j, of rows of an (N, 4) array that look alike, as (P, 2).

    Two pictures look alike when their hashes are near once one is mirrored or turned by quarters.
    No pair is compared that does not agree, but for one bit, in one of 16 pieces of 16 bits: of 28
    bits or fewer, one piece at least holds no more than one (multi-index hashing, Norouzi et al.,
    2012). Pieces that very many share (smooth pictures have them) are no evidence and are left out.
    """
    count = len(hashes)
    turned = _symmetries(hashes).reshape(-1, 4)  # (8 N, 4)
    found = [np.empty((0, 2), dtype=np.int64)]
    for word in range(4):
        for shift in range(0, 64, 16):
            own = (hashes[:, word] >> np.uint64(shift)).astype(np.uint16)
            asked = (turned[:, word] >> np.uint64(shift)).astype(np.uint16)
            order = np.argsort(own, kind="stable")
            starts = np.searchsorted(own[order], np.arange(2**16 + 1))
            for mask in (0, *(1 << bit for bit in range(16))):
                keys = (asked ^ np.uint16(mask)).astype(np.int64)
                sizes = starts[keys + 1] - starts[keys]
                sizes[sizes > _CROWD] = 0
                who = np.repeat(np.arange(len(turned)), sizes)
                steps = np.arange(len(who)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
                other = order[np.repeat(starts[keys], sizes) + steps]
                later = other > who % max(count, 1)
                who, other = who[later], other[later]
                near = np.bitwise_count(turned[who, 0] ^ hashes[other, 0]) <= COARSE_LIMIT
                who, other = who[near], other[near]
                distance = np.bitwise_count(turned[who] ^ hashes[other]).sum(axis=1)
                close = distance <= FINE_LIMIT
                found.append(np.stack([who[close] % max(count, 1), other[close]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _symmetries(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes of the pictures mirrored and turned in all eight ways, (8, N, 4).

    A mirror changes the sign of the odd waves along it; a transposed picture has transposed waves.
    """
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 32), axis=1)
    waves = np.empty_like(bits)
    waves[:, _ORDER] = bits
    waves = waves.reshape(-1, 16, 16)
    odd = (np.arange(16) % 2).astype(np.uint8)
    found = []
    for grid in (waves, waves.transpose(0, 2, 1)):
        for rows in (0, odd[:, None]):
            for columns in (0, odd[None]):
                changed = (grid ^ rows ^ columns).reshape(-1, 256)[:, _ORDER]
                packed = np.packbits(changed, axis=1).reshape(-1).view(">u8")
                found.append(packed.reshape(-1, 4).astype(np.uint64))
    return np.stack(found)
