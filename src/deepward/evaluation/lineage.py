"""The lineage of detectors as a drawn graph: what came in, what was learned from it, what judges.

    origins ──> domains ──> detectors ──> versions

A column each; detectors stand below each other in the order of learning, and each domain beside
the detector that learned it first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from deepward.evaluation.embedding import as_html
from deepward.evaluation.style import short

__all__ = ["Box", "Lineage", "draw_lineage", "of_detectors"]

COLUMNS = ("origin", "domain", "detector", "version")
TITLES = ("What came in", "Domains", "Detectors", "Versions")
WIDTH, HEIGHT, ACROSS, DOWN = 242, 44, 56, 14  # of a box, and between boxes, in pixels
HEAD = 26  # above the first row
LETTERS = 30  # of a line in a box


@dataclass(frozen=True)
class Box:
    """One artefact.

    Attributes:
        key: unique in the graph.
        column: in `COLUMNS`.
        title: its name.
        detail: what it holds, or its version; one line.
        sources: keys of what it was made from.
        look: "" or "champion", "challenger", "refused".
    """

    key: str
    column: str
    title: str
    detail: str = ""
    sources: tuple[str, ...] = ()
    look: str = ""


@dataclass(frozen=True)
class Lineage:
    """Boxes; detectors in the order of learning, what they are made from in any order."""

    boxes: Sequence[Box] = field(default_factory=list)

    def of(self, column: str) -> list[Box]:
        """The boxes of one column."""
        return [box for box in self.boxes if box.column == column]


def of_detectors(detectors: Mapping[str, Mapping[str, Any]]) -> Lineage:
    """What detectors themselves say: the domains that each learned from, with counts.

    Args:
        detectors: name -> `content_hash` and `lineage` of a detector.
    """
    boxes: dict[str, Box] = {}
    for name, facts in detectors.items():
        domains = facts.get("lineage", {}).get("domains", {})
        for domain, counts in domains.items():
            boxes.setdefault(domain, domain_box(domain, counts))
        detail = str(facts.get("content_hash") or "")[:12]
        sources = tuple(f"domain/{domain}" for domain in domains)
        boxes[f"detector/{name}"] = Box(f"detector/{name}", "detector", name, detail, sources)
    return Lineage(list(boxes.values()))


def domain_box(name: str, counts: Mapping[str, int], sources: Sequence[str] = ()) -> Box:
    """A domain, with how many real and fake pictures of it were learned from."""
    sums = {
        label: sum(n for what, n in counts.items() if what.endswith(label))
        for label in ("real", "fake")
    }
    detail = ", ".join(f"{n} {label}" for label, n in sums.items() if n)
    return Box(f"domain/{name}", "domain", name, detail, tuple(sources))


def draw_lineage(lineage: Lineage) -> Markup:
    """The graph as SVG that takes the page's colours; "" where it has no edge."""
    columns = [column for column in COLUMNS if lineage.of(column)]
    if not any(box.sources for box in lineage.boxes):
        return Markup("")
    rows = _rows(lineage)
    places = {
        box.key: (columns.index(box.column) * (WIDTH + ACROSS), HEAD + rows[box.key])
        for box in lineage.boxes
    }
    width = len(columns) * (WIDTH + ACROSS) - ACROSS + 2 * DOWN
    height = max(y for _, y in places.values()) + HEIGHT + DOWN
    lines = [
        _edge(places[source], places[box.key])
        for box in lineage.boxes
        for source in box.sources
        if source in places
    ]
    heads = [
        f'<text class="column" x="{place * (WIDTH + ACROSS)}" y="14">{title}</text>'
        for place, title in (
            (columns.index(column), title)
            for column, title in zip(COLUMNS, TITLES, strict=True)
            if column in columns
        )
    ]
    boxes = [_box(box, *places[box.key]) for box in lineage.boxes]
    told = "; ".join(_told(box, lineage) for box in lineage.boxes if box.sources)
    return Markup(
        f'<svg class="lineage" role="img" aria-label="{as_html(f"Lineage: {told}")}"'
        f' viewBox="{-DOWN} 0 {width} {height}" width="{width}" height="{height}">'
        f"{''.join(heads)}{''.join(lines)}{''.join(boxes)}</svg>"
    )


def _rows(lineage: Lineage) -> dict[str, float]:
    """Key -> y of the upper edge: a block of rows for each detector and what it learned first."""
    by_key = {box.key: box for box in lineage.boxes}
    step = HEIGHT + DOWN
    rows: dict[str, float] = {}
    free = 0
    for detector in lineage.of("detector"):
        first = free
        for key in detector.sources:
            domain = by_key.get(key)
            if domain is None or domain.column != "domain" or key in rows:
                continue
            origins = [each for each in domain.sources if each in by_key and each not in rows]
            for place, origin in enumerate(origins):
                rows[origin] = (free + place) * step
            rows[key] = (free + max(len(origins) - 1, 0) / 2) * step
            free += max(1, len(origins))
        free = max(free, first + 1)
        rows[detector.key] = (first + (free - first - 1) / 2) * step
    for version in lineage.of("version"):
        wanted = max((rows[key] for key in version.sources if key in rows), default=0.0)
        taken = [rows[each.key] for each in lineage.of("version") if each.key in rows]
        rows[version.key] = max(wanted, max(taken, default=-step) + step)
    for box in lineage.boxes:  # what nothing shown was made from
        if box.key not in rows:
            rows[box.key] = free * step
            free += 1
    return rows


def _edge(source: tuple[float, float], target: tuple[float, float]) -> str:
    (x0, y0), (x1, y1) = source, target
    if x0 == x1:  # a detector made from one above it
        return f'<path d="M{x0 + WIDTH / 2:g} {y0 + HEIGHT:g}V{y1:g}"/>'
    start, end = x0 + WIDTH, x1
    bend = (end - start) / 2
    return (
        f'<path d="M{start:g} {y0 + HEIGHT / 2:g}C{start + bend:g} {y0 + HEIGHT / 2:g}'
        f' {end - bend:g} {y1 + HEIGHT / 2:g} {end:g} {y1 + HEIGHT / 2:g}"/>'
    )


def _box(box: Box, x: float, y: float) -> str:
    title, detail = (as_html(short(text, LETTERS)) for text in (box.title, box.detail))
    return (
        f'<g class="{box.column} {box.look}"><title>{as_html(box.title)}</title>'
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="7"/>'
        f'<text x="{x + 10:g}" y="{y + 18:g}">{title}</text>'
        f'<text class="detail" x="{x + 10:g}" y="{y + 35:g}">{detail}</text></g>'
    )


def _told(box: Box, lineage: Lineage) -> str:
    titles = {each.key: each.title for each in lineage.boxes}
    return f"{box.title} from {', '.join(titles[s] for s in box.sources if s in titles)}"
