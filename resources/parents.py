"""MLflow's run of a run of the graph: what was made stands below it; each names the other."""

from typing import TYPE_CHECKING

import dagster as dg

from deepward.files import canonical_json, sha256_bytes
from resources.records import NOTE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUN, ROOT, ALL, WORK = "dagster.run_id", "dagster.root_run_id", "dagster.run_ids", "dagster.work"
DAGSTER_TAG = "mlflow_run_id"  # of Dagster's run
_PARTITION = "dagster/partition"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_SHOWN = 6  # names of assets in the title


def open_parent(
    client: "MlflowClient",
    experiment: str,
    run: dg.DagsterRun,
    instance: dg.DagsterInstance,
    pages: str,
) -> str:
    """The MLflow run of a Dagster run, made when something is recorded first; its id.

    What goes on from another run goes on in its MLflow run too: a re-execution, and a run of the
    same job and partitions after one whose process was killed. Others that were killed are marked
    as such.

    Args:
        client, experiment: of MLflow.
        run, instance: of Dagster.
        pages: address of Dagster's pages.
    """
    from mlflow.entities import Param

    root, work = run.root_run_id or run.run_id, _work(run)
    goes_on = client.search_runs([experiment], f"tags.`{ROOT}` = '{root}'", max_results=1)
    if not goes_on:
        asked = client.search_runs([experiment], f"tags.`{WORK}` = '{work}'", max_results=1)
        goes_on = [found for found in asked if _was_killed(found, instance)]
    killed: Run | None = goes_on[0] if goes_on else None
    for other in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        goes_on_in_it = killed is not None and other.info.run_id == killed.info.run_id
        if not goes_on_in_it and _was_killed(other, instance):
            client.set_terminated(other.info.run_id, status="KILLED")
    if killed is None:
        tags = {ROOT: root, WORK: work}
        found = client.create_run(experiment, tags=tags, run_name=_title(run)).info.run_id
        shown = {"job": _job(run), "partitions": _partitions(run) or "none"}
        client.log_batch(found, params=[Param(name, value) for name, value in shown.items()])
        before = ""
    else:
        found, before = killed.info.run_id, killed.data.tags.get(ALL, "")
        client.update_run(found, status="RUNNING")
    known = [name for name in before.split() if name != run.run_id]
    client.set_tag(found, ALL, " ".join([*known, run.run_id]))
    links = "\n".join(f"- [{name}]({pages}/runs/{name})" for name in [*known, run.run_id])
    client.set_tag(found, NOTE, f"Made by Dagster, in\n\n{links}\n")
    client.set_tag(found, RUN, run.run_id)
    instance.add_run_tags(run.run_id, {DAGSTER_TAG: found})
    return str(found)


def close_parent(
    client: "MlflowClient", parent: str, run: dg.DagsterRun, instance: dg.DagsterInstance
) -> None:
    """Marks the MLflow run as finished, or as failed where a step of the Dagster run has."""
    failed = any(
        stats.status is not None and stats.status.value == "FAILURE"
        for stats in instance.get_run_step_stats(run.run_id)
    )
    client.set_terminated(parent, status="FAILED" if failed else "FINISHED")


def _was_killed(parent: "Run", instance: dg.DagsterInstance) -> bool:
    """Whether Dagster's run is over and nobody was there to say so here."""
    name = parent.data.tags.get(RUN)
    if parent.info.status == "KILLED" or name is None:
        return name is not None
    run = instance.get_run_by_id(name)
    return parent.info.status == "RUNNING" and (run is None or run.is_finished)


def _job(run: dg.DagsterRun) -> str:
    return "materialize" if run.job_name.startswith("__") else run.job_name


def _partitions(run: dg.DagsterRun) -> str:
    one, ends = run.tags.get(_PARTITION), [run.tags.get(tag, "") for tag in _RANGE]
    return one or " … ".join(dict.fromkeys(filter(None, ends)))


def _title(run: dg.DagsterRun) -> str:
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    named = ", ".join(assets[:_SHOWN]) if _job(run) == "materialize" else ""
    return " ".join(filter(None, [_job(run), named, _partitions(run)]))[:250]


def _work(run: dg.DagsterRun) -> str:
    """The same for two runs that are asked for the same."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return sha256_bytes(canonical_json([run.job_name, assets, _partitions(run)]).encode())[:16]
