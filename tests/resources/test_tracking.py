"""Tracking against a real MLflow database."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from resources import MODEL_NAME, Record, Tracking
from resources.records import sqlite_address

CURVE = [{"epoch": 0, "cross_entropy": 0.7}, {"epoch": 1, "cross_entropy": 0.5}]
SUMMARY = {
    "content_hash": "abc",
    "decision": {"threshold": 0.5},
    "lineage": {"meta": {"net": {"curve": CURVE}}},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One database for the module: making the tables takes seconds."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPWARD_HOME", str(folder))
        yield folder


def detector(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "detector.json").write_text(text)
    return folder


def summary(content_hash: str) -> dict:
    return {**SUMMARY, "content_hash": content_hash}


def runs(tracking: Tracking, wanted: str = "") -> list:
    client = tracking.client()
    experiment = client.get_experiment_by_name("deepward")
    return client.search_runs([experiment.experiment_id], wanted)


def test_a_training_is_a_run_with_curves_card_data_and_a_model(home: Path, tmp_path: Path) -> None:
    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    data = {"faces": "0123456789abcdef0123"}
    config = {"seed": 0, "steps": None}
    assert tracking.detector("baseline", folder, config, SUMMARY, datasets=data) == "1"
    client = tracking.client()
    version = client.get_model_version_by_alias(MODEL_NAME, "challenger")
    run = client.get_run(version.run_id)
    assert run.data.params == {"seed": "0"} and run.data.metrics["threshold"] == 0.5
    assert run.info.status == "FINISHED"
    points = client.get_metric_history(version.run_id, "meta/net/cross_entropy")
    assert [(point.step, point.value) for point in points] == [(0, 0.7), (1, 0.5)]
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("faces", "0123456789abcdef")
    assert "## Limits" in run.data.tags["mlflow.note.content"]
    assert version.description == run.data.tags["mlflow.note.content"]
    place = Path(version.source.removeprefix("file://"))
    assert "python_function" in (place / "MLmodel").read_text()
    kept = place / "artifacts" / "detector" / "detector.json"
    assert kept.read_text() == "{}"
    # What is registered stays as it was when the folder is trained over.
    detector(tmp_path / "d", "changed")
    assert kept.read_text() == "{}"
    assert not [file for file in place.rglob("*") if file.suffix in (".pkl", ".pickle")]


def test_the_same_detector_is_registered_once_and_a_new_one_takes_the_alias(
    home: Path, tmp_path: Path
) -> None:
    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    first = tracking.detector("baseline", folder, {}, summary("one"))
    assert tracking.detector("baseline", folder, {}, summary("one")) == first
    second = tracking.detector("baseline", folder, {}, summary("two"))
    assert int(second) == int(first) + 1
    alias = tracking.client().get_model_version_by_alias(MODEL_NAME, "challenger")
    assert str(alias.version) == second


@pytest.mark.parametrize("moment", ["set_terminated", "create_model_version"])
def test_a_record_that_was_killed_is_finished_not_doubled(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from mlflow import MlflowClient

    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    with monkeypatch.context() as patch:
        whole = getattr(MlflowClient, moment)

        def killed(self: MlflowClient, *given: object, **named: object) -> None:
            whole(self, *given, **named)
            raise KeyboardInterrupt

        patch.setattr(MlflowClient, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            tracking.detector("stage", folder, {"seed": 1}, summary(moment))
    version = tracking.detector("stage", folder, {"seed": 1}, summary(moment))
    (run,) = runs(tracking, f"tags.content_hash = '{moment}'")
    assert run.info.status == "FINISHED" and run.data.metrics["threshold"] == 0.5
    client = tracking.client()
    found = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    assert [str(each.version) for each in found] == [version]
    points = client.get_metric_history(run.info.run_id, "meta/net/cross_entropy")
    assert [point.step for point in points] == [0, 1]


def test_the_champion_is_the_registered_detector_with_that_hash(home: Path, tmp_path: Path) -> None:
    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    versions = {
        name: tracking.detector("stage", folder, {}, summary(name)) for name in ("old", "new")
    }
    client = tracking.client()
    for name in ("new", "old"):  # forth, and rolled back
        assert tracking.champion(name, ["better on swap"]) == versions[name]
        champion = client.get_model_version_by_alias(MODEL_NAME, "champion")
        assert str(champion.version) == versions[name]
        assert champion.tags["released_because"] == "better on swap"
    assert tracking.champion("never registered") == ""


def test_an_evaluation_keeps_its_numbers_and_figures(home: Path, tmp_path: Path) -> None:
    tracking = Tracking()
    (tmp_path / "roc.png").write_bytes(b"png")
    flat = {
        "split": "test",
        "auc": 0.75,
        "ap": None,
        "detector_hash": "abc",
        "auc_interval": [0, 1],
    }
    tracking.evaluation("challenger", "faces", "v1", flat, tmp_path)
    (run,) = runs(tracking, "params.domain = 'faces'")
    assert run.data.metrics == {"auc": 0.75} and run.data.params["detector"] == "challenger"
    files = tracking.client().list_artifacts(run.info.run_id, "evaluation")
    assert [file.path for file in files] == ["evaluation/roc.png"]


def recorded(
    instance: dg.DagsterInstance, key: str, name: str, fails: bool = False
) -> dg.ExecuteInProcessResult:
    """A run of the graph with one asset, that records and shows the link."""

    @dg.asset(name=name)
    def made(tracking: Tracking) -> dg.MaterializeResult:
        tracking.record(
            key, lambda: Record(key, metrics={"auc": 0.9}, headline={"auc/x": (2, 0.9)})
        )
        if fails:
            raise ValueError("what comes after it fails")
        return dg.MaterializeResult(metadata=tracking.link())

    chosen = dg.define_asset_job(name=f"{name}_job", selection=[made])
    defs = dg.Definitions(assets=[made], jobs=[chosen], resources={"tracking": Tracking()})
    job = defs.resolve_job_def(f"{name}_job")
    return job.execute_in_process(instance=instance, raise_on_error=False)


def parents(tracking: Tracking, name: str) -> list:
    return runs(tracking, f"params.job = '{name}_job'")


def test_a_run_of_the_graph_is_one_parent_run_and_each_names_the_other(home: Path) -> None:
    tracking = Tracking()
    with dg.DagsterInstance.ephemeral() as instance:
        result = recorded(instance, "linked", "linked")
        (parent,) = parents(tracking, "linked")
        assert parent.info.status == "FINISHED"
        assert parent.data.tags["dagster.run_id"] == result.run_id
        assert result.run_id in parent.data.tags["mlflow.note.content"]
        tags = instance.get_run_by_id(result.run_id).tags
        assert tags["mlflow_run_id"] == parent.info.run_id
        (event,) = result.asset_materializations_for_node("linked")
        assert event.metadata["mlflow_run"].value.endswith(f"runs/{parent.info.run_id}")
    (child,) = runs(tracking, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert child.data.metrics == {"auc": 0.9}
    (point,) = tracking.client().get_metric_history(parent.info.run_id, "auc/x")
    assert (point.step, point.value) == (2, 0.9)


def test_a_run_with_a_failed_step_is_marked_as_failed(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert not recorded(instance, "failing", "failing", fails=True).success
    (parent,) = parents(Tracking(), "failing")
    assert parent.info.status == "FAILED"


def test_what_goes_on_after_a_kill_goes_on_in_the_same_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracking = Tracking()
    with dg.DagsterInstance.ephemeral() as instance:
        with monkeypatch.context() as patch:  # a killed process tears nothing down
            patch.setattr(Tracking, "teardown_after_execution", lambda self, context: None)
            first = recorded(instance, "before the kill", "killed")
            other = recorded(instance, "another's", "abandoned")
        # Another run that comes by marks it; it is gone on with all the same.
        assert [run.info.status for run in parents(tracking, "killed")] == ["KILLED"]
        second = recorded(instance, "after the kill", "killed")
        (parent,) = parents(tracking, "killed")
        assert parent.info.status == "FINISHED"
        assert parent.data.tags["dagster.run_ids"].split() == [first.run_id, second.run_id]
        children = runs(tracking, f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
        assert len(children) == 2
        (left,) = parents(tracking, "abandoned")
        assert left.info.status == "KILLED" and left.data.tags["dagster.run_id"] == other.run_id
        recorded(instance, "once more, from the beginning", "killed")
    assert len(parents(tracking, "killed")) == 2


def test_a_deleted_experiment_is_said_with_the_way_to_restore_it(home: Path) -> None:
    tracking = Tracking()
    client = tracking.client()
    tracking.record("first", lambda: Record("first"))
    number = client.get_experiment_by_name("deepward").experiment_id
    client.delete_experiment(number)
    try:
        with pytest.raises(dg.Failure, match=f"restore --experiment-id {number}"):
            tracking.record("second", lambda: Record("second"))
        assert tracking.record("first", lambda: Record("never asked for"))
    finally:
        client.restore_experiment(number)
    assert tracking.record("second", lambda: Record("second"))


def test_the_experiment_opens_on_its_runs_and_says_what_it_holds(home: Path) -> None:
    tracking = Tracking()
    tracking.record("any", lambda: Record("any"))
    tags = tracking.client().get_experiment_by_name("deepward").tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert "model cards" in tags["mlflow.note.content"]


def test_switched_off_it_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    assert Tracking(enabled=False).detector("baseline", tmp_path, {}, SUMMARY) == ""
    assert list(tmp_path.iterdir()) == []


ODD = "50%41 #a?b=c&d'q\"ü日本[x]*;"


def test_a_home_with_any_signs_in_its_path_holds_database_and_artefacts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ODD
    monkeypatch.setenv("DEEPWARD_HOME", str(home))
    tracking = Tracking()
    (home / "detectors").mkdir(parents=True)
    folder = detector(home / "detectors" / ODD, "{}")
    assert tracking.detector("baseline", folder, {}, SUMMARY) == "1"
    version = tracking.client().get_model_version_by_alias(MODEL_NAME, "challenger")
    kept = tracking.client().download_artifacts(version.run_id, "model", str(tmp_path))
    assert (Path(kept) / "artifacts/detector/detector.json").read_text() == "{}"
    assert (home / "mlflow" / "mlflow.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {ODD, "model"}  # and nothing beside it


def test_addresses_of_plain_paths_read_as_people_write_them() -> None:
    assert sqlite_address(Path("/a/b-c_1/mlflow.db")) == "sqlite:////a/b-c_1/mlflow.db"


def test_domains_of_any_name_stay_apart_and_can_be_read_back(home: Path) -> None:
    tracking = Tracking()
    names = ['a "b", [c] #d & 50%', "日本", "中国"]
    record = Record("odd", metrics={f"auc/{n}": i for i, n in enumerate(names)})
    data = dict.fromkeys(names, "0123456789abcdef")
    run = tracking.record("odd", lambda: replace(record, datasets=data))
    found = tracking.client().get_run(run)
    assert sorted(found.data.metrics.values()) == [0, 1, 2]
    sources = [json.loads(used.dataset.source) for used in found.inputs.dataset_inputs]
    assert {source["domain"] for source in sources} == set(names)


def refused(tracking: Tracking, path: Path) -> str:
    """What is said where MLflow is out of reach, and that the next time makes up for it."""
    with pytest.raises(dg.Failure) as failure:
        tracking.record("late", lambda: Record("late"))
    with pytest.raises(dg.Failure, match="kept in the store"):
        tracking.champion("any")
    assert not any(path.rglob("*.card.json"))  # nothing says that it was recorded
    return str(failure.value.description)


def test_a_server_that_is_gone_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told = refused(Tracking(uri="http://127.0.0.1:9"), tmp_path)
    assert "http://127.0.0.1:9" in told and "materialize it again" in told


def test_a_locked_database_is_said_and_the_record_made_up_for(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tracking().client()  # the tables are there
    (tmp_path / "mlflow").mkdir()
    shutil.copy(home / "mlflow" / "mlflow.db", tmp_path / "mlflow" / "mlflow.db")
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    tracking = Tracking()
    with closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "locked" in refused(tracking, tmp_path)
    assert tracking.record("late", lambda: Record("late"))
    (run,) = runs(tracking, "attributes.run_name = 'late'")
    assert run.info.status == "FINISHED"
