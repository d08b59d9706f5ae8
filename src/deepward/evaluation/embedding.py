"""How pictures, figures and nested values get into one HTML page, safely."""

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from deepward.evaluation.montage import evidence_overlay, thumbnail
from deepward.evaluation.style import FAKE, INK, MUTED, REAL, SECOND
from deepward.files import visible
from deepward.media import as_picture

__all__ = ["as_html", "data_url", "inline_svg", "relative_path", "rows_of", "tile"]

_TAG = re.compile(r"<[^<>]*>")
_REFERENCE = re.compile(r'( id="|url\(#|href="#)')
# The page has one palette: figures take its colours, and follow it into the dark.
_COLOURS = {
    INK: "currentColor",
    REAL: "var(--real)",
    FAKE: "var(--fake)",
    SECOND: "var(--second)",
    MUTED: "var(--muted)",
}


def as_html(value: Any) -> Any:
    """A value as the page may show it: of text only what a reader sees, with its signs escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return escape(visible(value))
    return value


def data_url(picture: bytes, kind: str = "image/jpeg") -> str:
    """The picture itself as an address, so that the page needs no file beside it."""
    return f"data:{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def tile(image: NDArray[np.uint8], evidence: NDArray[np.float32] | None = None) -> str:
    """Small encoded copy of a picture, or of its evidence map, as an address."""
    seen = as_picture(image)
    shown = seen if evidence is None else evidence_overlay(seen, evidence)
    return data_url(thumbnail(shown))


def inline_svg(svg: bytes, name: str, alt: str) -> Markup:
    """A figure of ours as part of the page: it takes the page's colours.

    Args:
        svg: from the figures of `deepward.evaluation`, which escape whatever text they draw.
        name: unique on the page; identifiers inside the figure are prefixed with it, because
            those of different figures may be equal.
        alt: what it shows, for those who do not see it.
    """
    text = visible(svg.decode("utf-8"))
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)

    def within(tag: re.Match[str]) -> str:
        found = _REFERENCE.sub(rf"\g<1>{name}-", tag.group())
        for colour, own in _COLOURS.items():
            found = found.replace(colour, own)
        return found

    head = f'<svg role="img" aria-label="{as_html(alt)}" '
    return Markup(_TAG.sub(within, text).replace("<svg ", head, 1).strip())


def relative_path(path: str, domain: str) -> str:
    """A path as it may be shown: from inside the domain's folder on, never where that lies."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if domain in parts:
        place = len(parts) - 1 - parts[::-1].index(domain)
        return "/".join(parts[place + 1 :])
    return parts[-1] if path.startswith("/") and parts else path


def rows_of(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flattens nested values into rows of a dotted name and a text, sorted by name."""
    rows: list[tuple[str, str]] = []
    for key in sorted(values, key=str):
        name, value = f"{prefix}{key}", values[key]
        if isinstance(value, Mapping):
            rows += rows_of(value, f"{name}.") if value else [(name, "none")]
        elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
            rows.append((name, ", ".join(_text(entry) for entry in value) or "none"))
        else:
            rows.append((name, _text(value)))
    return rows


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {text}" for name, text in rows_of(value))
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    # Where a folder lies on somebody's machine is nobody else's business.
    return "…/" + PurePosixPath(text).name if text.startswith("/") else text
