"""Domains of sounds in the graph: by the same assets and jobs as pictures, beside them."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import dagster as dg
import pytest

from assets.domains import scanned_domains
from dagster_project.definitions import defs
from deepward.detectors import load_detector
from deepward.domains.layout import medium_at
from deepward.home import (
    champion_detector,
    default_detector,
    domains_folder,
    report_file,
    stages_folder,
)
from deepward.inbox import Inbox
from deepward.learning.continual import Ledger
from deepward.release import Releases
from deepward.sounds.prepare import prepare
from resources import ArtifactStore, DomainFolders, Knowledge, Tracking, Watching
from sensors import technique_feed_sensor
from tests.drawn import striped_images
from tests.spoken import vocoded, voice, write_sound

RATE = {"false_positive_rate": 0.2}  # few reals are drawn
QUICKLY = {
    "domain_metrics": {"detector": "head", "resamples": 20},
    "released_detector": {"resamples": 50},
}


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


def materialize(
    instance: dg.DagsterInstance, asset: str, domain: str | None = None, **config: Any
) -> dg.ExecuteInProcessResult:
    ran = dg.materialize(
        [each for each in defs.assets or () if isinstance(each, dg.AssetsDefinition)],
        selection=[asset],
        instance=instance,
        partition_key=domain,
        run_config={"ops": {asset: {"config": config}}},
        resources={**defs.resources, "tracking": Tracking(enabled=False)},
    )
    assert ran.success
    return ran


@pytest.fixture(scope="module")
def trained(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """The main job over the first domain."""
    return run(
        instance,
        "evaluate_domains",
        "voices",
        baseline_detector={**RATE, "domains": ["voices"]},
        domain_metrics={"resamples": 20},
    )


@pytest.fixture(scope="module")
def learned(
    instance: dg.DagsterInstance, trained: dg.ExecuteInProcessResult
) -> dg.ExecuteInProcessResult:
    """The second domain, as the sensor has it learned."""
    return run(instance, "learn_domain", "others", continual_checkpoints=RATE, **QUICKLY)


@pytest.fixture(scope="module")
def mixed(
    instance: dg.DagsterInstance, trained: dg.ExecuteInProcessResult
) -> dg.ExecuteInProcessResult:
    """A domain of pictures beside them, measured where there is no detector of pictures."""
    data = striped_images(16)
    for number, (pixels, label) in enumerate(zip(data.pixels, data.labels, strict=True)):
        place = domains_folder() / "photos" / "test" / ("1_fake" if label else "0_real")
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number}.png"), pixels)
    instance.add_dynamic_partitions("domain", ["photos"])
    return run(instance, "evaluate_new_domain", "photos")


def test_the_main_job_trains_measures_and_reports_sounds(
    instance: dg.DagsterInstance, trained: dg.ExecuteInProcessResult
) -> None:
    assert default_detector("audio").is_dir() and not default_detector().exists()
    found = shown(trained, "domain_metrics")
    assert found["auc"] > 0.8 and "figure_pictures" in found
    assert "threshold_audio" in shown(trained, "baseline_detector")
    assert report_file("audio").is_file() and not report_file().exists()
    store, folders = ArtifactStore(), DomainFolders()
    found = scanned_domains(instance, store, folders, "audio")
    assert "voices" in {manifest.domain for manifest in found}
    pictures = scanned_domains(instance, store, folders)
    assert "voices" not in {manifest.domain for manifest in pictures}


def test_one_more_domain_of_sounds_is_learned_and_set_against_the_champion(
    learned: dg.ExecuteInProcessResult,
) -> None:
    assert shown(learned, "domain_metrics")["detector"] == "stage-000-others"
    first = Ledger(stages_folder("audio")).chain()[0]
    assert first.domains == ("others",) and first.parent == "baseline_audio"
    assert not stages_folder().exists()
    entry = Releases(ArtifactStore().folder, "audio").entries()[0]
    assert entry.detector == "stage-000-others"
    assert {check["domain"] for check in entry.checks} >= {"others", "voices"}
    assert champion_detector("audio").is_dir() == entry.released
    assert shown(learned, "released_detector")["released_audio"] == entry.released
    told = shown(learned, "metrics")
    assert "| voices |" in told["cross_domain_auc_audio"] and "figure_cross_domain_audio" in told
    assert told["continual_stages_audio"] >= 1 and "cross_domain_auc" not in told


def test_a_forgotten_domain_of_sounds_leaves_what_was_there_before(
    instance: dg.DagsterInstance, learned: dg.ExecuteInProcessResult
) -> None:
    materialize(instance, "continual_checkpoints", "others", **RATE, forget=True)
    head = Ledger(stages_folder("audio")).forgotten("others")
    assert head is not None
    now = load_detector(ArtifactStore().path(f"detectors/{head.detector}"))
    assert "others" not in now.lineage["domains"]
    if head.number == 1:  # nothing else was learned in between
        prepared = [prepare(voice(seed, 1.0)) for seed in range(200, 204)]
        before = load_detector(default_detector("audio"))
        told = [each.predict(prepared).logit for each in (now, before)]
        assert told[0] == pytest.approx(told[1], abs=1e-6)


def test_pictures_without_a_detector_are_told_to_be_not_judged(
    mixed: dg.ExecuteInProcessResult,
) -> None:
    found = shown(mixed, "domain_metrics")
    assert found["not_judged"] == "no detector of pictures yet" and "auc" not in found


def test_sounds_are_degraded_as_sounds_are(
    instance: dg.DagsterInstance, trained: dg.ExecuteInProcessResult
) -> None:
    asked = {"degradations": ["mp3 1", "jpeg"], "resamples": 20, "most": 8}
    told = shown(materialize(instance, "robustness_report", **asked), "robustness_report")
    assert told["pictures_audio"] == 8 and "| mp3 1 |" in told["degradations_audio"]
    assert "jpeg" not in told["degradations_audio"] and "attacks_audio" not in told


def test_the_sequence_has_domains_of_both_media_in_stages_of_one(
    instance: dg.DagsterInstance,
    learned: dg.ExecuteInProcessResult,
    mixed: dg.ExecuteInProcessResult,
) -> None:
    told = shown(materialize(instance, "task_sequence", pictures=8), "task_sequence")
    groups = ArtifactStore().read_json("sequence/task_sequence.json")["groups"]
    assert "figure_transfer" in told and told["stages"] == len(groups)
    assert groups[0] == ["photos"] and groups[-2:] == [["others"], ["voices"]]


@pytest.mark.slow
def test_a_note_on_a_voice_technique_goes_the_whole_way(
    instance: dg.DagsterInstance,
    learned: dg.ExecuteInProcessResult,
    corpus_files: Any,
    tmp_path: Path,
) -> None:
    home = ArtifactStore().folder
    shutil.copytree(corpus_files.root, home / "knowledge")
    note = tmp_path / "note.md"
    note.write_text(
        "---\nname: Papageno 9\n---\nSpeaks the words of a recording in the voice of another "
        "speaker; its vocoder leaves smeared consonants and pitch errors in the speech.\n"
    )
    inbox = Inbox(home)
    inbox.add(note)
    for path in (inbox.waiting_folder, *inbox.waiting_folder.rglob("*")):
        os.utime(path, (0, 0))  # it is complete
    context = dg.build_sensor_context(instance=instance)
    told = technique_feed_sensor(
        context,
        store=ArtifactStore(),
        domains=DomainFolders(),
        knowledge=Knowledge(),
        watching=Watching(),
    )
    (request,) = told.run_requests or []
    instance.add_dynamic_partitions("technique", [request.partition_key])
    run(
        instance,
        request.job_name,
        request.partition_key,
        attack_intelligence={"prompts": 4},
        fewshot_dataset={"fakes": 30},
    )
    prompts = (home / "briefs" / "papageno-9" / "prompts.json").read_text(encoding="utf-8")
    assert {spec["operation"] for spec in json.loads(prompts)["prompts"]} <= {
        "resynthesize",
        "splice",
    }
    made = domains_folder() / "fewshot_papageno-9"
    assert medium_at(made) == "audio"
    instance.add_dynamic_partitions("domain", [made.name])
    run(instance, "learn_domain", made.name, continual_checkpoints=RATE, **QUICKLY)
    assert Ledger(stages_folder("audio")).known()[-1] == made.name
    entry = Releases(home, "audio").entries()[-1]
    assert entry.subject == "papageno-9" and not entry.released
    assert ("evidence", False) in {(c["name"], c["passed"]) for c in entry.checks}
    assert (inbox.review_folder / "papageno-9.md").is_file()  # specimens would settle it
