"""A domain of sounds in the graph: scanned, audited, trained on, measured, apart from pictures."""

from pathlib import Path

import dagster as dg
import pytest

from assets.domains import scanned_domains
from dagster_project.definitions import defs
from resources import ArtifactStore, DomainFolders, Tracking
from tests.spoken import vocoded, voice, write_sound

ASSETS = ("domain_manifest", "domain_audit", "audio_detector", "domain_metrics")


def test_a_domain_of_sounds_is_trained_on_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = 0
    for split, count in {"train": 8, "val": 4, "test": 5}.items():
        for _ in range(count):
            seed += 1
            sound, place = voice(seed, 1.0), tmp_path / "domains" / "voices" / split
            write_sound(place / "0_real" / f"{seed}.wav", sound)
            write_sound(place / "1_fake" / f"{seed}.wav", vocoded(sound, seed))
    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPWARD_DOMAINS", str(tmp_path / "domains"))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("domain", ["voices"])
        for name in ASSETS:
            config = {
                "audio_detector": {"false_positive_rate": 0.2},
                "domain_metrics": {"resamples": 20},
            }.get(name)
            ran = dg.materialize(
                [asset for asset in defs.assets or () if isinstance(asset, dg.AssetsDefinition)],
                selection=[name],
                instance=instance,
                partition_key=None if name == "audio_detector" else "voices",
                run_config={"ops": {name: {"config": config}}} if config else None,
                resources={**defs.resources, "tracking": Tracking(enabled=False)},
            )
            assert ran.success
        (event,) = ran.get_asset_materialization_events()
        shown = event.materialization.metadata
        assert shown["auc"].value > 0.8 and "figure_pictures" in shown
        assert (tmp_path / "home" / "detectors" / "baseline_audio" / "detector.json").is_file()
        store, folders = ArtifactStore(), DomainFolders()
        assert scanned_domains(instance, store, folders) == []
        assert len(scanned_domains(instance, store, folders, "audio")) == 1
