"""The text store: what was extracted from a file's bytes, kept once, whatever the files are called.

    <folder>/<SHA-256 of the bytes>.<format>.json

The format belongs to the name because the same bytes read as Markdown and as plain text differ.
"""

import json
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deepward.errors import KnowledgeError, UnreadableDocument
from deepward.files import sha256_bytes, write_json
from deepward.intake.walk import unescape_path
from deepward.knowledge.documents import Page
from deepward.knowledge.reading import extract, format_of, read_file
from deepward.knowledge.reading.plaintext import Extracted
from deepward.versions import code_version

__all__ = ["load_text", "reader_version", "store_text", "text_file"]

_READERS = ("lxml", "markdown-it-py", "pypdf", "trafilatura")


@cache
def reader_version() -> str:
    """Names everything that shapes a text besides the bytes; another one means reading anew."""
    own = code_version("deepward.knowledge.reading")
    return " ".join([own, *(version(name) for name in _READERS)])


def text_file(texts: Path, content_hash: str, format: str) -> Path:
    """Where the text of these bytes is kept."""
    return texts / f"{content_hash}.{format}.json"


def load_text(texts: Path, content_hash: str, format: str) -> Extracted:
    """What was extracted from the bytes of this hash.

    Raises:
        KnowledgeError: it is not in the store, or damaged.
    """
    path = text_file(texts, content_hash, format)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        raw["pages"] = tuple(Page(**page) for page in raw["pages"])
        raw["techniques"] = tuple(raw["techniques"])
        return Extracted(**{name: raw[name] for name in Extracted.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KnowledgeError(
            f"The text kept at {path} cannot be read ({type(error).__name__}); delete that file "
            f"and scan the documents again."
        ) from None


def store_text(task: dict[str, Any]) -> dict[str, Any]:
    """Reads one file and stores its text; runs in a worker process.

    Args:
        task: `path` (escaped) and `texts`.

    Returns:
        `content_hash`, `format`, `title`, `date`, `techniques`, `language`, `pages`, `characters`
        — or `quarantine` and `detail`, with the hash where the file could be read at all.
    """
    found: dict[str, Any] = {"content_hash": None, "format": None}
    path = Path(unescape_path(task["path"]))
    try:
        data = read_file(path)
        found["content_hash"] = sha256_bytes(data)
        found["format"] = format_of(data, None, path)
        target = text_file(Path(task["texts"]), found["content_hash"], found["format"])
        known = _stored(target) or asdict(extract(data, found["format"]))
    except UnreadableDocument as error:
        return found | {"quarantine": error.reason, "detail": str(error)}
    if "version" not in known:
        write_json(target, known | {"version": reader_version()})
    pages = known["pages"]
    counts = {"pages": len(pages), "characters": sum(len(page["text"]) for page in pages)}
    facts = {name: known[name] for name in ("title", "date", "techniques", "language")}
    return found | facts | counts | {"quarantine": None, "detail": None}


def _stored(path: Path) -> dict[str, Any] | None:
    """What was stored for the same bytes by the same readers, under this or another file name."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return raw if isinstance(raw, dict) and raw.get("version") == reader_version() else None
