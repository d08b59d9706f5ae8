"""New, changed or removed local documents bring the knowledge base up to date."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from deepward.files import canonical_json, sha256_bytes
from jobs import refresh_documents
from resources import ArtifactStore, Knowledge
from sensors.new_domains import SETTLE_SECONDS, Entry, measure_folder


@dataclass(frozen=True)
class Decision:
    """The key of the run that is due now, if any, the cursor, and whether a copy goes on."""

    run_key: str | None
    cursor: str
    waiting: bool = False


def decide(entries: Sequence[Entry], cursor: str | None, now: float) -> Decision:
    """A run is due when the folders differ from the last run and are still.

    They are still when they look as they did at the last tick and nothing in them changed for
    `SETTLE_SECONDS`; a time of change in the future counts as long ago.

    Args:
        entries: what each folder of documents looks like now.
        cursor: what the last tick returned, or None at the first.
        now: seconds since the epoch.
    """
    state = json.loads(cursor) if cursor else {}
    done, seen = state.get("done", {}), state.get("seen")
    looks = {entry.name: [entry.files, entry.size, entry.newest] for entry in entries}
    if looks == done:
        return Decision(None, canonical_json({"done": done}))
    newest = max((entry.newest for entry in entries), default=0.0)
    settled = not now - SETTLE_SECONDS < newest <= now
    if looks != seen or not settled:
        return Decision(None, canonical_json({"done": done, "seen": looks}), waiting=True)
    key = sha256_bytes(canonical_json(looks).encode())[:16]
    return Decision(key, canonical_json({"done": looks}))


@dg.sensor(
    job=refresh_documents,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reads local documents into the knowledge base once a change to them is complete: "
    "in the folder DEEPWARD_DOCUMENTS, and in those that `deepward ingest` was given.",
)
def new_document_sensor(
    context: dg.SensorEvaluationContext, store: ArtifactStore, knowledge: Knowledge
) -> dg.SensorResult:
    from deepward.knowledge.ingested import local_folders

    folders = [path for path in local_folders(knowledge.files(store)) if path.exists()]
    found = decide([_measure(path) for path in folders], context.cursor, time.time())
    if found.run_key is None:
        reason = "No local document is new, changed or gone."
        if found.waiting:
            reason = "Local documents are changing; waiting until that has ended."
        return dg.SensorResult(skip_reason=reason, cursor=found.cursor)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=found.run_key, tags={"deepward/reason": "local documents changed"}
            )
        ],
        cursor=found.cursor,
    )


def _measure(path: Path) -> Entry:
    if path.is_file():
        found = path.stat()
        return Entry(str(path), 1, found.st_size, max(found.st_mtime, found.st_ctime))
    return replace(measure_folder(path), name=str(path))
