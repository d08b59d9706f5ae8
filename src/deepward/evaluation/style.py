"""How every figure looks: colours that colour-blind readers can tell apart, and steady bytes."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "FAKE",
    "INK",
    "MUTED",
    "REAL",
    "SECOND",
    "Format",
    "drawing",
    "encode",
    "new_figure",
    "short",
]

# Mid-toned, so that they can be read on white paper and on a dark page alike.
REAL = "#3a86c8"
FAKE = "#e07b1a"
SECOND = "#8e6bbf"  # the same thing after laundering
MUTED = "#888d96"  # the control, chance, whatever is inconclusive
INK = "#1f2329"  # text and axes; the report replaces it with the page's own text colour

Format = Literal["png", "svg"]
PNG_DPI = 130

_LOCK = threading.Lock()  # matplotlib's settings are global: one figure at a time
_SETTINGS: Any = {  # matplotlib's stubs spell out every key
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "grid.alpha": 0.25,
    "grid.color": MUTED,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "deepward",
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a file name is a "$"
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Holds the settings of a figure from its first line to its last byte."""
    import matplotlib

    with _LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def new_figure(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure of one panel, in inches, that no global state knows of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def encode(figure: "Figure", kind: Format) -> bytes:
    """Bytes of a figure: the same figure gives the same bytes, without date or version inside."""
    buffer = io.BytesIO()
    if kind == "svg":
        metadata: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    else:
        figure.savefig(
            buffer, format="png", dpi=PNG_DPI, facecolor="white", metadata={"Software": None}
        )
    return buffer.getvalue()


def short(name: str, length: int = 24) -> str:
    """A name as it fits beside an axis."""
    return name if len(name) <= length else name[: length - 1] + "…"
