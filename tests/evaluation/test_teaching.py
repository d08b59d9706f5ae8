"""What an engine teaches is read off specimens that neither detector has seen."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from deepward.detectors import Descriptions, ProcessConfig
from deepward.domains import ImageSet
from deepward.evaluation.teaching import (
    Lesson,
    TeachingConfig,
    families_of,
    measure_lessons,
    what_is_known,
)

MEMBER = ProcessConfig(statistics=("cooccurrence", "spectrum"))
CONFIG = TeachingConfig(resamples=100)
SIZE = 64


def checkered(picture: np.ndarray) -> np.ndarray:
    """A trace as up-sampling leaves it: every other pixel a little brighter."""
    rows, columns = np.indices(picture.shape[:2])
    return picture + 8.0 * ((rows + columns) % 2)[..., None]


def smoothed(picture: np.ndarray) -> np.ndarray:
    return (picture + np.roll(picture, 1, 0) + np.roll(picture, 1, 1)) / 3


def pictures(
    domain: str, seed: int, traces: dict[str, Callable[[np.ndarray], np.ndarray]], count: int = 24
) -> ImageSet:
    """Grainy pictures, and of each trace as many fakes that bear it, made of the same pictures."""
    random = np.random.default_rng(seed)
    plain = random.normal(120, 12, (count, SIZE, SIZE, 3)) + random.normal(0, 20, (count, 1, 1, 1))
    rows = [(each, 0, "", i) for i, each in enumerate(plain)]
    for name, trace in traces.items():
        rows += [(trace(each), 1, name, i) for i, each in enumerate(plain)]
    names = tuple(f"{domain}/{name}{i}.png" for _, _, name, i in rows)
    return ImageSet(
        pixels=[np.clip(each, 0, 255).astype(np.uint8) for each, _, _, _ in rows],
        labels=np.array([label for _, label, _, _ in rows]),
        domains=np.array([domain] * len(rows)),
        techniques=np.array([name for _, _, name, _ in rows]),
        groups=np.array([f"{domain}/{i}" for _, _, _, i in rows]),
        paths=names,
        hashes=names,
        splits=("train",) * len(rows),
    )


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    """Two engines, one of which leaves the specimens' trace; another family is known."""
    domains = [
        pictures("found", 1, {"stylegan2": checkered}),
        pictures("other", 2, {"face-swap": lambda picture: picture[::-1] * 0.9}),
    ]
    made = pictures("fewshot_x", 3, {"resynthesize": checkered, "retouch": smoothed})
    return measure_lessons(
        MEMBER, domains, made, config=CONFIG, descriptions=Descriptions.temporary()
    )


def test_an_engine_teaches_a_family_where_it_leaves_the_trace_of_its_specimens(
    lessons: list[Lesson],
) -> None:
    cells = {(each.engine, each.family): each for each in lessons}
    assert set(cells) == {
        (engine, family)
        for engine in ("resynthesize", "retouch")
        for family in ("stylegan", "face-swap")
    }
    good, idle = cells["resynthesize", "stylegan"], cells["retouch", "stylegan"]
    assert good.teaches and not idle.teaches
    assert (good.after.value or 0) > 0.9 and (good.gain.low or 0) > 0
    assert good.gain.value == pytest.approx((good.after.value or 0) - (good.before.value or 0))
    assert good.before == idle.before  # neither engine's fakes: the same detector
    assert (good.domain, good.fakes, good.reals, good.specimens) == ("found", 24, 24, 24)


def test_a_lesson_is_read_back_from_json(lessons: list[Lesson]) -> None:
    assert [Lesson.of(json.loads(json.dumps(each.as_dict()))) for each in lessons] == lessons


def test_where_nothing_else_is_known_what_is_learned_is_set_against_chance() -> None:
    made = pictures("fewshot_x", 3, {"resynthesize": checkered})
    [alone] = measure_lessons(
        MEMBER, [pictures("found", 1, {"stylegan2": checkered})], made, config=CONFIG
    )
    assert alone.before.value == 0.5 and alone.teaches


def test_specimens_that_were_changed_themselves_and_few_ones_are_not_asked_about() -> None:
    domain = pictures("found", 1, {"stylegan2": checkered}, count=12)
    made = pictures("fewshot_x", 3, {"resynthesize": checkered}, count=12)
    held = domain.subset(np.flatnonzero(np.arange(len(domain)) % 12 < 4))  # four of each class
    assert not measure_lessons(MEMBER, [domain], made, seen={"found": held}, config=CONFIG)
    fakes = made.subset(np.flatnonzero(made.labels == 0))  # nothing that was synthesized
    assert not measure_lessons(MEMBER, [domain], fakes, config=CONFIG)


def test_a_technique_goes_by_its_family_and_one_that_is_not_known_by_itself() -> None:
    assert families_of("stylegan2")[0] == "stylegan"
    assert families_of("stylegan3") == ("stylegan3", "stylegan", "entire-face-synthesis")
    assert families_of("specimens_stylegan2") == families_of("stylegan2")
    assert families_of("demo_swap") == ("demo-swap",)


def test_the_nearest_family_that_was_tried_answers(lessons: list[Lesson]) -> None:
    found = what_is_known(lessons, "resynthesize", "stylegan3")
    assert [each.family for each in found] == ["stylegan"]
    assert not what_is_known(lessons, "resynthesize", "reenactment")
    assert not what_is_known(lessons, "splice", "stylegan3")
