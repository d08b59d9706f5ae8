"""One chunk from bases to rows, with an engine and parts of the tests' own."""

from collections.abc import Sequence

import numpy as np
import pytest

from deepward.errors import SynthesisError
from deepward.synthesis import pipeline, planning
from deepward.synthesis.config import CARRIED_OUT_BY, SynthesisConfig, check_config, engine_for
from deepward.synthesis.dataset import synthesize
from deepward.synthesis.interfaces import Box, Job, Mask, Pixels, Rejected
from deepward.synthesis.models import Parts
from deepward.synthesis.pasting import changed_part, paste_back
from deepward.synthesis.provenance import read_rows


class Everywhere:
    """Finds the middle of every picture; nothing for the region `nothing`."""

    name = "everywhere"

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []

    def locate(self, images: Sequence[Pixels], phrases: Sequence[str]) -> list[list[Box]]:
        self.asked += [(hash(i.tobytes()), p) for i, p in zip(images, phrases, strict=True)]
        return [
            [] if phrase == "nothing" else [Box(20, 20, 90, 90, 1.0, phrase)] for phrase in phrases
        ]


class Inside:
    """The box itself; `void` has no area and `all` covers the picture."""

    name = "inside"

    def segment(self, images: Sequence[Pixels], boxes: Sequence[Box]) -> list[Mask]:
        masks = []
        for image, box in zip(images, boxes, strict=True):
            mask = np.zeros(image.shape[:2], bool)
            mask[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
            masks.append(mask & (box.phrase != "void") | (box.phrase == "all"))
        return masks


class Inverting:
    """Inverts the whole picture, mask or not; `shy` specs change nothing."""

    name = "inverting"
    is_composite = follows_prompt = False
    model = model_sha256 = None
    batch_size = 3

    def __init__(self, needs_donor: bool = False) -> None:
        self.needs_donor = needs_donor
        self.batches: list[list[Job]] = []

    def make(self, jobs: Sequence[Job]) -> list[Pixels | Rejected]:
        self.batches.append(list(jobs))
        return [self._make(job) for job in jobs]

    def _make(self, job: Job) -> Pixels | Rejected:
        if "impossible" in job.spec.id:
            return Rejected("impossible", "It cannot be done.")
        return job.base if "shy" in job.spec.id else 255 - job.base


@pytest.fixture
def parts(monkeypatch) -> Parts:
    made = Parts(Everywhere(), Inside(), {"retouch": Inverting(), "swap": Inverting(True)})
    monkeypatch.setattr(pipeline, "load_parts", lambda *_: made)
    monkeypatch.setattr(planning, "BASES_PER_CHUNK", 4)
    pipeline.forget_parts()
    yield made
    pipeline.forget_parts()


CONFIG = SynthesisConfig(max=8)


def test_whatever_the_engine_does_nothing_outside_the_mask_changes(
    parts, spec, portraits, tmp_path, monkeypatch
):
    written = []
    encode = pipeline.encode_jpeg

    def listen(pixels, *arguments, **named):
        written.append(pixels)
        return encode(pixels, *arguments, **named)

    monkeypatch.setattr(pipeline, "encode_jpeg", listen)
    synthesize([spec("retouch", "face")], portraits, tmp_path / "set", CONFIG, workers=1)
    jobs = [job for batch in parts.engines["retouch"].batches for job in batch]
    assert len(jobs) == 8 and len(written) == 16
    for job, fake, untouched in zip(jobs, written[::2], written[1::2], strict=True):
        assert np.array_equal(untouched, job.base)
        assert np.array_equal(fake[~job.mask], job.base[~job.mask])
        assert np.array_equal(fake[job.mask], 255 - job.base[job.mask])


def test_every_reason_to_reject_is_counted_and_the_run_goes_on(
    parts, spec, portraits, tmp_path, monkeypatch
):
    monkeypatch.setattr(planning, "ATTEMPTS", 1)
    specs = [
        spec("retouch", "face"),
        spec("retouch", "nothing"),
        spec("retouch", "void"),
        spec("retouch", "all"),
        spec("retouch", "face", id="shy"),
        spec("retouch", "face", id="impossible"),
    ]
    config = SynthesisConfig(max=15)
    report = synthesize(specs, portraits, tmp_path / "set", config, workers=1)
    assert report.made == 3
    assert report.reasons == {
        "no_region": 3, "mask_empty": 3, "mask_full": 2, "unchanged": 2, "impossible": 2,
    }  # fmt: skip
    for row in read_rows(tmp_path / "set"):
        if row["status"] == "rejected":
            assert row["message"].endswith(".") and row["fake"] is None
    assert len(list((tmp_path / "set").rglob("0_real/*.jpg"))) == 3


def test_rejected_samples_are_made_good_with_further_ones(parts, spec, portraits, tmp_path):
    specs = [spec("retouch", "face"), spec("retouch", "nothing")]
    config = SynthesisConfig(max=8)
    report = synthesize(specs, portraits, tmp_path / "set", config, workers=1)
    assert report.made == 8 and report.reasons == {"no_region": report.rejected}


def test_each_picture_is_looked_at_once_for_each_region(
    parts, spec, portraits, tmp_path, monkeypatch
):
    monkeypatch.setattr(planning, "ATTEMPTS", 1)
    monkeypatch.setattr(planning, "BASES_PER_CHUNK", 50)
    specs = [spec("swap", "face"), spec("retouch", "face"), spec("retouch", "face", id="other")]
    config = SynthesisConfig(max=15)
    synthesize(specs, portraits, tmp_path / "set", config, workers=1)
    assert len(parts.locator.asked) == len(set(parts.locator.asked)) == 15


def test_engines_get_batches_of_the_size_they_like_and_donors_that_are_others(
    parts, spec, portraits, tmp_path
):
    synthesize([spec("swap", "face")], portraits, tmp_path / "set", CONFIG, workers=1)
    batches = parts.engines["swap"].batches
    assert max(map(len, batches)) <= 3 and sum(map(len, batches)) == 8
    for job in (job for batch in batches for job in batch):
        assert job.donor is not None and job.donor_box is not None
        assert not np.array_equal(job.donor, job.base)


def test_a_single_base_has_no_donor(parts, spec, portraits, tmp_path):
    one = sorted(portraits.rglob("*.jpg"))[0]
    report = synthesize([spec("swap", "face")], one, tmp_path / "set", CONFIG, workers=1)
    assert report.made == 0 and report.reasons == {"no_donor": 1}


def test_seeds_come_from_the_run_the_spec_and_the_base(
    parts, spec, portraits, tmp_path, monkeypatch
):
    specs = [spec("retouch", "face"), spec("retouch", "face", id="second")]
    found = []
    for run, seed in enumerate((0, 0, 1)):
        monkeypatch.setattr(planning, "BASES_PER_CHUNK", 4 + run)
        config = SynthesisConfig(max=30, seed=seed)
        synthesize(specs, portraits, tmp_path / str(run), config, workers=1)
        rows = read_rows(tmp_path / str(run))
        found.append({(row["base"], row["spec_id"]): row["seed"] for row in rows})
    assert found[0] == found[1] and not set(found[0].values()) & set(found[2].values())
    assert len(set(found[0].values())) == len(found[0]) == 30


def test_a_mask_says_where_pixels_changed_and_has_no_pinholes():
    base = np.zeros((64, 64, 3), np.uint8)
    fake = base.copy()
    fake[10:30, 10:30] = 9
    fake[20, 20] = 0
    mask = np.zeros((64, 64), bool)
    mask[5:, 5:] = True
    expected = np.zeros((64, 64), bool)
    expected[10:30, 10:30] = True
    assert np.array_equal(changed_part(base, fake, mask), expected)
    assert np.array_equal(paste_back(base, fake, expected), fake)


def test_every_operation_is_carried_out_without_weights():
    from deepward.synthesis.engines import ENGINES

    config = SynthesisConfig()
    for operation, engine in CARRIED_OUT_BY.items():
        assert engine in ENGINES and engine_for(operation, config) == engine
    assert engine_for("inpaint", config) == "resynthesize"
    assert engine_for("inpaint", SynthesisConfig(inpainting="model")) == "inpaint"
    assert engine_for("inpaint", SynthesisConfig(engine="swap")) == "swap"


def test_the_default_configuration_is_in_order():
    check_config(SynthesisConfig())
    with pytest.raises(SynthesisError, match="inpainting"):
        check_config(SynthesisConfig(engine="inpaint"))
