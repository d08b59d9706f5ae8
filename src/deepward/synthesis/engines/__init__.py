"""Engines: from a picture, a mask and an edit spec to a fake.

`ENGINES[name]()` makes an engine. What an engine has to learn from a run's base pictures is learned
once, by `prepare_engines`, into a folder; `ENGINES[name](folder)` then takes it from there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from deepward.synthesis.engines.resynthesize import ResynthesizeEngine, train_resynthesizer
from deepward.synthesis.engines.retouch import RetouchEngine
from deepward.synthesis.engines.self_blend import SelfBlendEngine
from deepward.synthesis.engines.splice import SpliceEngine
from deepward.synthesis.engines.swap import SwapEngine
from deepward.synthesis.parts import Engine, Pixels

__all__ = [
    "ENGINES",
    "ResynthesizeEngine",
    "RetouchEngine",
    "SelfBlendEngine",
    "SpliceEngine",
    "SwapEngine",
    "prepare_engines",
]

ENGINES: Mapping[str, Callable[..., Engine]] = {
    "self_blend": lambda folder=None: SelfBlendEngine(),
    "swap": lambda folder=None: SwapEngine(),
    "resynthesize": ResynthesizeEngine,
    "splice": lambda folder=None: SpliceEngine(),
    "retouch": lambda folder=None: RetouchEngine(),
}


def prepare_engines(
    names: Iterable[str], bases: Sequence[Pixels], folder: Path, *, seed: int = 0
) -> None:
    """Learns from base pictures what the engines need, once for a run, and keeps it in a folder.

    Args:
        names: of the engines that will be used.
        bases: real pictures; some dozen are enough, no more than 64 are looked at.
        folder: for the weights; what lies there already is kept.
        seed: of the training.

    Raises:
        SynthesisError: no base is large enough to learn from.
    """
    if "resynthesize" in names:
        train_resynthesizer(bases, folder, seed=seed)
