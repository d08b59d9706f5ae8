"""How a training went: losses, and the accuracies that were watched beside them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from deepward.evaluation.style import FAKE, MUTED, REAL, SECOND, Format, drawing, encode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["training_figure"]

_COLOURS = (REAL, FAKE, SECOND, MUTED)
_ACCURACY = "_accuracy"

Curves = Mapping[str, Sequence[tuple[int, float]]]


def training_figure(curves: Curves, domains: int = 0, kind: Format = "png") -> bytes:
    """Losses to the left, accuracies to the right, over steps of training.

    Args:
        curves: name to pairs (step, running mean); names that end in "_accuracy" are accuracies.
        domains: whose chance level is drawn beside the domain accuracy; 0 draws none.
        kind: "png" or "svg".
    """
    accuracies = {k.removesuffix(_ACCURACY): v for k, v in curves.items() if k.endswith(_ACCURACY)}
    losses = {k: v for k, v in curves.items() if not k.endswith(_ACCURACY)}
    panels = [("losses", losses)] + ([("accuracy", accuracies)] if accuracies else [])
    with drawing():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(3.6 * len(panels), 2.8), layout="constrained")
        for number, (title, lines) in enumerate(panels):
            axes: Axes = figure.add_subplot(1, len(panels), number + 1)
            for colour, (name, curve) in zip(_COLOURS, lines.items(), strict=False):
                steps, values = zip(*curve, strict=True)
                axes.plot(steps, values, color=colour, label=name)
            if title == "accuracy":
                axes.set_ylim(0, 1.02)
                if domains:
                    axes.axhline(1 / domains, color=MUTED, linestyle=":", label="domains by chance")
            axes.set(title=title, xlabel="step")
            axes.legend()
        return encode(figure, kind)
