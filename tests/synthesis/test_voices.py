"""Few-shot sets of voices: as long, as large and as loud as their originals, and marked."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from deepward.domains import Manifest, audit_domain, scan_domain
from deepward.errors import SynthesisError
from deepward.pictures.marks import stated_source_type
from deepward.synthesis import SynthesisConfig, synthesize
from deepward.synthesis.prompts import medium_of_specs
from deepward.synthesis.provenance import read_rows
from deepward.techniques.specs import EditSpec
from tests.spoken import voice, write_sound


def spec(number: int, operation: str = "resynthesize", region: str = "voice") -> EditSpec:
    return EditSpec.model_validate(
        {
            "id": f"tts-{number}",
            "technique": "text-to-speech",
            "region": region,
            "operation": operation,
            "positive_prompt": "a calm speaker",
            "negative_prompt": "noise",
            "strength": 0.8,
            "seed": number,
            "pattern": "tts-voice-1",
            "chunk_ids": ["a"],
        }
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Eight recordings in a flat domain."""
    root = tmp_path_factory.mktemp("bases") / "people"
    for seed in range(8):
        write_sound(root / "0_real" / f"{seed}.wav", voice(seed, 1.0))
    return scan_domain(root, workers=1)


@pytest.fixture(scope="module")
def made(base: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "fewshot_tts"
    synthesize([spec(0), spec(1, "splice")], base, out, SynthesisConfig(max=16), workers=1)
    return out


def test_a_set_of_voices_is_a_domain_of_sounds_whose_form_tells_nothing(made: Path) -> None:
    manifest = scan_domain(made, workers=1)
    counts = manifest.counts()
    assert manifest.medium == "audio" and manifest.declared_splits
    assert sum(c["fake"] for name, c in counts.items() if name != "quarantined") == 16
    assert set(manifest.usable()["technique"]) >= {"griffin-lim", "source-filter"}
    groups = manifest.usable().groupby("group")["label"].nunique()
    assert (groups == 2).all()  # a copy is in the split of its recording
    assert not audit_domain(manifest).flagged


def test_copies_are_as_long_as_their_originals_and_bear_another_mark(made: Path) -> None:
    for row in read_rows(made):
        assert row["status"] == "made" and row["mask"] is None and row["locator"] is None
        files = [made / row[what] for what in ("original", "fake")]
        assert files[0].stat().st_size == files[1].stat().st_size
        one, other = (soundfile.read(file)[0] for file in files)
        assert np.abs(one - other).mean() > 1e-3
        told = [stated_source_type(file.read_bytes()) for file in files]
        assert told == ["digitalCapture", "algorithmicallyEnhanced"]
        assert row["digital_source_type"] == told[1]


def test_the_montage_shows_spectrograms_of_both_kinds_of_copies(made: Path) -> None:
    with Image.open(made / "montage.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert min(pixels.shape[:2]) > 300 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


def test_the_same_request_gives_the_same_bytes_and_copies_are_no_bases(
    base: Manifest, made: Path, tmp_path: Path
) -> None:
    specs = [spec(0), spec(1, "splice")]
    again = tmp_path / "again"
    synthesize(specs, base, again, SynthesisConfig(max=3), workers=1)
    rows = read_rows(again)
    assert len(rows) == 3
    for row in rows:
        assert (again / row["fake"]).read_bytes() == (made / row["fake"]).read_bytes()
    fakes = tmp_path / "posing"
    for number, row in enumerate(read_rows(made)[:2]):
        place = fakes / "0_real" / f"{number}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((made / row["fake"]).read_bytes())
    report = synthesize([spec(0)], scan_domain(fakes, workers=1), tmp_path / "none", workers=1)
    assert report.made == 0 and report.reasons == {"not_real": 2}


def test_prompts_say_of_which_medium_they_are_and_engines_of_which_they_make(
    base: Manifest, tmp_path: Path
) -> None:
    assert medium_of_specs([spec(0), spec(1, region="pauses")]) == "audio"
    assert medium_of_specs([spec(0, region="mouth"), spec(1, region="hair")]) == "image"
    with pytest.raises(SynthesisError, match="griffin-lim, source-filter"):
        synthesize([spec(0)], base, tmp_path / "set", SynthesisConfig(engine="swap"))
    assert not (tmp_path / "set").exists()
