"""What becomes known of a run that failed."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from deepward import errors
from deepward.failures import (
    WEBHOOK,
    Failure,
    is_refusal,
    note_failure,
    send_failure,
    without_secrets,
)
from deepward.files import printable
from resources import ArtifactStore, Watching


def failure_of(context: dg.RunFailureSensorContext) -> Failure:
    """What is told of a run: its first failed step speaks, for what came later follows from it."""
    run, steps = context.dagster_run, list(context.get_step_failure_events())
    chain = list(_chain(getattr(steps[0].event_specific_data, "error", None))) if steps else []
    # Dagster wraps what an asset raises. Ours is a sentence for people; of others the innermost
    # says what was wrong.
    ours = [link for link in chain if link[0] in errors.__all__]
    spoken = ours[:1] or chain[-1:] or [("", context.failure_event.message or "")]
    error, message = spoken[0]
    return Failure(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        run_id=run.run_id,
        job=run.job_name,
        partition=run.tags.get("dagster/partition", ""),
        steps=tuple(str(event.step_key) for event in steps),
        refused=is_refusal([name for name, _ in chain]),
        error=error,
        message=without_secrets(message),
    )


def _chain(error: Any) -> Iterator[tuple[str, str]]:
    """Class and message of an error and of what caused it, from the outside in."""
    while error is not None:
        name = str(error.cls_name or "").rpartition(".")[2]
        yield name, re.sub(rf"^(\w+\.)*{re.escape(name)}: ", "", str(error.message).strip())
        error = error.cause


@dg.run_failure_sensor(
    name="failure_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Writes a line into failures.jsonl for every run that failed, and says whether an "
    f"input was refused or the machine failed. Where {WEBHOOK} is set, it is told as well.",
)
def failure_sensor(
    context: dg.RunFailureSensorContext, store: ArtifactStore, watching: Watching
) -> None:
    failure = failure_of(context)
    if not note_failure(store.folder, failure):
        return
    context.log.info(printable(failure.sentence))
    if url := os.environ.get(WEBHOOK):
        context.log.info(f"{WEBHOOK}: {send_failure(url, failure, watching.private_hosts)}")
