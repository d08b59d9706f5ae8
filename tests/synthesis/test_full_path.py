"""Grounding DINO, SAM and Stable Diffusion, tiny and random, from boxes to masks to pictures."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tests.synthesis.tiny_models as tiny
from deepward.errors import SynthesisError
from deepward.synthesis import pipeline, planning, samples
from deepward.synthesis.config import SynthesisConfig, check_config
from deepward.synthesis.dataset import synthesize
from deepward.synthesis.engines.inpaint import InpaintEngine, fade
from deepward.synthesis.interfaces import Box, Job, Pixels, Rejected
from deepward.synthesis.locate import grounding
from deepward.synthesis.locate.grounding import GroundingDinoLocator
from deepward.synthesis.locate.sam import SamPredictorSegmenter, SamTransformersSegmenter, load_sam
from deepward.synthesis.pasting import paste_back
from deepward.synthesis.provenance import read_rows
from deepward.techniques.specs import EditSpec


@dataclass(frozen=True)
class Weights:
    grounding_dino: Path
    sam: Path
    segment_anything: Path
    inpainting: Path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    root = tmp_path_factory.mktemp("weights")
    return Weights(
        tiny.save_grounding_dino(root / "grounding"),
        tiny.save_sam(root / "sam"),
        tiny.save_segment_anything(root / "checkpoint" / "sam_tiny.pth"),
        tiny.save_inpainting(root / "inpainting", root / "tokenizer"),
    )


@pytest.fixture(params=["transformers", "segment_anything"])
def config(
    weights: Weights, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> SynthesisConfig:
    """Both ways to run SAM. Random weights are sure of nothing, so any box will do."""
    from segment_anything import sam_model_registry

    monkeypatch.setitem(sam_model_registry, tiny.SAM_NAME, tiny.build_segment_anything)
    sam = weights.sam if request.param == "transformers" else weights.segment_anything
    for module, name, value in (
        (grounding, "BOX_THRESHOLD", 0.0),
        (grounding, "TEXT_THRESHOLD", 0.0),
        (samples, "LEAST_MASK", 0.0),
        (samples, "MOST_MASK", 1.0),
        (pipeline, "LEAST_CHANGE", 0.0),
    ):
        monkeypatch.setattr(module, name, value)
    return SynthesisConfig(
        engine="inpaint",
        grounding_dino=str(weights.grounding_dino),
        sam=str(sam),
        sam_model=tiny.SAM_NAME,
        inpainting=str(weights.inpainting),
        device="cpu",
        diffusion_steps=2,
        batch_size=4,
    )


@pytest.fixture(scope="module")
def pictures() -> list[Pixels]:
    rng = np.random.default_rng(0)
    sizes = [(80, 100), (80, 100), (96, 70), (72, 72)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture
def specs(spec: Callable[..., EditSpec]) -> list[EditSpec]:
    return [
        spec("inpaint", "face"),
        spec("inpaint", "eyes", strength=0.6),
        spec("inpaint", "mouth"),
        spec("inpaint", "hair"),
    ]


def jobs_of(config: SynthesisConfig, pictures: list[Pixels], specs: list[EditSpec]) -> list[Job]:
    phrases = [spec.region for spec in specs]
    boxes = [found[0] for found in GroundingDinoLocator.load(config).locate(pictures, phrases)]
    masks = load_sam(config).segment(pictures, boxes)
    if config.inverted:
        masks = [~mask for mask in masks]
    return [
        Job(picture, mask, spec.region, spec, seed, box)
        for seed, (picture, mask, spec, box) in enumerate(
            zip(pictures, masks, specs, boxes, strict=True)
        )
    ]


@pytest.mark.parametrize("inverted", [False, True])
def test_boxes_become_masks_become_pictures(config, pictures, specs, inverted):
    config = replace(config, inverted=inverted)
    jobs = jobs_of(config, pictures, specs)
    for job in jobs:
        height, width = job.base.shape[:2]
        assert 0 <= job.box.left < job.box.right <= width
        assert 0 <= job.box.top < job.box.bottom <= height
        assert job.mask.shape == (height, width) and job.mask.dtype == np.bool_
        assert 0 < job.mask.mean() < 1
    made = InpaintEngine.load(config).make(jobs)
    assert len(made) == 4
    for job, picture in zip(jobs, made, strict=True):
        assert picture.shape == job.base.shape and picture.dtype == np.uint8
        assert np.array_equal(picture[~job.mask], job.base[~job.mask])
        assert np.abs(picture.astype(int) - job.base)[job.mask].mean() > 2


def test_both_ways_to_run_sam_are_told_apart_by_what_is_named(config):
    segmenter = load_sam(config)
    is_folder = Path(str(config.sam)).is_dir()
    assert isinstance(segmenter, SamTransformersSegmenter if is_folder else SamPredictorSegmenter)


def test_masks_do_not_depend_on_the_other_pictures_of_a_batch(config, pictures):
    boxes = [Box(10, 10, 50, 60, 1.0, "face") for _ in pictures]
    segmenter = load_sam(config)
    together = segmenter.segment(pictures, boxes)
    for picture, box, mask in zip(pictures, boxes, together, strict=True):
        alone = segmenter.segment([picture], [box])[0]
        assert (alone != mask).mean() < 0.01  # rounding differs with the size of the batch


def test_the_same_seeds_give_the_same_pictures_and_others_give_others(config, pictures, specs):
    jobs = jobs_of(config, pictures, specs)
    engine = InpaintEngine.load(config)
    first, again = engine.make(jobs), InpaintEngine.load(config).make(jobs)
    others = engine.make([replace(job, seed=job.seed + 100) for job in jobs])
    for one, two, other in zip(first, again, others, strict=True):
        assert np.array_equal(one, two)
        assert not np.array_equal(one, other)


def test_the_change_wanted_is_the_prompt_that_is_painted(config, pictures, specs, monkeypatch):
    engine = InpaintEngine.load(config)
    asked = []
    call = type(engine.pipeline).__call__

    def listen(self, **given):
        asked.append(given)
        return call(self, **given)

    monkeypatch.setattr(type(engine.pipeline), "__call__", listen)
    engine.make(jobs_of(config, pictures, specs))
    assert sorted(text for given in asked for text in given["prompt"]) == sorted(
        spec.positive_prompt for spec in specs
    )
    assert {text for given in asked for text in given["negative_prompt"]} == {"blur"}
    assert sorted(len(given["prompt"]) for given in asked) == [1, 3]  # by strength


@pytest.mark.parametrize("config", ["transformers"], indirect=True)
@pytest.mark.parametrize(("value", "reason"), [(float("nan"), "not_finite"), (-9.0, "black")])
def test_what_a_decoder_spoils_is_rejected_with_its_reason_and_the_others_are_made(
    config, pictures, specs, monkeypatch, value, reason
):
    jobs = [replace(job, spec=specs[0]) for job in jobs_of(config, pictures, specs)]
    engine = InpaintEngine.load(config)
    good = engine.make(jobs)
    decode = engine.pipeline.vae.decode

    def overflow(*arguments, **named):
        (decoded,) = decode(*arguments, **named)
        decoded[1] = value
        return (decoded,)

    monkeypatch.setattr(engine.pipeline.vae, "decode", overflow)
    made = engine.make(jobs)
    assert isinstance(made[1], Rejected) and made[1].reason == reason
    assert str(made[1]).endswith(".")
    for number in (0, 2, 3):
        assert np.array_equal(made[number], good[number])


def test_a_whole_run_gives_a_domain_with_pictures_untouched_outside_the_mask(
    config, portraits, specs, tmp_path, monkeypatch
):
    monkeypatch.setattr(pipeline, "JPEG_QUALITY", 100)
    config = replace(config, max=4)
    report = synthesize(specs, portraits, tmp_path / "set", config)
    assert report.made == 4 and report.engines == {"inpaint": 4}
    for row in read_rows(tmp_path / "set"):
        assert row["done_model"] == "inpainting" and len(row["done_model_sha256"]) == 64
        asked, shown = (
            row["asked_positive_prompt"],
            r"(upright|wide|square) photograph(, [a-z -]+)?",
        )
        assert re.fullmatch(re.escape(asked) + ", " + shown, row["done_prompt"])
        assert row["stand_in"] is None
        assert row["digital_source_type"] == "compositeWithTrainedAlgorithmicMedia"
        mask = np.asarray(Image.open(tmp_path / "set" / row["mask"])) > 0
        fake, original = (
            np.asarray(Image.open(tmp_path / "set" / row[name])).astype(int)
            for name in ("fake", "original")
        )
        # JPEG carries a change at most one block of 16 pixels far.
        grown = np.zeros_like(mask)
        for y, x in np.argwhere(mask):
            grown[y // 16 * 16 : y // 16 * 16 + 16, x // 16 * 16 : x // 16 * 16 + 16] = True
        near = np.pad(grown, 1)
        near = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:] | grown
        assert (fake == original)[~near].all()
    again = synthesize(specs, portraits, tmp_path / "again", config)
    assert again.version == report.version
    table = (tmp_path / "again" / "metadata.parquet").read_bytes()
    assert table == (tmp_path / "set" / "metadata.parquet").read_bytes()


def test_thresholds_that_nothing_passes_reject_every_sample(
    weights, portraits, specs, tmp_path, monkeypatch
):
    monkeypatch.setattr(planning, "ATTEMPTS", 1)
    monkeypatch.setattr(grounding, "BOX_THRESHOLD", 1.0)
    config = SynthesisConfig(
        grounding_dino=str(weights.grounding_dino), max=2, engine="self_blend", device="cpu"
    )
    report = synthesize(specs, portraits, tmp_path / "set", config)
    assert report.made == 0 and report.reasons == {"no_region": 2}


@pytest.mark.parametrize("setting", ["grounding_dino", "sam", "inpainting"])
def test_missing_weights_are_an_error_before_any_work(config, setting, portraits, specs, tmp_path):
    there_is_none = [None] if setting == "inpainting" else []
    for place in (*there_is_none, str(tmp_path), str(tmp_path / "nothing")):
        broken = replace(config, **{setting: place})
        with pytest.raises(SynthesisError, match=setting):
            check_config(broken)
        with pytest.raises(SynthesisError, match=setting):
            synthesize(specs, portraits, tmp_path / "set", broken)
    assert not (tmp_path / "set").exists()


def test_damaged_weights_are_an_error_that_names_the_setting(config, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(SynthesisError, match="grounding_dino at"):
        GroundingDinoLocator.load(replace(config, grounding_dino=str(tmp_path)))
    with pytest.raises(SynthesisError, match="sam at"):
        load_sam(replace(config, sam=str(tmp_path)))
    with pytest.raises(SynthesisError, match="inpainting at"):
        InpaintEngine.load(replace(config, inpainting=str(tmp_path)))


def test_a_checkpoint_that_holds_code_is_refused(config, tmp_path):
    import pickle

    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "sam.pth").write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(SynthesisError, match="sam at"):
        load_sam(replace(config, sam=str(tmp_path / "sam.pth")))
    assert not (tmp_path / "sprung").exists()


def test_fading_reaches_full_strength_inside_and_touches_nothing_outside():
    base = np.full((40, 40, 3), 10, np.uint8)
    painted = np.full((40, 40, 3), 210, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:, 10:] = True
    faded = fade(base, painted, mask, 5)
    assert (faded[~mask] == 10).all()
    assert faded[11, 25, 0] < faded[13, 25, 0] < faded[25, 25, 0] == 210
    assert faded[39, 39, 0] == 210  # the picture's side is no seam
    assert (fade(base, painted, mask, 0)[mask] == 210).all()
    assert np.array_equal(paste_back(base, painted, mask)[~mask], base[~mask])
