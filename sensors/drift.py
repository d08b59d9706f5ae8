"""Enough new traffic has the drift report made again."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from deepward.files import canonical_json
from jobs import watch_traffic
from resources import ArtifactStore, Watching

if TYPE_CHECKING:
    from deepward.drift import Position


@dataclass(frozen=True)
class Due:
    """The key of the run that is due now, if any; the cursor; how many rows are new."""

    run_key: str | None
    cursor: str
    new: int


def decide(position: "Position", cursor: str | None, every: int) -> Due:
    """A run is due when `every` rows or more were logged since the last one was asked for.

    A log that was begun anew counts from its first row.

    Args:
        position: how far the log has come.
        cursor: what the last tick returned, or None at the first.
        every: rows.
    """
    state = json.loads(cursor) if cursor else {}
    done = state.get("rows", 0) if state.get("log") == position.log else 0
    new = position.rows - done
    if not position.log or new < every:
        return Due(None, cursor or "", new)
    after = canonical_json({"log": position.log, "rows": position.rows})
    return Due(f"traffic:{position.log[:16]}:{position.rows}", after, new)


@dg.sensor(
    job=watch_traffic,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the drift report again once 100 new rows (DEEPWARD_DRIFT_EVERY) stand in "
    "the traffic log, which `deepward score --log` writes.",
)
def drift_sensor(
    context: dg.SensorEvaluationContext, store: ArtifactStore, watching: Watching
) -> dg.SensorResult:
    from deepward.drift.traffic import TrafficLog

    every = watching.rows
    due = decide(TrafficLog(store.folder).position(), context.cursor, every)
    if due.run_key is None:
        reason = f"{due.new} new rows in the traffic log; {every} are waited for."
        return dg.SensorResult(skip_reason=reason, cursor=due.cursor or None)
    settings = {"config": {"laundered": watching.laundered}}
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=due.run_key,
                run_config={"ops": {"drift_report": settings}},
                tags={"deepward/reason": f"{due.new} new rows of traffic"},
            )
        ],
        cursor=due.cursor,
    )
