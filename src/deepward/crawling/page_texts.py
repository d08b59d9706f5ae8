"""Text of fetched pages: read once per content, in watched processes, kept beside the table."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from deepward.files import canonical_json, sha256_bytes, write_json
from deepward.intake.pool import Failure, run_tasks

__all__ = ["extract_texts", "read_page", "read_text", "text_path"]

MAX_ATTEMPTS = 3  # runs in which a page may bring its reader down
PAGE_SECONDS = 15.0  # of computing, for one page; ten times what the largest good one takes
PAGE_MEMORY = 2**30  # bytes, for one page
# Reasons that may lie in the reader as well as in the page.
DOUBTFUL = ("reader_crashed", "reader_failed", "too_much_memory", "too_slow")


def text_path(folder: Path, row: Mapping[str, Any]) -> Path:
    """Where the text of a page is kept: named by its bytes and by what else shapes the text."""
    key = [row[name] for name in ("content_hash", "content_type", "title", "date")]
    name = sha256_bytes(canonical_json(key).encode())
    return folder / "texts" / name[:2] / f"{name}.json"


def extract_texts(
    folder: Path, rows: Sequence[Mapping[str, Any]], on_progress: Callable[[int, int], None]
) -> None:
    """Reads the text of every page that has none yet.

    A page that gives no text, or brings its reader down, leaves a file that says so. The second
    kind is tried again in later runs, a few times: its reader may have been at fault.
    """
    wanted: dict[Path, dict[str, Any]] = {}
    for row in rows:
        path = text_path(folder, row)
        if row["content_hash"] and _is_missing(path):
            body = folder / "bodies" / row["content_hash"][:2] / row["content_hash"]
            wanted[path] = {"body": str(body), "row": row}
    paths = list(wanted)
    results = run_tasks(read_page, wanted.values(), seconds=PAGE_SECONDS, memory=PAGE_MEMORY)
    with closing(results):
        for done, (number, found) in enumerate(results, start=1):
            if isinstance(found, Failure):
                _write_failure(paths[number], found)
            else:
                write_json(paths[number], {"document": found})
            on_progress(done, len(paths))


def read_page(task: dict[str, Any]) -> dict[str, Any]:
    """The document that a page makes; runs in a watched process.

    Raises:
        UnreadableDocument: it gives no text.
    """
    from deepward.knowledge.reading import read_bytes

    row = task["row"]
    document = read_bytes(
        Path(task["body"]).read_bytes(),
        source=row["final_url"],
        origin="crawl",
        kind=row["kind"],
        content_type=row["content_type"],
        title=row["title"],
        date=row["date"],
        techniques=tuple(row["techniques"]),
    )
    return document.as_dict()


def read_text(folder: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """What reading a page gave: `document`, or `reason` and `message`; nothing if not read yet."""
    return _read(text_path(folder, row)) if row["content_hash"] else {}


def _write_failure(path: Path, failure: Failure) -> None:
    found: dict[str, Any] = {"reason": failure.reason, "message": failure.detail}
    if failure.reason in DOUBTFUL:
        found["attempts"] = _read(path).get("attempts", 0) + 1
    write_json(path, found)


def _is_missing(path: Path) -> bool:
    found = _read(path)
    return not found or found.get("attempts", MAX_ATTEMPTS) < MAX_ATTEMPTS


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    except FileNotFoundError:
        return {}
