"""What a run works with: locator, segmenter and engines, loaded as its configuration names them.

Pretrained weights lie in folders; they are named by their content and loaded without unpickling.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from deepward.errors import SynthesisError
from deepward.files import canonical_json, sha256_bytes, sha256_file
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.interfaces import Engine, Locator, Segmenter

__all__ = ["Parts", "device_of", "load_parts", "loading", "weights_hash"]


@dataclass(frozen=True)
class Parts:
    """The three exchangeable parts of one run; engines by name."""

    locator: Locator
    segmenter: Segmenter
    engines: Mapping[str, Engine]


def load_parts(config: SynthesisConfig, names: Sequence[str], folder: Path) -> Parts:
    """Loads what the configuration names, models included.

    Args:
        config: of the run.
        names: of the engines that are needed.
        folder: of what engines learned from the run's bases (`prepare_engines`).

    Raises:
        SynthesisError: weights cannot be loaded.
    """
    from deepward.synthesis.engines import ENGINES

    locator: Locator
    segmenter: Segmenter
    if config.grounding_dino is not None:
        from deepward.synthesis.locate.grounding import GroundingDinoLocator

        locator = GroundingDinoLocator.load(config)
    else:
        from deepward.synthesis.locate.faces import CascadeLocator

        locator = CascadeLocator()
    if config.sam is not None:
        from deepward.synthesis.locate.sam import load_sam

        segmenter = load_sam(config)
    else:
        from deepward.synthesis.locate.grabcut import GrabCutSegmenter

        segmenter = GrabCutSegmenter()
    engines: dict[str, Engine] = {}
    for name in names:
        if name == "inpaint":
            from deepward.synthesis.engines.inpaint import InpaintEngine

            engines[name] = InpaintEngine.load(config)
        else:
            engines[name] = ENGINES[name](folder)
    return Parts(locator, segmenter, engines)


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
