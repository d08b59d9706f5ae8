"""A new folder of pictures or sounds becomes a partition, is audited, learned and measured."""

import json
import os
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import dagster as dg

from assets.partitions import can_be_partition, domain_partitions
from deepward.errors import DomainError
from deepward.files import canonical_json, sha256_bytes
from deepward.home import default_detector
from jobs import learn_domain, scan_domains
from resources import DomainFolders

SETTLE_SECONDS = 10.0
CHUNK = 500  # partitions per tick: Dagster's storage takes them in one statement


@dataclass(frozen=True)
class Entry:
    """What a folder that is not a partition yet looks like now: it is ready once that is still.

    Attributes:
        files: how many files; size: their bytes in all.
        newest: latest change of a file's content, name or rights, seconds since the epoch.
    """

    name: str
    files: int
    size: int
    newest: float


@dataclass(frozen=True)
class Selection:
    """What to add now, what to look at again, and the cursor for the next tick."""

    ready: tuple[Entry, ...]
    waiting: tuple[Entry, ...]
    cursor: str


def measure_folder(folder: Path) -> Entry:
    """Counts the files below a folder; what vanishes meanwhile is not counted."""
    files = size = 0
    newest = 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(place, name))
            except OSError:
                continue
            files += 1
            size += found.st_size
            # The change time, unlike the modification time, is not set back by `cp -p`.
            newest = max(newest, found.st_mtime, found.st_ctime)
    return Entry(folder.name, files, size, newest)


def select_new(entries: Sequence[Entry], cursor: str | None, now: float) -> Selection:
    """Which folders have been copied completely.

    A folder is ready when it looks as it did at the last tick and nothing in it changed for
    `SETTLE_SECONDS`. A time of change in the future counts as long ago: clocks differ.

    Args:
        entries: folders that are not partitions yet.
        cursor: what the last tick returned, or None.
        now: seconds since the epoch.
    """
    before: Mapping[str, object] = json.loads(cursor) if cursor else {}
    ready, waiting = [], []
    for entry in sorted(entries, key=lambda entry: entry.name):
        still = before.get(entry.name) == _appearance(entry)
        settled = not now - SETTLE_SECONDS < entry.newest <= now
        complete = entry.files > 0 and still and settled
        (ready if complete and len(ready) < CHUNK else waiting).append(entry)
    return Selection(
        tuple(ready),
        tuple(waiting),
        canonical_json({entry.name: _appearance(entry) for entry in waiting}),
    )


def run_requests(ready: Sequence[Entry], learnable: Container[str]) -> list[dg.RunRequest]:
    """One run per new domain: it is learned where it is `learnable`, and else scanned.

    Args:
        ready: new domains.
        learnable: names of those whose medium there is a detector of to go on from.
    """
    return [
        dg.RunRequest(
            run_key=f"{entry.name}:{sha256_bytes(canonical_json(asdict(entry)).encode())[:12]}",
            job_name=(learn_domain if entry.name in learnable else scan_domains).name,
            partition_key=entry.name,
            tags={"deepward/reason": "new domain folder"},
        )
        for entry in ready
    ]


@dg.sensor(
    jobs=[learn_domain, scan_domains],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers a new folder below DEEPWARD_DOMAINS as a partition once it is copied "
    "completely, and has the newest detector learn it, be measured, and challenge the champion.",
)
def new_domain_sensor(
    context: dg.SensorEvaluationContext, domains: DomainFolders
) -> dg.SensorResult:
    from deepward.domains import find_domains
    from deepward.domains.layout import medium_at

    registered = set(context.instance.get_dynamic_partitions(str(domain_partitions.name)))
    try:
        new = [name for name in find_domains(domains.folder) if name not in registered]
    except DomainError as error:
        return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
    possible = [name for name in new if can_be_partition(name)]
    entries = [measure_folder(domains.folder / name) for name in possible]
    found = select_new(entries, context.cursor, time.time())
    if not found.ready:
        reason = f"No new folder in {domains.folder}."
        if found.waiting:
            reason = f"Still being copied: {', '.join(entry.name for entry in found.waiting)}."
        if impossible := sorted(set(new) - set(possible)):
            reason += f" Cannot be names of partitions: {', '.join(map(repr, impossible))}."
        return dg.SensorResult(skip_reason=reason, cursor=found.cursor)
    return dg.SensorResult(
        run_requests=run_requests(
            found.ready,
            [
                each.name
                for each in found.ready
                if default_detector(medium_at(domains.folder / each.name)).is_dir()
            ],
        ),
        dynamic_partitions_requests=[
            domain_partitions.build_add_request([entry.name for entry in found.ready])
        ],
        cursor=found.cursor,
    )


def _appearance(entry: Entry) -> list[float]:
    return [entry.files, entry.size, entry.newest]
