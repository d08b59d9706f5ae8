"""What must be known of a detector before it is used: its model card, and how training went."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deepward.markdown import escaped, quoted, table

__all__ = ["MODEL_CARD", "lineage_curves", "model_card", "training_data"]

MODEL_CARD = {
    "training_data": "Not stated; see the lineage below.",
    "licences": "Not stated. Ask whoever trained this detector which licences its training"
    " pictures carry before passing it on.",
    "intended_use": "Sorting still pictures for a person to look at, among pictures like those it"
    " was trained and tested on.",
    "limits": "A verdict is evidence, not proof, and never the sole ground of a decision about a"
    " person. Fakes made in ways that are not in the training data may pass as real. Resizing,"
    " recompression and screenshots weaken the traces it relies on. It says nothing about whether"
    " what a real picture shows is presented truthfully.",
}
_STEPS = ("epoch", "step")


def training_data(domains: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """The model card's line on training data, from what the lineage counted."""
    texts = []
    for name in sorted(domains):
        counts = [f"{n} {what.replace('_', ' ')}" for what, n in sorted(domains[name].items())]
        texts.append(f"{name} ({', '.join(counts)})")
    return {"training_data": "; ".join(texts) + "."} if texts else {}


def model_card(name: str, facts: Mapping[str, Any]) -> str:
    """The card as Markdown.

    Args:
        name: that the detector goes by.
        facts: `content_hash`, `decision` and `lineage` of a detector, as plain nested values.
    """
    lineage, decision = facts.get("lineage", {}), facts.get("decision", {})
    said = {**MODEL_CARD, **training_data(lineage.get("domains", {}))}
    lines = [f"# {escaped(name)}", "", f"Detector {quoted(facts['content_hash'])}."]
    for title, text in said.items():
        lines += ["", f"## {escaped(title.replace('_', ' ').capitalize())}", "", escaped(text)]
    if {"threshold", "low"} <= set(decision):
        lines += [
            "",
            "## Decision",
            "",
            f"Fake from a calibrated probability of {decision['threshold']:.3f} on, real below "
            f"{decision['low']:.3f}, inconclusive between them and for what is unlike anything it "
            "was trained on. Chosen on validation pictures for "
            f"{decision['false_positive_rate']:.0%} of real ones called fake.",
        ]
    found = lineage.get("validation", {})
    rows = [(key, each) for key, each in sorted(found.items()) if each.get("value") is not None]
    if rows:
        cells = []
        for key, each in rows:
            ends = each.get("interval")
            shown = f"{ends[0]:.3f} – {ends[1]:.3f}" if ends else "–"
            cells.append([escaped(key), f"{each['value']:.3f}", shown])
        head = ["metric", "value", "95 % interval"]
        lines += ["", "## On validation pictures", "", table(head, cells)]
        lines += ["", "Thresholds were chosen on these; how good it is, test pictures tell."]
    return "\n".join(lines) + "\n"


def lineage_curves(lineage: Mapping[str, Any]) -> dict[str, list[tuple[int, float]]]:
    """Every curve that the lineage holds, wherever it stands in it: name -> (step, value).

    A curve is a list of points that say their `epoch` or `step`, and values of terms beside it.
    """
    curves: dict[str, list[tuple[int, float]]] = {}
    for path, points in _curves(lineage, ()):
        for point in points:
            step = next(int(point[name]) for name in _STEPS if name in point)
            for term, value in point.items():
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if term not in _STEPS and number and value == value:
                    curves.setdefault("/".join([*path, term]), []).append((step, float(value)))
    return curves


def _curves(
    value: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Sequence[Mapping[str, Any]]]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _curves(inner, path if key == "curve" else (*path, str(key)))
    elif isinstance(value, list | tuple) and value:
        points = [each for each in value if isinstance(each, Mapping)]
        if len(points) == len(value) and all(any(n in p for n in _STEPS) for p in points):
            yield path, points
