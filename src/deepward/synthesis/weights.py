"""Pretrained weights from a folder: found, named by their content, loaded without unpickling."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from deepward.errors import SynthesisError
from deepward.files import canonical_json, sha256_bytes, sha256_file
from deepward.synthesis.config import SynthesisConfig

__all__ = ["device_of", "dtype_of", "loading", "weights_hash"]


def device_of(config: SynthesisConfig) -> str:
    """The device that models run on; `auto` is the first GPU where there is one.

    Raises:
        SynthesisError: a GPU is asked for and there is none.
    """
    import torch

    if config.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise SynthesisError(f"device is {config.device}, but torch finds no GPU here.")
    return config.device


def dtype_of(config: SynthesisConfig) -> Any:
    """The torch dtype of the inpainting model: bfloat16 on a GPU, unless one is set."""
    import torch

    if config.dtype == "auto":
        return torch.float32 if device_of(config) == "cpu" else torch.bfloat16
    return getattr(torch, config.dtype)


def weights_hash(place: str) -> str:
    """One hash for a file of weights, or for all files of a folder of them."""
    path = Path(place)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    stats = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _hash(os.path.realpath(place), stats)


@lru_cache(maxsize=8)
def _hash(root: str, stats: tuple[tuple[str, int, int], ...]) -> str:
    files = [(os.path.relpath(os.path.realpath(path), root), path) for path, _, _ in stats]
    return sha256_bytes(canonical_json([(n, sha256_file(Path(p))) for n, p in files]).encode())


@contextmanager
def loading(setting: str, place: str) -> Iterator[None]:
    """Turns whatever a library raises while it loads weights into a sentence.

    Raises:
        SynthesisError: names the setting, the place and what went wrong.
    """
    try:
        with _no_bars():
            yield
    except SynthesisError:
        raise
    except Exception as error:  # each library has errors of its own
        told = (str(error).strip() or type(error).__name__).partition("\n")[0]
        raise SynthesisError(f"{setting} at {place} cannot be loaded: {told}") from error


@contextmanager
def _no_bars() -> Iterator[None]:
    """Keeps the libraries' own progress bars off the screen while they load."""
    import transformers.utils

    logging: Any = transformers.utils.logging
    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
