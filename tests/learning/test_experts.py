"""Clusters, folds, and experts that are held out from them."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from deepward.detectors import (
    DETECTORS,
    Descriptions,
    DetectorConfig,
    ProcessConfig,
    Stage,
    load_detector,
    save_detector,
)
from deepward.detectors.members.experts import (
    ExpertsConfig,
    ExpertsMember,
    mean_logit,
)
from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.protocol import Budget
from deepward.domains import ImageSet
from deepward.errors import TrainingError, UsageError
from deepward.evaluation.cluster_map import cluster_map, cluster_montage, cluster_shares
from deepward.learning.experts import (
    ClusterConfig,
    Clusters,
    Folds,
    cluster_folds,
    cluster_samples,
    random_folds,
)
from deepward.learning.experts.clusters import cluster_rows
from deepward.learning.experts.training import ExpertTraining, train_experts
from deepward.learning.training import forget_domain, update_detector
from deepward.metrics.ranking import rank_auc
from deepward.progress import no_progress
from tests.drawn import striped_images

CLOSED = ExpertsConfig(
    experts=(asdict(ProcessConfig(statistics=("cooccurrence",))),),
    folds=2,
    clusters=6,
    statistic="thumbnail",
)
NETWORK = NetworkConfig(crop=32, jitter=4, fold=2, batch_size=12, contrast=0.1, noised=1.0, looks=2)
NETWORKS = replace(CLOSED, experts=(asdict(NETWORK),), share=1.0)


@pytest.fixture(scope="module")
def data() -> ImageSet:
    return striped_images(48, side=64).joined(striped_images(36, side=64, seed=1, domain="other"))


def blobs(count: int = 60, kinds: int = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    middles = 20 * random.standard_normal((kinds, 8))
    rows = middles[np.arange(count) % kinds] + random.standard_normal((count, 8))
    return rows.astype(np.float32)


def test_clusters_are_what_lies_together_and_groups_are_never_torn() -> None:
    rows = blobs()
    apart = np.arange(60).astype(str)
    found = cluster_rows(rows, apart, ClusterConfig(count=3))
    for kind in range(3):
        assert len(set(found.cluster[np.arange(60) % 3 == kind].tolist())) == 1
    again = cluster_rows(rows, apart, ClusterConfig(count=3))
    assert np.array_equal(found.cluster, again.cluster)
    # Pictures 0, 1 and 3 are of one group, two of the first kind: all go with these.
    groups = apart.copy()
    groups[[1, 3]] = groups[0]
    torn = cluster_rows(rows, groups, ClusterConfig(count=3))
    assert len(set(torn.cluster[[0, 1, 3, 6]].tolist())) == 1
    assert cluster_rows(rows, apart, ClusterConfig(count=50, least=10)).count == 6


def test_cluster_folds_hold_out_whole_clusters_and_both_classes(data: ImageSet) -> None:
    config = ClusterConfig("thumbnail", 8)
    clusters = cluster_samples(data, config, Descriptions())
    folds = cluster_folds(data, clusters, 3)
    for number in range(clusters.count):
        assert len(set(folds.fold[clusters.cluster == number].tolist())) == 1
    sizes = np.bincount(folds.fold, data.labels) / data.labels.sum()
    assert folds.count == 3 and sizes.min() > 0.1
    train, held = folds.split(data, 1)
    assert not set(train.hashes) & set(held.hashes)
    assert len(train) + len(held) == len(data)
    mine = set(folds.cluster[folds.fold == 1].tolist())
    assert not mine & set(folds.cluster[folds.fold != 1].tolist())


def test_random_folds_spread_labels_and_domains_evenly(data: ImageSet) -> None:
    folds = random_folds(data, 3, 0)
    for domain in ("stripes", "other"):
        for label in (0, 1):
            cell = folds.fold[(data.domains == domain) & (data.labels == label)]
            counts = np.bincount(cell, minlength=3)
            assert counts.max() - counts.min() <= 1
    assert not np.array_equal(folds.fold, random_folds(data, 3, 1).fold)


def test_folds_are_read_back_and_taken_up_by_content(data: ImageSet, tmp_path: Path) -> None:
    folds = random_folds(data, 3, 0)
    folds.write(tmp_path / "folds.json")
    again = Folds.read(tmp_path / "folds.json")
    shuffled = data.subset(np.random.default_rng(0).permutation(len(data)))
    assert set(again.split(shuffled, 2)[1].hashes) == set(folds.split(data, 2)[1].hashes)
    with pytest.raises(UsageError, match="no fold 3; there are 0 to 2"):
        again.split(data, 3)
    with pytest.raises(UsageError, match="know none of these samples"):
        again.split(striped_images(4, seed=9), 0)
    (tmp_path / "other.json").write_text('{"samples": [1]}')
    for name in ("other.json", "absent.json"):
        with pytest.raises(UsageError, match="holds no folds"):
            Folds.read(tmp_path / name)


def test_what_cannot_be_dealt_out_is_said(data: ImageSet) -> None:
    points = np.zeros((len(data), 2), np.float32)
    two = Clusters(np.arange(len(data)) % 2, points)
    with pytest.raises(TrainingError, match="2 clusters cannot fill 3 folds: ask for fewer"):
        cluster_folds(data, two, 3)
    with pytest.raises(TrainingError, match=r"Fold . of 2 would hold out no (real|fake) picture"):
        cluster_folds(data, two, 2)  # even places are real, odd ones fake
    reals = data.subset(data.labels == 0)
    with pytest.raises(TrainingError, match="would hold out no fake picture"):
        random_folds(reals, 2, 0)
    with pytest.raises(UsageError, match="two at least, not 1"):
        random_folds(data, 1, 0)


def test_clusters_are_drawn_with_their_pictures_and_shares(data: ImageSet) -> None:
    clusters = cluster_samples(data, ClusterConfig("thumbnail", 5), Descriptions())
    folds = cluster_folds(data, clusters, 2)
    assert cluster_map(clusters, data.labels, folds).startswith(b"\x89PNG")
    montage = cluster_montage(clusters, data)
    assert montage.startswith(b"\xff\xd8") and len(montage) <= 100_000
    rows = cluster_shares(clusters, data, folds)
    assert sum(row["samples"] for row in rows) == len(data)
    assert all(sum(row["domains"].values()) == pytest.approx(1, abs=1e-3) for row in rows)
    assert all(set(row["techniques"]) <= {"upsampling"} for row in rows)


def test_the_mean_of_probabilities_is_taken_and_not_of_logits() -> None:
    logits = [np.array([0.0, 8.0]), np.array([0.0, -8.0])]
    assert mean_logit(logits) == pytest.approx([0.0, 0.0])
    two = 1 / (1 + np.exp([-2.0, 1.0]))
    expected = np.log(two.mean() / (1 - two.mean()))
    assert mean_logit([np.array([2.0]), np.array([-1.0])]) == pytest.approx([expected])


def test_each_expert_is_judged_on_clusters_that_it_never_saw(data: ImageSet) -> None:
    nothing = data.subset([])
    member = ExpertsMember.fit(CLOSED, Stage(data, nothing), no_progress)
    assert member.folds is not None
    for number, expert in enumerate(member.experts):
        held = set(np.array(data.hashes)[member.folds.fold == number].tolist())
        assert not held & set(expert.unseen().keys.tolist())  # type: ignore[union-attr]
    unseen = member.unseen()
    assert unseen is not None and sorted(unseen.keys[~unseen.twin]) == sorted(data.hashes)
    held = member.held[0]
    mine = np.isin(unseen.keys, held.hashes) & ~unseen.twin
    place = {key: i for i, key in enumerate(held.hashes)}
    said = member.experts[0].judge(held.pixels).logits
    order = [place[key] for key in unseen.keys[mine]]
    assert unseen.logits[mine] == pytest.approx(said[order])


def trained(config: ExpertsConfig, data: ImageSet, patch: pytest.MonkeyPatch, **asked: object):  # type: ignore[no-untyped-def]
    patch.setitem(DETECTORS, "tried", DetectorConfig((config,)))
    training = ExpertTraining(detector="tried", false_positive_rate=0.2, **asked)  # type: ignore[arg-type]
    val = striped_images(30, side=64, seed=5)
    return train_experts(training, data, val)


@pytest.mark.parametrize("joined", ["mean", "weighed"])
def test_a_detector_of_experts_is_stored_and_learns_on(
    data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joined: str
) -> None:
    detector, folds = trained(CLOSED, data, monkeypatch, joined=joined)
    assert list(detector.members) == (["experts"] if joined == "mean" else ["expert0", "expert1"])
    assert folds.count == 2 and detector.lineage["folds"] == {"kind": "clusters", "count": 2}
    test = striped_images(20, side=64, seed=7)
    before = detector.predict(test.pixels)
    assert rank_auc(test.labels, before.probability) > 0.9
    save_detector(detector, tmp_path / "d")
    restored = load_detector(tmp_path / "d")
    assert np.array_equal(restored.predict(test.pixels).logit, before.logit)
    more = striped_images(24, side=64, seed=8, domain="third")
    stage = Stage(more, more.subset([]))
    for start in (detector, restored):
        learned = update_detector(start, stage)
        assert "third" in learned.lineage["domains"]
        assert rank_auc(test.labels, learned.predict(test.pixels).probability) > 0.9
        forgot = forget_domain(learned, "third")
        after = forgot.predict(test.pixels).members
        assert all(after[name] == pytest.approx(before.members[name]) for name in after)


def test_networks_become_experts_with_the_losses_of_their_recipe(
    data: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, _ = trained(NETWORKS, data, monkeypatch, steps=4)
    curves = detector.lineage["curves"]["experts"]
    assert {name.partition(" ")[2] for name in curves} == {"loss", "noised", "contrast"}
    assert list(detector.networks) == ["experts/expert0", "experts/expert1"]
    save_detector(detector, tmp_path / "d")
    test = striped_images(6, side=64, seed=7)
    restored = load_detector(tmp_path / "d")
    assert np.array_equal(restored.predict(test.pixels).logit, detector.predict(test.pixels).logit)


def test_a_network_keeps_the_weights_that_tell_held_out_samples_best(data: ImageSet) -> None:
    from deepward.detectors.members.network_member import NetworkMember

    held = striped_images(16, side=64, seed=3)
    config = replace(NETWORK, noised=0.0, contrast=0.0, looks=4)
    stage = Stage(data, held, budget=Budget(steps=8))
    looked = NetworkMember.fit(config, stage, no_progress)
    last = NetworkMember.fit(replace(config, looks=0), stage, no_progress)
    best, kept = (rank_auc(held.labels, m.judge(held.pixels).logits) for m in (looked, last))
    assert best >= kept
    one = Stage(data, held.subset(held.labels == 0), budget=Budget(steps=2))
    with pytest.raises(TrainingError, match="of one class or none"):
        NetworkMember.fit(config, one, no_progress)
    both = replace(config, consistency=1.0, noised=1.0)
    with pytest.raises(UsageError, match="choose one"):
        NetworkMember.fit(both, stage, no_progress)


def test_any_backbone_becomes_an_expert_and_the_winner_is_a_recipe() -> None:
    (winner,) = DETECTORS["experts_winner"].members
    assert isinstance(winner, ExpertsConfig) and winner.folds == len(winner.experts) == 7
    assert {each["crop"] for each in winner.experts} == {512}
    import timm

    for each in winner.experts:
        assert timm.is_model(each["backbone"].partition(".")[0])


def test_what_is_asked_for_in_vain_is_said(data: ImageSet) -> None:
    with pytest.raises(UsageError, match="'default' is no recipe of experts"):
        train_experts(ExpertTraining(detector="default"), data, data)
    with pytest.raises(UsageError, match="by their mean or weighed, not 'vote'"):
        train_experts(ExpertTraining(joined="vote"), data, data)
    with pytest.raises(UsageError, match="two folds or more \\(not 1\\)"):
        train_experts(ExpertTraining(folds=1), data, data)
