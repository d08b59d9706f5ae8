"""Runs that fail are told of, with what they died of."""

import json
from pathlib import Path

import dagster as dg
import pytest

from deepward.errors import UsageError
from deepward.failures import WEBHOOK
from resources import ArtifactStore, Watching
from sensors.failures import failure_of, failure_sensor


@dg.op
def refuses() -> None:
    raise UsageError("There is no domain 'beta', token=abcdef123456.")


@dg.op
def breaks() -> None:
    raise OSError("No space left on device")


def context_of(op: dg.OpDefinition, instance: dg.DagsterInstance) -> dg.RunFailureSensorContext:
    @dg.job(name=f"job_{op.name}", tags={"dagster/partition": "beta"})
    def job() -> None:
        op()

    result = job.execute_in_process(instance=instance, raise_on_error=False)
    return dg.build_run_status_sensor_context(
        "failure_sensor",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    ).for_run_failure()


def test_a_refused_input_is_told_in_the_words_of_the_error(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        context = context_of(refuses, instance)
        store, watching = ArtifactStore(root=str(tmp_path)), Watching()
        for _ in range(2):  # a tick that is done again tells nothing twice
            failure_sensor(context, store=store, watching=watching)
    [line] = (tmp_path / "failures.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert told["refused"] and told["error"] == "UsageError"
    assert told["message"] == "There is no domain 'beta', token=***"
    assert (told["job"], told["partition"], told["steps"]) == ("job_refuses", "beta", ["refuses"])


def test_a_machine_that_failed_is_no_refusal() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        found = failure_of(context_of(breaks, instance))
    assert not found.refused
    assert (found.error, found.message) == ("OSError", "No space left on device")


def test_a_webhook_that_may_not_be_asked_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK, "http://169.254.169.254/latest")
    with dg.DagsterInstance.ephemeral() as instance:
        failure_sensor(
            context_of(breaks, instance),
            store=ArtifactStore(root=str(tmp_path)),
            watching=Watching(),
        )
    assert (tmp_path / "failures.jsonl").is_file()
