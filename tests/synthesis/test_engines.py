"""What every engine keeps: the pixels outside the mask, its promises, its seed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepward.errors import SynthesisError
from deepward.pictures.decode import decode_image
from deepward.synthesis.engines import ENGINES, prepare_engines
from deepward.synthesis.engines.blending import feathered, match_colour
from deepward.synthesis.engines.retouch import ways_in
from deepward.synthesis.interfaces import Box, Engine, Job, Mask, Pixels, Rejected
from deepward.synthesis.locate.faces import CascadeLocator, forget_faces
from deepward.synthesis.locate.grabcut import GrabCutSegmenter
from deepward.techniques.specs import EditSpec

NAMES = tuple(ENGINES)
JobMaker = Callable[..., Job]


@pytest.fixture(scope="module")
def pictures(portraits: Path) -> list[Pixels]:
    """Three drawn portraits in which faces are found."""
    files = sorted(portraits.rglob("0_real/*"))
    pixels = [decode_image(file).pixels for file in files]
    found = CascadeLocator().locate(pixels, ["face"] * len(pixels))
    kept = [picture for picture, boxes in zip(pixels, found, strict=True) if boxes]
    assert len(kept) >= 3
    return kept[:3]


@pytest.fixture(scope="module")
def learned(pictures: list[Pixels], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned")
    prepare_engines(NAMES, pictures, folder)
    return folder


@pytest.fixture(scope="module")
def engines(learned: Path) -> dict[str, Engine]:
    return {name: make(learned) for name, make in ENGINES.items()}


@pytest.fixture
def job(pictures: list[Pixels], spec: Callable[..., EditSpec]) -> JobMaker:
    """Makes a job for an engine: `job("swap", "mouth", seed=3)`."""

    def make(operation: str, region: str = "face", *, seed: int = 0, **changes: object) -> Job:
        picture = pictures[seed % 2]
        box = CascadeLocator().locate([picture], [region])[0][0]
        mask = GrabCutSegmenter().segment([picture], [box])[0]
        donor = pictures[2] if operation == "swap" else None
        made = Job(picture, mask, region, spec(operation, region), seed, box, donor)
        return replace(made, **changes)  # type: ignore[arg-type]

    return make


def change(made: Pixels, base: Pixels, mask: Mask) -> float:
    return float(np.abs(made.astype(int) - base)[mask].mean())


@pytest.mark.parametrize("region", ["face", "mouth", "background"])
@pytest.mark.parametrize("name", NAMES)
def test_only_the_mask_changes_and_it_does(
    engines: dict[str, Engine], job: JobMaker, name: str, region: str
) -> None:
    jobs = [job(name, region, seed=seed) for seed in range(4)]
    results = engines[name].make(jobs)
    assert len(results) == 4
    for one, made in zip(jobs, results, strict=True):
        if isinstance(made, Rejected):  # there is no face in a background to be swapped
            assert (name, region, made.reason) == ("swap", "background", "no_face")
            continue
        assert made.shape == one.base.shape
        assert made.dtype == np.uint8
        assert np.array_equal(made[~one.mask], one.base[~one.mask])
        assert change(made, one.base, one.mask) >= 2.0


@pytest.mark.parametrize("name", NAMES)
def test_the_same_job_gives_the_same_bytes_alone_or_in_company(
    engines: dict[str, Engine], learned: Path, job: JobMaker, name: str
) -> None:
    jobs = [job(name, seed=seed) for seed in range(3)]
    together = engines[name].make(jobs)
    forget_faces()
    alone = [ENGINES[name](learned).make([one])[0] for one in reversed(jobs)][::-1]
    for first, second in zip(together, alone, strict=True):
        assert not isinstance(first, Rejected)
        assert not isinstance(second, Rejected)
        assert np.array_equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_gives_another_picture(
    engines: dict[str, Engine], job: JobMaker, name: str
) -> None:
    one = job(name)
    first, second = engines[name].make([one, replace(one, seed=10)])
    assert not isinstance(first, Rejected)
    assert not isinstance(second, Rejected)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_jobs_are_left_as_they_were(engines: dict[str, Engine], job: JobMaker, name: str) -> None:
    one = job(name)
    base, mask = one.base.copy(), one.mask.copy()
    engines[name].make([one])
    assert np.array_equal(one.base, base)
    assert np.array_equal(one.mask, mask)


@pytest.mark.parametrize(("width", "height"), [(256, 256), (64, 64), (200, 131), (97, 160)])
@pytest.mark.parametrize("name", NAMES)
def test_other_sizes_and_shapes(
    engines: dict[str, Engine], job: JobMaker, name: str, width: int, height: int
) -> None:
    one = job(name)
    base = np.asarray(cv2.resize(one.base, (width, height)), np.uint8)
    mask = cv2.resize(one.mask.view(np.uint8), (width, height)) > 0
    made = engines[name].make([replace(one, base=base, mask=np.asarray(mask))])[0]
    if isinstance(made, Rejected):  # distorted faces need not be found
        assert made.reason in ("no_face", "unchanged")
    else:
        assert made.shape == (height, width, 3)
        assert np.array_equal(made[~mask], base[~mask])


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_mask_is_rejected(engines: dict[str, Engine], job: JobMaker, name: str) -> None:
    one = job(name)
    made = engines[name].make([replace(one, mask=np.zeros_like(one.mask))])[0]
    assert isinstance(made, Rejected)
    assert made.reason == "mask_empty"


@pytest.mark.parametrize("name", NAMES)
def test_a_full_mask_is_made_or_rejected_with_a_reason(
    engines: dict[str, Engine], job: JobMaker, name: str
) -> None:
    one = job(name)
    made = engines[name].make([replace(one, mask=np.ones_like(one.mask), region="whole picture")])
    if isinstance(made[0], Rejected):
        assert made[0].reason in ("mask_full", "no_face", "no_piece", "unchanged")
        assert str(made[0]).endswith(".")
    else:
        assert change(made[0], one.base, np.ones_like(one.mask)) >= 2.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [1, 8, 31])
def test_tiny_pictures_are_rejected(
    engines: dict[str, Engine], job: JobMaker, name: str, side: int
) -> None:
    base = np.full((side, 40, 3), 90, np.uint8)
    made = engines[name].make([replace(job(name), base=base, mask=np.ones((side, 40), np.bool_))])
    assert isinstance(made[0], Rejected)
    assert made[0].reason == "too_small"


@pytest.mark.parametrize("name", ["self_blend", "resynthesize", "retouch", "splice"])
def test_a_flat_picture_never_passes_for_changed(
    engines: dict[str, Engine], job: JobMaker, name: str
) -> None:
    base = np.full((96, 96, 3), 128, np.uint8)
    mask = np.zeros((96, 96), np.bool_)
    mask[30:60, 30:70] = True
    made = engines[name].make([replace(job(name), base=base, mask=mask)])[0]
    if isinstance(made, Rejected):
        assert made.reason == "unchanged"
    else:
        assert change(made, base, mask) >= 2.0


def test_one_rejected_job_does_not_stop_the_others(
    engines: dict[str, Engine], job: JobMaker
) -> None:
    good = job("self_blend")
    bad = replace(good, mask=np.zeros_like(good.mask))
    first, second, third = engines["self_blend"].make([bad, good, bad])
    assert isinstance(first, Rejected)
    assert not isinstance(second, Rejected)
    assert isinstance(third, Rejected)


def test_a_swap_without_donor_or_without_a_face_is_rejected(
    engines: dict[str, Engine], job: JobMaker
) -> None:
    one = job("swap")
    blank = np.full((128, 128, 3), 127, np.uint8)
    jobs = [replace(one, donor=None), replace(one, donor=blank), replace(one, base=blank)]
    results = engines["swap"].make(jobs)
    assert [r.reason if isinstance(r, Rejected) else "" for r in results] == [
        "no_donor",
        "no_face",
        "no_face",
    ]


def test_a_swap_takes_the_donor(
    engines: dict[str, Engine], job: JobMaker, pictures: list[Pixels]
) -> None:
    one = job("swap")
    dimmed = (pictures[2] // 2 + 40).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(pictures[2], (0, 0), 1.5), np.uint8)
    first, second, third = engines["swap"].make(
        [one, replace(one, donor=blurred), replace(one, donor=dimmed)]
    )
    assert not isinstance(first, Rejected)
    assert not isinstance(second, Rejected)
    assert change(first, second, one.mask) > 0.5
    if not isinstance(third, Rejected):  # light and colour are the base's, whatever the donor's
        assert abs(first[one.mask].mean() - third[one.mask].mean()) < 12


def test_a_self_blend_needs_no_donor_and_looks_like_its_base(
    engines: dict[str, Engine], job: JobMaker
) -> None:
    assert not engines["self_blend"].needs_donor
    changes = []
    for seed in range(12):
        one = job("self_blend", seed=seed)
        made = engines["self_blend"].make([one])[0]
        assert not isinstance(made, Rejected)
        changes.append(change(made, one.base, one.mask))
    assert np.median(changes) < 25  # a blend of two nearly equal pictures
    assert max(changes) < 60


def test_the_seam_of_a_blend_fades_out_inside_the_mask(
    engines: dict[str, Engine], job: JobMaker
) -> None:
    one = job("resynthesize")
    made = engines["resynthesize"].make([one])[0]
    assert not isinstance(made, Rejected)
    core = cv2.erode(one.mask.view(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
    rim = one.mask & ~core
    assert change(made, one.base, rim) < change(made, one.base, core)


def test_resynthesis_leaves_less_fine_detail_than_the_camera(
    engines: dict[str, Engine], job: JobMaker
) -> None:
    one = job("resynthesize")
    core = cv2.erode(one.mask.view(np.uint8), np.ones((9, 9), np.uint8)).astype(np.bool_)
    made = engines["resynthesize"].make([one])[0]
    assert not isinstance(made, Rejected)
    residuals = [
        cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[core].std()
        for picture in (one.base, made)
    ]
    assert residuals[1] != pytest.approx(residuals[0], rel=0.02)
    assert change(made, one.base, core) < 25  # still the same person


def test_training_the_resynthesis_again_gives_the_same_file(
    pictures: list[Pixels], learned: Path, tmp_path: Path
) -> None:
    prepare_engines(["resynthesize"], pictures, tmp_path)
    again = next(tmp_path.iterdir())
    assert again.read_bytes() == (learned / again.name).read_bytes()
    before = again.stat().st_mtime_ns
    prepare_engines(["resynthesize"], pictures, tmp_path)  # what is there is kept
    assert again.stat().st_mtime_ns == before


def test_resynthesis_says_what_is_missing(
    pictures: list[Pixels], job: JobMaker, tmp_path: Path
) -> None:
    with pytest.raises(SynthesisError, match="prepare_engines"):
        ENGINES["resynthesize"](None).make([job("resynthesize")])
    with pytest.raises(SynthesisError, match="64 pixels"):
        prepare_engines(["resynthesize"], [pictures[0][:40, :40]], tmp_path)
    (tmp_path / "resampler.safetensors").write_bytes(b"nothing")
    with pytest.raises(SynthesisError, match="Delete it"):
        ENGINES["resynthesize"](tmp_path)


def test_a_splice_takes_the_donor_where_there_is_one(
    engines: dict[str, Engine], job: JobMaker, pictures: list[Pixels]
) -> None:
    one = job("splice")
    alone, with_donor = engines["splice"].make([one, replace(one, donor=pictures[2])])
    assert not isinstance(alone, Rejected)
    assert not isinstance(with_donor, Rejected)
    assert not np.array_equal(alone, with_donor)


@pytest.mark.parametrize(
    ("words", "ways"),
    [
        ("smooth skin without pores", ("smooth",)),
        ("a crooked half smile", ("warp",)),
        ("dark brown eyes", ("recolour",)),
        ("deeply wrinkled tanned skin", ("sharpen", "recolour")),
        ("an ordinary picture", ()),
    ],
)
def test_the_prompt_decides_how_to_retouch(words: str, ways: tuple[str, ...]) -> None:
    assert ways_in(words) == ways


def test_asking_for_light_makes_light(engines: dict[str, Engine], job: JobMaker) -> None:
    one = job("retouch")
    bright, dark = (
        replace(one, spec=one.spec.model_copy(update={"positive_prompt": words}), seed=4)
        for words in ("pale glow", "shadow black")
    )
    lighter, darker = engines["retouch"].make([bright, dark])
    assert not isinstance(lighter, Rejected)
    assert not isinstance(darker, Rejected)
    assert lighter[one.mask].mean() > darker[one.mask].mean() + 2


def test_engines_do_what_their_name_says() -> None:
    for name, make in ENGINES.items():
        engine = make(None)
        assert engine.name == name
        assert engine.batch_size >= 1
    assert [name for name, make in ENGINES.items() if make(None).needs_donor] == ["swap"]


def test_a_feather_rises_from_the_border_but_not_from_the_pictures_sides() -> None:
    mask = np.zeros((40, 40), np.bool_)
    mask[:20] = True
    alpha = feathered(mask, 5)
    assert not alpha[~mask].any()
    assert alpha[0].min() == 1
    assert np.all(np.diff(alpha[:, 20]) <= 0)


def test_colours_are_matched_in_mean_and_deviation() -> None:
    rng = np.random.default_rng(0)
    source = rng.normal(120, 20, (64, 64, 3)).clip(0, 255).astype(np.float32)
    target = rng.normal(90, 25, (64, 64, 3)).clip(0, 255).astype(np.float32)
    inside = np.zeros((64, 64), np.bool_)
    inside[10:50, 10:50] = True
    matched = match_colour(source, target, inside)
    lab = [cv2.cvtColor(p / np.float32(255), cv2.COLOR_RGB2Lab)[inside] for p in (matched, target)]
    assert lab[0].mean(axis=0) == pytest.approx(lab[1].mean(axis=0), abs=1.0)
    assert lab[0].std(axis=0) == pytest.approx(lab[1].std(axis=0), rel=0.1)


@pytest.mark.parametrize("name", ["self_blend", "swap", "splice", "retouch", "resynthesize"])
def test_photographs_of_people_become_fakes(
    real_domains: Path,
    spec: Callable[..., EditSpec],
    engines: dict[str, Engine],
    name: str,
) -> None:
    files = sorted((real_domains / "caltech_faces" / "train" / "0_real").iterdir())[:250:50]
    photographs = [decode_image(file).pixels for file in files]
    boxes = CascadeLocator().locate(photographs, ["face"] * len(files))
    jobs = []
    for i, (picture, found) in enumerate(zip(photographs, boxes, strict=True)):
        mask = GrabCutSegmenter().segment([picture], found[:1])[0]
        donor = photographs[(i + 2) % len(photographs)]
        jobs.append(Job(picture, mask, "face", spec(name, "face"), i, found[0], donor))
    for one, made in zip(jobs, engines[name].make(jobs), strict=True):
        assert not isinstance(made, Rejected)
        assert change(made, one.base, one.mask) >= 2.0
        assert np.array_equal(made[~one.mask], one.base[~one.mask])


def test_a_rejection_survives_the_way_between_processes() -> None:
    import copy

    refusal = copy.copy(Rejected("no_face", "No face was found."))
    assert (refusal.reason, str(refusal)) == ("no_face", "No face was found.")


def test_a_face_found_by_another_locator_is_blended_without_the_cascade(
    engines: dict[str, Engine], job: JobMaker
) -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 60, (12, 12, 3)).astype(np.float32)
    picture = np.clip(cv2.resize(noise, (128, 128)) + 128, 0, 255).astype(np.uint8)
    mask = np.zeros((128, 128), np.bool_)
    mask[30:100, 40:90] = True
    box = Box(40, 30, 90, 100, 0.5, "face")
    made = engines["self_blend"].make(
        [replace(job("self_blend"), base=picture, mask=mask, box=box)]
    )[0]
    assert not isinstance(made, Rejected)
    assert change(made, picture, mask) >= 2.0
