"""The gate: what may take the champion's place, and what a refusal says."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from deepward.detectors.decision import Decision as Threshold
from deepward.detectors.decision import Finding
from deepward.evaluation import DomainMetrics, evaluate_detector
from deepward.release import Evidence, judge_challenger

REALS = FAKES = 60
CARD = {
    "domains": {"a": {}},
    "thresholds": {"a": 0.5},
    "validation": {"auc": 1},
    "versions": {"x": "1"},
}


@dataclass
class Invented:
    """Says what it is told to: the first time of pictures as they are, then of laundered ones."""

    said: list[np.ndarray]
    content_hash: str = "00"
    minimum_size: int = 16
    decision = Threshold(0.5, 0.05, 0.45)

    def predict(self, images: Any, batch_size: int = 64, progress: Any = None) -> Any:
        return Said(self.said.pop(0))


@dataclass
class Said:
    probability: np.ndarray

    @property
    def unfamiliarity(self) -> np.ndarray:
        return np.zeros(len(self.probability))

    @property
    def control(self) -> np.ndarray:
        return np.linspace(0, 1, len(self.probability))

    def finding(self, index: int) -> Finding:
        return Finding(float(self.probability[index]), 0.0)


@dataclass
class Pictures:
    pixels: list[np.ndarray]
    labels: np.ndarray
    techniques: np.ndarray
    groups: np.ndarray
    paths: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: np.ndarray) -> "Pictures":
        chosen = [int(i) for i in index]
        return Pictures(
            [self.pixels[i] for i in chosen],
            self.labels[chosen],
            self.techniques[chosen],
            self.groups[chosen],
            tuple(self.paths[i] for i in chosen),
        )


def measured(
    domain: str, clean: float = 3.5, laundered: float | None = None, *, alarms: int = 0
) -> DomainMetrics:
    """A detector that tells `domain` by so many standard deviations; the noise is the domain's."""
    labels = np.repeat([0, 1], [REALS, FAKES])
    noise = np.random.default_rng(len(domain)).normal(size=(2, len(labels)))
    said = []
    for side, power in enumerate((clean, clean if laundered is None else laundered)):
        logit = noise[side] + power * labels - 4.0
        logit[:alarms] = 2.0
        said.append(1 / (1 + np.exp(-logit)))
    picture = np.zeros((40, 40, 3), np.uint8)
    names = [f"{domain}/{i}.png" for i in range(len(labels))]
    data = Pictures(
        [picture] * len(labels),
        labels,
        np.array([""] * len(labels)),
        np.array(names),
        tuple(names),
    )
    return evaluate_detector(Invented(said), data, domain, "test", resamples=50)


def names(decision: Any) -> list[tuple[str, str]]:
    return [(check.name, check.domain) for check in decision.refusals]


def test_a_better_challenger_is_released() -> None:
    old = [measured("a"), measured("new", 0.3)]
    new = [measured("a"), measured("new")]
    decision = judge_challenger(
        new, old, learned=("a", "new"), learned_before=("a",), card=CARD | {"versions": {"x": "1"}}
    )
    assert decision.released, decision.reasons
    assert any("new" in reason for reason in decision.reasons)


def test_worse_on_a_known_domain_is_refused_with_domain_and_difference() -> None:
    old = [measured("a"), measured("bb"), measured("new", 0.3)]
    new = [measured("a"), measured("bb", 1.2), measured("new")]
    decision = judge_challenger(new, old, learned=("a", "bb", "new"), learned_before=("a", "bb"))
    assert names(decision) == [("known_domain", "bb")] * 2  # clean and laundered
    assert "difference -0." in decision.reasons[0] and "bb" in decision.reasons[0]
    assert "learn from this domain again" in decision.reasons[0]


def test_what_fails_laundered_only_is_refused() -> None:
    old, new = [measured("a")], [measured("a", 3.5, 1.0)]
    decision = judge_challenger(new, old, learned=("a",), learned_before=("a",))
    assert names(decision) == [("known_domain", "a")]
    assert "laundered" in decision.reasons[0]


def test_more_false_alarms_are_refused_also_where_there_are_reals_only() -> None:
    old = [measured("a")]
    new = [measured("a", alarms=12)]
    decision = judge_challenger(new, old, learned=("a",), learned_before=("a",))
    assert ("false_alarms", "a") in names(decision)
    assert "20.0 %" in " ".join(decision.reasons)
    # Two of sixty are within what chance and the stated rate allow.
    assert judge_challenger([measured("a", alarms=2)], [], learned=("a",)).released


def test_a_new_domain_that_is_not_learned_is_refused() -> None:
    old = [measured("a"), measured("new", 0.4)]
    decision = judge_challenger(old, old, learned=("a", "new"), learned_before=("a",))
    assert names(decision) == [("new_domain", "new")]
    # Where the champion tells nearly all already there is nothing to win.
    full = [measured("a"), measured("new", 5.0)]
    decision = judge_challenger(full, full, learned=("a", "new"), learned_before=("a",))
    assert decision.released
    assert "not surely better" in " ".join(decision.reasons)


def test_a_first_release_must_tell_something_apart() -> None:
    assert judge_challenger([measured("a")], [], learned=("a",)).released
    blind = judge_challenger([measured("a", 0.0)], [], learned=("a",))
    assert names(blind) == [("first_release", "")]


def test_other_files_shortcuts_and_thin_evidence_are_refused() -> None:
    old, new = measured("a"), measured("a")
    assert new.scores is not None
    fewer = [DomainMetrics(**{**vars(new), "scores": new.scores.iloc[1:]})]
    assert names(judge_challenger(fewer, [old], learned=("a",), learned_before=("a",))) == [
        ("same_files", "a")
    ]
    decision = judge_challenger(
        [new],
        [],
        learned=("a",),
        flagged={"a": "PNG fakes, JPEG reals", "elsewhere": "not learned"},
        evidence={"a": Evidence(False, "It was synthesized by an engine that does not teach.")},
    )
    assert names(decision) == [("audit", "a"), ("evidence", "a")]


def test_a_card_that_lacks_what_it_rests_on_is_refused() -> None:
    decision = judge_challenger([measured("a")], [], learned=("a",), card={"domains": {"a": 1}})
    assert names(decision) == [("card", "")]
    assert "thresholds" in decision.reasons[0]
