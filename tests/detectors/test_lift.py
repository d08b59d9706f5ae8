"""Heads of a large bank: the same model on landmarks, with the same closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from deepward.detectors.process import ProcessMember
from deepward.detectors.process.bank import Bank
from deepward.detectors.process.dense import DenseBank
from deepward.detectors.process.lift import LiftedBank, choose_landmarks
from deepward.errors import TrainingError
from deepward.progress import no_progress
from tests.detectors.test_process import CONFIG, KERNEL, domain, made_bank, stage

CELLS = [("a", 0, 60), ("a", 1, 40), ("b", 0, 30), ("b", 1, 21)]
NOISE, MOST = 0.3, 8.0


def test_on_all_rows_it_is_the_exact_head() -> None:
    bank = made_bank(0, CELLS)
    chosen = np.flatnonzero(~((bank.labels == 1) & (bank.domains == "b")))
    dense, lifted = DenseBank(bank, (KERNEL,)), LiftedBank(bank, len(bank))
    rows = made_bank(1, CELLS).rows.astype(np.float64)
    informative = KERNEL.informative(rows.astype(np.float32))
    said = []
    for each in (dense, lifted):
        head = each.fit("f", chosen, NOISE, MOST, KERNEL)
        support = bank.rows[each.landmarks].astype(np.float64)
        said.append(head.predict(KERNEL(rows, support), informative))
    np.testing.assert_allclose(said[0], said[1], atol=1e-3)


def test_leaving_a_group_out_in_closed_form_is_fitting_without_it() -> None:
    bank = made_bank(2, CELLS)
    chosen = np.flatnonzero(~((bank.labels == 1) & (bank.domains == "b")))
    lifted = LiftedBank(bank, 50)
    informative = KERNEL.informative(bank.rows.astype(np.float32))
    head = lifted.fit("f", chosen, NOISE, MOST, KERNEL)
    mean, left = lifted.leave_out(head, informative)
    support = bank.rows[lifted.landmarks].astype(np.float64)
    features = np.linalg.solve(head.whitening, KERNEL(bank.rows.astype(np.float64), support).T).T
    targets = 2.0 * bank.labels - 1.0
    precision = np.full(len(bank), 0.0)
    precision[chosen] = 1 / head.noise
    for group in np.unique(bank.groups[chosen])[::5]:
        kept = chosen[bank.groups[chosen] != group]
        out = chosen[bank.groups[chosen] == group]
        whole = np.eye(50) + (features[kept].T * precision[kept]) @ features[kept]
        weights = np.linalg.solve(whole, features[kept].T @ (precision[kept] * targets[kept]))
        np.testing.assert_allclose(mean[out], features[out] @ weights, atol=1e-4)
        spread = (features[out] * np.linalg.solve(whole, features[out].T).T).sum(1)
        rest = informative[out] + KERNEL.constant - (features[out] ** 2).sum(1) + spread
        np.testing.assert_allclose(left[out], np.clip(rest / informative[out], 0, 1), atol=1e-4)


def test_landmarks_come_evenly_from_all_cells_whatever_the_order() -> None:
    bank = made_bank(3, [("a", 0, 500), ("a", 1, 7), ("b", 0, 90)])
    chosen = choose_landmarks(bank, 40)
    labels, names = bank.labels[chosen], bank.domains[chosen]
    assert int((labels == 1).sum()) == 7  # all there are
    assert abs(int(((labels == 0) & (names == "a")).sum()) - int((names == "b").sum())) <= 1
    order = np.random.default_rng(0).permutation(len(bank))
    again = choose_landmarks(bank[order], 40)
    assert sorted(bank.keys[chosen]) == sorted(bank[order].keys[again])


def test_a_family_without_fakes_is_refused() -> None:
    bank = made_bank(4, [("a", 0, 20), ("a", 1, 20)])
    with pytest.raises(TrainingError, match="0 fakes and 20 reals"):
        LiftedBank(bank, 10).fit("f", np.flatnonzero(bank.labels == 0), NOISE, MOST, KERNEL)


def test_a_member_goes_over_to_landmarks_and_learns_in_any_order() -> None:
    config = replace(CONFIG, exact=100, landmarks=64)
    sets = [domain(name, seed, 30) for seed, name in enumerate(("one", "two"))]
    exact = ProcessMember.fit(CONFIG, stage(*sets), no_progress)
    small = ProcessMember.fit(config, stage(sets[0]), no_progress)
    assert len(small.bank) <= 100 < len(exact.bank)
    both = replace(exact, config=config)
    parts = [exact.bank[exact.bank.domains == name] for name in ("one", "two")]
    turned = replace(both, bank=Bank.join(parts[::-1]))
    new = domain("new", 7, 20).pixels
    np.testing.assert_array_equal(both.logits(new), turned.logits(new))
    # Half the rows as landmarks say much what all say, and cost nothing in what is told apart.
    assert np.corrcoef(both.logits(new), exact.logits(new))[0, 1] > 0.95
    shares = both.places(new[0])
    assert np.isfinite(shares).all()
    assert np.isfinite(both.unseen().logits).all()
    forgotten = both.forget("two")
    assert set(forgotten.bank.domains.tolist()) == {"one"}
