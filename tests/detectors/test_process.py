"""Gaussian-process heads on a bank: exact learning, unlearning, leave-one-out and evidence."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepward.detectors import Descriptions, ProcessConfig, Stage
from deepward.detectors.process import ProcessMember
from deepward.detectors.process.bank import Bank
from deepward.detectors.process.head import cell_weights
from deepward.detectors.process.kernel import Kernel, fit_kernel
from deepward.detectors.process.solver import Solver
from deepward.domains import ImageSet
from deepward.errors import DetectorFileError, TrainingError, UsageError
from deepward.progress import no_progress
from tests.drawn import striped_images

CONFIG = ProcessConfig(statistics=("cooccurrence", "inconsistency"), directions=64)
KERNEL = Kernel((6, 4), (1.5, 0.7), (1.0, 0.5), (0.3, 0.0))


def stage(*sets: ImageSet, **options: Any) -> Stage:
    whole = sets[0]
    for other in sets[1:]:
        whole = whole.joined(other)
    return Stage(whole, whole.subset(np.zeros(0, np.int64)), **options)


def domain(name: str, seed: int, count: int = 16, factor: int = 2) -> ImageSet:
    return striped_images(count, seed=seed, factor=factor, domain=name)


@pytest.fixture(scope="module")
def first() -> ProcessMember:
    return ProcessMember.fit(CONFIG, stage(domain("first", 0, 40)), no_progress)


def made_bank(seed: int, cells: list[tuple[str, int, int]]) -> Bank:
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.full(n, label) for _, label, n in cells]).astype(np.int64)
    domains = np.concatenate([np.full(n, name) for name, _, n in cells])
    count = len(labels)
    groups = np.array([f"{d}/{i // 3}" for i, d in enumerate(domains)])
    return Bank(
        rows=(random.normal(size=(count, 10)) * 0.4 + labels[:, None] * 0.3).astype(np.float16),
        labels=labels,
        twin=np.zeros(count, bool),
        domains=domains,
        techniques=np.where(labels == 1, "made", ""),
        groups=groups,
        keys=np.array([f"{i:06d}" for i in range(count)]),
    )


@given(st.integers(0, 1000), st.integers(3, 9), st.integers(2, 11), st.sampled_from([7, 1000]))
@settings(max_examples=20, deadline=None)
def test_leaving_a_group_out_in_closed_form_is_fitting_without_it(
    seed: int, reals: int, fakes: int, landmarks: int
) -> None:
    bank = made_bank(seed, [("a", 0, reals), ("a", 1, fakes), ("b", 0, 5)])
    rows = bank.rows.astype(np.float64)
    similar, informative = KERNEL(rows, rows), KERNEL.informative(bank.rows.astype(np.float32))
    config = ProcessConfig(noise=0.2, most=100.0, landmarks=landmarks)
    found = Solver(bank, (KERNEL,), config).fit("f", np.arange(len(bank)), KERNEL)
    noise, spread = 0.2 / cell_weights(bank, 100.0), 10.0 / fakes
    sure = found.head.certainty.chosen
    assert len(sure) == min(landmarks, len(bank))
    for group in sorted(set(bank.groups.tolist())):
        out = bank.groups == group
        inside, some = np.flatnonzero(~out), sure[~out[sure]]
        system = similar[np.ix_(inside, inside)] + np.diag(noise[inside])
        system += spread * (bank.domains[inside, None] == bank.domains[None, inside])
        across = similar[np.ix_(out, inside)]
        mean = across @ np.linalg.solve(system, 2.0 * bank.labels[inside] - 1)
        np.testing.assert_allclose(found.mean[out], mean, atol=1e-9)
        system = similar[np.ix_(some, some)] + np.diag(noise[some])
        across = similar[np.ix_(out, some)]
        left = np.diag(similar)[out] - np.sum(across * np.linalg.solve(system, across.T).T, 1)
        share = np.clip(left / informative[out], 0, 1)
        np.testing.assert_allclose(found.left[out], share, atol=1e-8)


def test_a_head_of_some_rows_says_of_left_out_rows_what_it_says_of_new_ones() -> None:
    cells = [("a", 0, 300), ("a", 1, 300)]
    bank, new = made_bank(1, cells), made_bank(2, cells)
    fit = Solver(bank, (KERNEL,), ProcessConfig(exact=200, landmarks=60)).fit(
        "f", np.arange(len(bank)), KERNEL
    )
    assert len(fit.head.chosen) == 200
    rows = new.rows.astype(np.float32)
    mean, left = fit.head.predict(
        KERNEL(rows, bank.rows.astype(np.float32)), KERNEL.informative(rows)
    )
    for label in (0, 1):
        for mine, others in ((fit.mean, mean), (fit.left, left)):
            apart = mine[bank.labels == label].mean() - others[new.labels == label].mean()
            assert abs(apart) < 0.25 * others.std()
            spread = mine[bank.labels == label].std() / others[new.labels == label].std()
            assert 0.8 < spread < 1.25


def test_rows_are_taken_evenly_from_all_cells_whatever_their_order() -> None:
    bank = made_bank(3, [("a", 0, 500), ("a", 1, 7), ("b", 0, 90)])
    chosen = bank.evenly(40)
    labels, names = bank.labels[chosen], bank.domains[chosen]
    assert int((labels == 1).sum()) == 7  # all there are
    assert abs(int(((labels == 0) & (names == "a")).sum()) - int((names == "b").sum())) <= 1
    order = np.random.default_rng(0).permutation(len(bank))
    again = bank[order].evenly(40)
    assert sorted(bank.keys[chosen]) == sorted(bank[order].keys[again])


def test_a_family_without_fakes_is_refused() -> None:
    bank = made_bank(4, [("a", 0, 20), ("a", 1, 20)])
    with pytest.raises(TrainingError, match="0 fakes and 20 reals"):
        Solver(bank, (KERNEL,), CONFIG).fit("f", np.flatnonzero(bank.labels == 0), KERNEL)


def test_domain_by_domain_equals_all_at_once_in_any_order(first: ProcessMember) -> None:
    others = [domain(name, seed) for name, seed in (("b", 1), ("c", 2), ("d", 3))]
    given_families = {"upsampling": "upsampling"}
    joint = first.update(stage(*others, families=given_families), no_progress)
    test = domain("test", 9).pixels
    for order in ((0, 1, 2), (2, 0, 1)):
        member = first
        for i in order:
            member = member.update(stage(others[i], families=given_families), no_progress)
        np.testing.assert_allclose(member.logits(test), joint.logits(test), atol=1e-6)
        assert np.array_equal(member.bank.keys, joint.bank.keys)


def test_forgetting_is_never_having_learned(first: ProcessMember) -> None:
    b, c = domain("b", 1), domain("c", 2)
    without = first.update(stage(c), no_progress)
    learned = first.update(stage(b), no_progress).update(stage(c), no_progress).forget("b")
    test = domain("test", 9).pixels
    np.testing.assert_allclose(learned.logits(test), without.logits(test), atol=1e-6)
    assert learned.bound == pytest.approx(without.bound, abs=1e-9)
    with pytest.raises(UsageError, match="never learned"):
        learned.forget("b")


def test_the_last_reals_or_fakes_cannot_be_forgotten(first: ProcessMember) -> None:
    with pytest.raises(UsageError, match="no reals or no fakes"):
        first.forget("first")


def test_a_domain_that_is_learned_again_replaces_itself(first: ProcessMember) -> None:
    again = first.update(stage(domain("first", 0, 40)), no_progress)
    test = domain("test", 9).pixels
    np.testing.assert_allclose(again.logits(test), first.logits(test), atol=1e-9)


def test_fakes_only_stand_against_known_reals_and_reals_only_add_to_them(
    first: ProcessMember,
) -> None:
    new = domain("new", 5)
    fakes = first.update(stage(new.subset(new.labels == 1)), no_progress)
    reals = first.update(stage(new.subset(new.labels == 0)), no_progress)
    assert np.isfinite(fakes.logits(new.pixels)).all()
    assert set(reals.families) == set(first.families)
    assert (reals.bank.domains == "new").sum() == 16  # with twins


def test_a_head_needs_both_labels() -> None:
    only = domain("only", 0)
    with pytest.raises(TrainingError, match=r"no fakes|needs both"):
        ProcessMember.fit(CONFIG, stage(only.subset(only.labels == 0)), no_progress).logits(
            only.pixels
        )


def test_a_new_kind_of_fake_gets_a_head_and_is_named(first: ProcessMember) -> None:
    coarse = domain("coarse", 7, 40, factor=6)
    learned = first.update(stage(coarse, families={"coarse": "six-fold"}), no_progress)
    test = domain("test", 9, 40, factor=6)
    said = learned.judge(test.pixels)
    assert said.families == ("six-fold", "upsampling")
    assert said.speaking is not None
    names = [said.families[i] if i >= 0 else "" for i in said.speaking[test.labels == 1]]
    assert names.count("six-fold") > 0.8 * len(names)


def test_what_is_unlike_the_bank_is_unfamiliar_until_it_is_learned(first: ProcessMember) -> None:
    random = np.random.default_rng(0)
    noise = striped_images(24, domain="noise")
    pixels = [random.integers(0, 256, (96, 96, 3), np.uint8) for _ in range(24)]
    noise = replace(noise, pixels=pixels, labels=np.zeros(24, np.int64))
    before = first.judge(pixels[12:]).unfamiliarity
    after = first.update(stage(noise.subset(range(12))), no_progress).judge(pixels[12:])
    assert before is not None and after.unfamiliarity is not None
    assert np.median(before) > 1 > np.median(after.unfamiliarity)


def test_a_stored_member_says_what_it_said(first: ProcessMember) -> None:
    test = domain("test", 9).pixels
    again = ProcessMember.restore(CONFIG, first.state_dict(), "cpu", Descriptions())
    assert np.array_equal(again.logits(test), first.logits(test))
    assert again.bound == first.bound


def test_rows_of_another_version_of_a_statistic_are_refused(
    first: ProcessMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepward.detectors.statistics import STATISTICS

    state = first.state_dict()
    kind: Any = STATISTICS["cooccurrence"]
    monkeypatch.setattr(kind, "version", "cooccurrence-2")
    with pytest.raises(DetectorFileError, match="of version cooccurrence-1"):
        ProcessMember.restore(CONFIG, state, "cpu", Descriptions())


def test_mean_gradients_sum_to_what_the_kernel_gains() -> None:
    random = np.random.default_rng(0)
    support, row = (random.normal(size=(n, 10)).astype(np.float32) * 0.4 for n in (9, 1))
    weights = random.normal(size=9)
    gained = (KERNEL(row, support) - KERNEL(np.zeros_like(row), support)) @ weights
    found = KERNEL.mean_gradient(row[0], support, weights) @ row[0]
    assert found == pytest.approx(float(gained[0]), abs=2e-3)


def test_places_sum_to_what_the_loudest_head_gains(first: ProcessMember) -> None:
    picture = domain("test", 9).pixels[1]
    row = first.frame.rows([picture], Descriptions())
    head, voice = first.heads[0], first.voices[0]
    support = first.bank.rows[head.chosen].astype(np.float32)
    kernel = first.kernel
    gained = (kernel(row, support) - kernel(np.zeros_like(row), support)) @ head.alpha
    assert float(first.places(picture).sum()) == pytest.approx(
        voice.slope * float(gained[0]), rel=0.05, abs=0.05
    )


def test_kernel_widths_follow_the_rows_scale() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 10)).astype(np.float32)
    one = fit_kernel(rows, (6, 4), (1.0, 1.0), (0.0, 0.0), seed=0)
    two = fit_kernel(rows * 2, (6, 4), (1.0, 1.0), (0.0, 0.0), seed=0)
    np.testing.assert_allclose(np.array(two.widths), 4 * np.array(one.widths), rtol=1e-6)
