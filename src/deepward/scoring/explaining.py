"""A picture that shows where in another picture the evidence lies."""

import io
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.files import printable
from deepward.media import NOUNS, as_picture
from deepward.scoring.reading import read_pictures
from deepward.scoring.verdicts import Verdict, judge

if TYPE_CHECKING:
    from deepward.detectors import Detector

__all__ = ["explain_picture"]

_LARGEST_SIDE = 1024  # drawn pixels; the evidence itself is computed at native resolution


def explain_picture(detector: "Detector", path: Path) -> tuple[Verdict, bytes | None]:
    """Judges a picture and draws it beside its evidence map.

    Returns:
        the verdict, and a PNG; None in its place where the verdict is "not applicable".
    """
    with closing(read_pictures([path], detector.minimum_size, medium=detector.medium)) as readings:
        _, reading = next(readings)
    verdict = judge(detector, [(path, reading)])[0]
    if reading.pixels is None:
        return verdict, None
    evidence = detector.evidence(reading.pixels)
    return verdict, _draw(as_picture(reading.pixels), evidence, verdict, detector)


def _draw(
    pixels: NDArray[np.uint8],
    evidence: NDArray[np.float32],
    verdict: Verdict,
    detector: "Detector",
) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown, heat_map = _shrunk(pixels), _shrunk(evidence)
    height, width = shown.shape[:2]
    panel = 4.6
    tall = min(max(panel * height / width, 2.0), 2.5 * panel)
    figure = Figure(figsize=(2 * panel + 1.2, tall + 1.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.imshow(shown)
    noun = NOUNS[detector.medium]
    left.set_title(f"the {noun}" + _axes_of(detector.medium), fontsize=10)
    right.imshow(shown)
    # 0.5 is neutral: where nothing speaks for either, the picture stays visible.
    opacity = np.clip(1.4 * np.abs(heat_map - 0.5), 0, 0.7)
    heat = right.imshow(heat_map, cmap="coolwarm", vmin=0, vmax=1, alpha=opacity)
    right.set_title("where the evidence lies", fontsize=10)
    for axes in (left, right):
        axes.set_axis_off()
    bar = figure.colorbar(heat, ax=right, fraction=0.046, pad=0.02)
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.set_ticks([0, 0.5, 1], labels=["speaks\nfor real", "neutral", "speaks\nfor fake"])
    bar.ax.tick_params(labelsize=8)
    colour = {"real": "#1a7f37", "fake": "#b3261e"}.get(verdict.verdict, "#8a6100")
    number = "" if verdict.probability is None else f" – probability {verdict.probability:.3f}"
    figure.suptitle(f"{verdict.verdict}{number}", fontsize=15, color=colour, fontweight="bold")
    figure.supxlabel(
        f"{printable(Path(verdict.path).name)}: {verdict.reason}\n"
        f"threshold {verdict.threshold:.3f}, detector {detector.content_hash[:12]}",
        fontsize=8,
        parse_math=False,
        wrap=True,
    )
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A file name may hold characters that the font lacks; boxes are drawn for them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png", metadata={"Software": "deepward explain"})
    return buffer.getvalue()


def _axes_of(medium: str) -> str:
    return "" if medium == "image" else ", 0 to 8 kHz upwards, time to the right"


def _shrunk(array: NDArray[Any]) -> NDArray[Any]:
    step = -(-max(array.shape[:2]) // _LARGEST_SIDE)
    if step == 1:
        return array
    import cv2

    size = (max(1, array.shape[1] // step), max(1, array.shape[0] // step))
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA))
