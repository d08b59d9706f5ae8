"""Engines: from a picture, a mask and an edit spec to a fake.

`ENGINES[name](folder)` makes an engine that needs no weights to download. What it has to learn from
a run's base pictures is learned once, by `prepare_engines`, into that folder. Each bears the name
of the one operation that it carries out.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from deepward.synthesis.engines.attempts import PixelEngine
from deepward.synthesis.engines.resynthesize import resynthesize_engine, train_resynthesizer
from deepward.synthesis.engines.retouch import retouch
from deepward.synthesis.engines.self_blend import self_blend
from deepward.synthesis.engines.splice import splice
from deepward.synthesis.engines.swap import swap
from deepward.synthesis.interfaces import Engine, Pixels

__all__ = ["ENGINES", "prepare_engines"]

ENGINES: Mapping[str, Callable[[Path | None], Engine]] = {
    "self_blend": lambda _: PixelEngine("self_blend", self_blend, batch_size=16),
    "swap": lambda _: PixelEngine("swap", swap, needs_donor=True),
    "resynthesize": resynthesize_engine,
    "splice": lambda _: PixelEngine("splice", splice),
    "retouch": lambda _: PixelEngine("retouch", retouch, is_composite=False, batch_size=16),
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
