"""What a release may rest on where a technique has fakes that were synthesized, and no specimen."""

from deepward.evaluation.teaching import Lesson
from deepward.metrics.intervals import Estimate
from deepward.release.evidence import specimens_needed, weigh_synthesized


def lesson(
    engine: str, gain: float, family: str = "face-swap", after: float = 0.8, domain: str = "a"
) -> Lesson:
    return Lesson(
        engine,
        family,
        domain,
        fakes=60,
        reals=40,
        specimens=40,
        before=Estimate(after - gain, after - gain - 0.05, after - gain + 0.05),
        after=Estimate(after, after - 0.05, after + 0.05),
        gain=Estimate(gain, gain - 0.04, gain + 0.04),
    )


def test_engines_that_teach_the_family_are_enough() -> None:
    found = weigh_synthesized("face-swap", {"swap": 40}, [lesson("swap", 0.2)])
    assert found.enough and not found.settle
    assert "swap (40)" in found.said and "+0.200" in found.said


def test_a_kind_of_a_family_rests_on_what_is_known_of_the_family() -> None:
    known = [lesson("swap", 0.2)]
    assert weigh_synthesized("one-shot-face-swap", {"swap": 9}, known).enough
    # Not the other way round, and not on a sister.
    assert not weigh_synthesized("reenactment", {"swap": 9}, known).enough
    narrow = [lesson("swap", 0.2, "one-shot-face-swap")]
    assert not weigh_synthesized("face-swap", {"swap": 9}, narrow).enough


def test_an_engine_that_is_known_not_to_teach_waits_for_specimens_with_number_and_reason() -> None:
    found = weigh_synthesized("face-swap", {"retouch": 40}, [lesson("retouch", 0.01)])
    assert not found.enough
    assert "retouch is not known to teach face-swap" in found.said
    assert "+0.010 [-0.030, +0.050]" in found.said
    assert f" {specimens_needed(0.05)}, and as many reals" in found.settle


def test_a_gain_that_ends_at_chance_is_no_teaching() -> None:
    confused = [lesson("swap", 0.2, after=0.5)]
    assert not confused[0].teaches
    assert not weigh_synthesized("face-swap", {"swap": 40}, confused).enough


def test_every_engine_and_every_domain_must_say_so() -> None:
    known = [lesson("swap", 0.2), lesson("swap", 0.0, domain="b"), lesson("self_blend", 0.2)]
    assert weigh_synthesized("face-swap", {"self_blend": 5}, known).enough
    refused = weigh_synthesized("face-swap", {"self_blend": 5, "swap": 5}, known)
    assert not refused.enough and "swap on b" in refused.said


def test_what_was_never_tried_waits_for_specimens() -> None:
    for lessons in ([], [lesson("swap", 0.2)]):
        found = weigh_synthesized("tile-weaver", {"swap": 40}, lessons)
        assert not found.enough and "no specimen shows" in found.said
        assert f" {specimens_needed()}, and as many reals" in found.settle
    assert not weigh_synthesized("face-swap", {}, [lesson("swap", 0.2)]).enough


def test_a_larger_gain_needs_fewer_specimens() -> None:
    assert specimens_needed(0.3) < specimens_needed(0.15) < specimens_needed(0.05)
    assert specimens_needed(-1.0) == specimens_needed(0.05)  # nothing asks for infinitely many
