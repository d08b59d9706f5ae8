"""Domains of sounds in the graph: by the same assets and jobs as pictures, beside them."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from assets.domains import scanned_domains
from dagster_project.definitions import defs
from deepward.home import (
    champion_detector,
    default_detector,
    domains_folder,
    report_file,
    stages_folder,
)
from deepward.learning.continual import Ledger
from deepward.release import Releases
from resources import ArtifactStore, DomainFolders, Tracking
from tests.spoken import vocoded, voice, write_sound

RATE = {"false_positive_rate": 0.2}  # few reals are drawn


def add_voices(name: str, first: int, sizes: dict[str, int]) -> None:
    """A domain of drawn voices, and copies of them."""
    seed = first
    for split, count in sizes.items():
        for _ in range(count):
            seed += 1
            sound, place = voice(seed, 1.0), domains_folder() / name / split
            write_sound(place / "0_real" / f"{seed}.wav", sound)
            write_sound(place / "1_fake" / "chance" / f"{seed}.wav", vocoded(sound, seed))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """A home with two domains of sounds, of which the first was learned by the baseline."""
    folder = tmp_path_factory.mktemp("graph")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as made:
        patch.setenv("DEEPWARD_HOME", str(folder / "home"))
        patch.setenv("DEEPWARD_DOMAINS", str(folder / "domains"))
        add_voices("voices", 0, {"train": 8, "val": 4, "test": 6})
        add_voices("others", 100, {"train": 6, "val": 3, "test": 6})
        made.add_dynamic_partitions("domain", ["voices", "others"])
        yield made


def run(
    instance: dg.DagsterInstance, job: str, domain: str, **ops: Any
) -> dg.ExecuteInProcessResult:
    definition = defs.resolve_job_def(job)
    quiet = {"resources": {"tracking": {"config": {"enabled": False}}}}
    return definition.execute_in_process(
        instance=instance,
        partition_key=domain,
        run_config={**quiet, "ops": {name: {"config": config} for name, config in ops.items()}},
    )


def shown(ran: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    events = [e for e in ran.get_asset_materialization_events() if e.asset_key.path[-1] == asset]
    return {k: v.value for k, v in events[-1].materialization.metadata.items()}


def test_the_main_job_trains_measures_and_reports_sounds(instance: dg.DagsterInstance) -> None:
    ran = run(
        instance,
        "evaluate_domains",
        "voices",
        baseline_detector={**RATE, "domains": ["voices"]},
        domain_metrics={"resamples": 20},
    )
    assert default_detector("audio").is_dir() and not default_detector().exists()
    found = shown(ran, "domain_metrics")
    assert found["auc"] > 0.8 and "figure_pictures" in found
    assert "threshold_audio" in shown(ran, "baseline_detector")
    assert report_file("audio").is_file() and not report_file().exists()
    store, folders = ArtifactStore(), DomainFolders()
    assert scanned_domains(instance, store, folders) == []
    assert len(scanned_domains(instance, store, folders, "audio")) == 1


def test_one_more_domain_of_sounds_is_learned_and_set_against_the_champion(
    instance: dg.DagsterInstance,
) -> None:
    options = {"domain_metrics": {"detector": "head", "resamples": 20}}
    options["released_detector"] = {"resamples": 50}
    ran = run(instance, "learn_domain", "others", continual_checkpoints=RATE, **options)
    assert shown(ran, "domain_metrics")["detector"] == "stage-000-others"
    chain = Ledger(stages_folder("audio"))
    assert chain.known() == ["others"] and chain.head().parent == "baseline_audio"
    assert not stages_folder().exists()
    (entry,) = Releases(ArtifactStore().folder, "audio").entries()
    assert entry.detector == "stage-000-others"
    assert {check["domain"] for check in entry.checks} >= {"others", "voices"}
    assert champion_detector("audio").is_dir() == entry.released
    assert shown(ran, "released_detector")["released_audio"] == entry.released


def test_a_forgotten_domain_of_sounds_leaves_what_was_there_before(
    instance: dg.DagsterInstance,
) -> None:
    from deepward.detectors import load_detector

    ran = dg.materialize(
        [asset for asset in defs.assets or () if isinstance(asset, dg.AssetsDefinition)],
        selection=["continual_checkpoints"],
        instance=instance,
        partition_key="others",
        run_config={"ops": {"continual_checkpoints": {"config": {**RATE, "forget": True}}}},
        resources={**defs.resources, "tracking": Tracking(enabled=False)},
    )
    assert ran.success
    head = Ledger(stages_folder("audio")).head()
    assert head is not None and head.forgot
    now = load_detector(ArtifactStore().path(f"detectors/{head.detector}"))
    before = load_detector(default_detector("audio"))
    sounds = [voice(seed, 1.0) for seed in range(200, 204)]
    from deepward.sounds.prepare import prepare

    prepared = [prepare(sound) for sound in sounds]
    told = [each.predict(prepared).logit for each in (now, before)]
    assert told[0] == pytest.approx(told[1], abs=1e-6)
