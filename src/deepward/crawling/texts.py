"""Text of fetched pages: read once per content, in a process of its own, kept beside the table."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deepward.crawling.child import run_child
from deepward.errors import KnowledgeError
from deepward.files import canonical_json, sha256_bytes, write_json

__all__ = ["extract_texts", "read_text", "text_path", "write_failure"]

MAX_ATTEMPTS = 3  # runs in which a page may bring its reader down
SILENCE_SECONDS = 60.0  # for one page; ten times what the largest good one takes


def text_path(folder: Path, row: Mapping[str, Any]) -> Path:
    """Where the text of a page is kept: named by its bytes and by what else shapes the text."""
    key = [row[name] for name in ("content_hash", "content_type", "title", "date")]
    name = sha256_bytes(canonical_json(key).encode())
    return folder / "texts" / name[:2] / f"{name}.json"


def extract_texts(
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    lock: int,
    memory_mb: float,
    on_progress: Callable[[int, int], None],
) -> None:
    """Reads the text of every page that has none yet.

    A page that gives no text, or brings its reader down, leaves a file that says so. The second
    kind is tried again in later runs, a few times: its reader may have been at fault.
    """
    jobs: dict[str, dict[str, Any]] = {}
    for row in rows:
        path = text_path(folder, row)
        if row["content_hash"] and _is_missing(path):
            body = folder / "bodies" / row["content_hash"][:2] / row["content_hash"]
            jobs[str(path)] = {"body": str(body), "text": str(path), "row": row}
    total, current = len(jobs), ""

    def hear(message: Any) -> None:
        nonlocal current
        current = message["begun"]
        if message["ended"]:
            jobs.pop(message["ended"], None)
            on_progress(total - len(jobs), total)

    while jobs:
        before, current = len(jobs), ""
        end = run_child(
            "deepward.crawling.reader",
            {"jobs": list(jobs.values()), "memory_mb": memory_mb},
            log=folder / "reading.log",
            lock=lock,
            deadline=time.monotonic() + 60 + 10 * len(jobs),
            silence_seconds=SILENCE_SECONDS,
            on_message=hear,
        )
        if current in jobs:
            write_failure(Path(current), f"Its reader ended ({end.reason}) over it.")
            del jobs[current]
        if len(jobs) == before:
            raise KnowledgeError(f"Pages cannot be read: {end.reason}. {end.words}")


def read_text(folder: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    """What reading a page gave: `document`, or `reason` and `message`; nothing if not read yet."""
    return _read(text_path(folder, row)) if row["content_hash"] else {}


def write_failure(path: Path, message: str) -> None:
    """Writes down that a page was not read through no fault that it is known for."""
    attempts = _read(path).get("attempts", 0) + 1
    found = {"reason": "reader_failed", "message": message, "attempts": attempts}
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
