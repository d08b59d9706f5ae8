"""What Dagster's pages show of an artefact: scalars that can be plotted, tables, pictures.

One module per group of assets; here is what they all draw with.
"""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from deepward import markdown
from deepward.markdown import escaped

MOST_BYTES = 100_000  # of one picture: metadata live in Dagster's database


def picture(data: bytes, words: str) -> dg.MarkdownMetadataValue:
    """A PNG or JPEG inside Markdown, the only way for Dagster to show one."""
    words = escaped(words)
    if len(data) > MOST_BYTES:
        return dg.MetadataValue.md(f"{words}: {len(data)} bytes, too large to be shown here.")
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return dg.MetadataValue.md(
        f"![{words}](data:image/{kind};base64,{base64.b64encode(data).decode()})"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """A table in Markdown; what stands in it is shown and does nothing else."""
    cells = [[_cell(value) for value in row] for row in rows]
    return dg.MetadataValue.md(markdown.table([escaped(name) for name in header], cells))


def listed(lines: Iterable[str]) -> dg.MarkdownMetadataValue:
    """Sentences below each other."""
    return dg.MetadataValue.md(markdown.bullets(lines))


def written(text: str, most: int) -> dg.MarkdownMetadataValue:
    """The beginning of Markdown that was escaped when it was written: whole lines of it."""
    shown = text if len(text) <= most else text[: text.rfind("\n", 0, most) + 1]
    return dg.MetadataValue.md(shown)


def interval_text(interval: Sequence[float] | None) -> str:
    """Both ends of an interval; nothing where there is none."""
    return "" if interval is None else f"{interval[0]:.3f} – {interval[1]:.3f}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else escaped(str(value))
