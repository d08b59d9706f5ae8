"""A technique that the knowledge base names for the first time gets a report and prompts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from assets.partitions import can_be_partition, technique_partitions
from deepward.files import canonical_json
from jobs import write_brief
from resources import ArtifactStore, Knowledge

MOST_RUNS = 5  # started per tick; the rest waits for the next


@dataclass(frozen=True)
class NewTechniques:
    """Partitions to add, those of them to write a brief for now, and the cursor."""

    added: tuple[str, ...]
    started: tuple[str, ...]
    cursor: str


def select_techniques(
    named: Sequence[str], registered: Sequence[str], cursor: str | None
) -> NewTechniques:
    """What is new since the last tick.

    The techniques of the first tick become partitions without a run each: they are what the
    knowledge base came with, to be backfilled when wanted. Later ones are news, and start a run.

    Args:
        named: slugs that documents of the knowledge base name.
        registered: partitions that are there.
        cursor: what the last tick returned, or None at the first.
    """
    state = json.loads(cursor) if cursor else None
    waiting = state["waiting"] if state else []
    new = [name for name in named if can_be_partition(name) and name not in registered]
    due = [*waiting, *(name for name in new if state is not None)]
    started, left = due[:MOST_RUNS], due[MOST_RUNS:]
    # An empty knowledge base has not had its first tick yet.
    after = canonical_json({"waiting": left}) if named or state else ""
    return NewTechniques(tuple(new), tuple(started), after)


@dg.sensor(
    job=write_brief,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers every technique that documents of the knowledge base name as a "
    "partition, and has the agents write about those that appear later.",
)
def new_technique_sensor(
    context: dg.SensorEvaluationContext, store: ArtifactStore, knowledge: Knowledge
) -> dg.SensorResult:
    from deepward.knowledge.base import known_techniques

    named = known_techniques(knowledge.files(store))
    registered = context.instance.get_dynamic_partitions(str(technique_partitions.name))
    found = select_techniques(named, registered, context.cursor)
    if not found.added and not found.started:
        return dg.SensorResult(skip_reason="No new technique.", cursor=found.cursor or None)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=f"first:{name}",
                partition_key=name,
                tags={"deepward/reason": "new technique"},
            )
            for name in found.started
        ],
        dynamic_partitions_requests=[technique_partitions.build_add_request(list(found.added))]
        if found.added
        else [],
        cursor=found.cursor,
    )
