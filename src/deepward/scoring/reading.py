"""One file's pixels, or why it has none to judge."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableImage
from deepward.intake.reasons import in_words
from deepward.pictures.crops import judged_part
from deepward.pictures.decode import decode_image

__all__ = ["Reading", "read_picture"]

# Of these the message says more than the explanation of the code: the numbers.
_WITH_NUMBERS = frozenset({"too_small", "too_large", "decompression_bomb"})


@dataclass(frozen=True)
class Reading:
    """What became of one file: `pixels` (H, W, 3) uint8 RGB, or the `reason` why there are none."""

    pixels: NDArray[np.uint8] | None
    reason: str = ""

    @property
    def bytes(self) -> int:
        """Memory that the pixels hold."""
        return 0 if self.pixels is None else self.pixels.nbytes


def read_picture(path: Path, minimum_size: int = 1) -> Reading:
    """Reads a picture as the detector sees it; whatever cannot be judged comes with its reason.

    Args:
        path: any file; pipes, devices and folders are refused and never waited for.
        minimum_size: the least height and width in pixels that can be judged.
    """
    try:
        return Reading(judged_part(decode_image(path, minimum_side=minimum_size).pixels))
    except UnreadableImage as error:
        return Reading(None, _in_words(path, error))


def _in_words(path: Path, error: UnreadableImage) -> str:
    code = error.reason
    if code == "vanished" and os.path.islink(path):
        code = "dangling_link"
    elif code in ("special_file", "unreadable") and os.path.isdir(path):
        return "unreadable: a folder whose files cannot be listed"
    said = str(error).removeprefix(f"{path} ").removesuffix(".")
    if code in ("not_an_image", "unsupported_format"):
        return f"not a picture: {said.removeprefix('is ')}"
    return f"{code.replace('_', ' ')}: {said}" if code in _WITH_NUMBERS else in_words(code)
