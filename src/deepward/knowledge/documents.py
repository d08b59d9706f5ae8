"""What a document is, wherever it came from: a source, what is known of it, its text by page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Document", "Page"]


@dataclass(frozen=True)
class Page:
    """Plain text of one page.

    Paragraphs are separated by a blank line; a heading is a paragraph that starts with `# `; list
    items stand one per line.

    Attributes:
        number: from 1 in a PDF; None where the format has no pages.
        text: never empty of words in a usable document, but single pages may be.
    """

    number: int | None
    text: str


@dataclass(frozen=True)
class Document:
    """One document that text was read from.

    Attributes:
        source: its identity and where a reader finds it: a URL, or an absolute POSIX path.
        origin: what brought it: `corpus`, `folder:<absolute path>` or `crawl`. An origin is
            brought up to date as a whole, so that what left it leaves the index too.
        kind: kind of source: `corpus`, `local`, or a kind of `sources.yaml` such as `research`.
        title: as the document gives it, else its file name.
        date: ISO date of publication where it is known; never the time of the file.
        techniques: slugs of generation techniques that its front matter or source entry names.
        language: ISO 639-1, or None where too little text tells.
        content_hash: SHA-256 of the raw bytes.
        pages: at least one.
    """

    source: str
    origin: str
    kind: str
    title: str
    date: str | None
    techniques: tuple[str, ...]
    language: str | None
    content_hash: str
    pages: tuple[Page, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; the inverse of `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Document":
        """Builds a document from what `as_dict` gave, also after JSON made lists of tuples."""
        fields = dict(raw)
        fields["techniques"] = tuple(fields["techniques"])
        fields["pages"] = tuple(Page(**page) for page in fields["pages"])
        return cls(**fields)
