"""Tracking against a real MLflow database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from resources import MODEL_NAME, Tracking

SUMMARY = {"content_hash": "abc", "decision": {"threshold": 0.5}}


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


def test_a_training_is_a_run_with_its_files_and_a_challenger(home: Path, tmp_path: Path) -> None:
    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    assert tracking.detector("baseline", folder, {"seed": 0, "steps": None}, SUMMARY) == "1"
    client = tracking.client()
    version = client.get_model_version_by_alias(MODEL_NAME, "challenger")
    run = client.get_run(version.run_id)
    assert run.data.params == {"seed": "0"} and run.data.metrics == {"threshold": 0.5}
    assert run.info.status == "FINISHED"
    kept = Path(version.source.removeprefix("file://")) / "detector.json"
    assert kept.read_text() == "{}"
    # What is registered stays as it was when the folder is trained over.
    detector(tmp_path / "d", "changed")
    assert kept.read_text() == "{}"


def test_the_same_detector_is_registered_once_and_a_new_one_takes_the_alias(
    home: Path, tmp_path: Path
) -> None:
    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    first = tracking.detector("baseline", folder, {}, {**SUMMARY, "content_hash": "one"})
    assert tracking.detector("baseline", folder, {}, {**SUMMARY, "content_hash": "one"}) == first
    second = tracking.detector("baseline", folder, {}, {**SUMMARY, "content_hash": "two"})
    assert int(second) == int(first) + 1
    alias = tracking.client().get_model_version_by_alias(MODEL_NAME, "challenger")
    assert str(alias.version) == second


def test_the_champion_is_the_registered_detector_with_that_hash(home: Path, tmp_path: Path) -> None:
    tracking = Tracking()
    folder = detector(tmp_path / "d", "{}")
    versions = {
        name: tracking.detector("stage", folder, {}, {**SUMMARY, "content_hash": name})
        for name in ("old", "new")
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
    client = tracking.client()
    experiment = client.get_experiment_by_name("deepward")
    runs = client.search_runs([experiment.experiment_id], "params.domain = 'faces'")
    assert [run.data.metrics for run in runs] == [{"auc": 0.75}]
    assert runs[0].data.params["detector"] == "challenger"
    assert [f.path for f in client.list_artifacts(runs[0].info.run_id, "evaluation")] == [
        "evaluation/roc.png"
    ]


def test_switched_off_it_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    assert Tracking(enabled=False).detector("baseline", tmp_path, {}, SUMMARY) == ""
    assert list(tmp_path.iterdir()) == []
