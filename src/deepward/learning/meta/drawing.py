"""The picture of an adaptation curve."""

from collections.abc import Sequence
from pathlib import Path

from deepward.files import atomic_file
from deepward.learning.meta.ladder import Rung

__all__ = ["draw_ladder"]


def draw_ladder(rungs: Sequence[Rung], domain: str, path: Path) -> None:
    """AUC over K with 95 % intervals, clean and laundered, as a PNG."""
    from deepward.evaluation.adaptation import adaptation_figure

    with atomic_file(path) as partial:
        partial.write_bytes(adaptation_figure({"": [rung.as_dict() for rung in rungs]}, domain))
