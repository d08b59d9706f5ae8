"""Batches of crops: even, mixed, paired with degraded twins, the same for the same step."""

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from deepward.errors import TrainingError
from deepward.learning import BalancedSampler
from deepward.learning.batches import CropBatches, CropConfig
from deepward.loop import LoopConfig, Shared, fit
from deepward.pictures.augment import AugmentConfig
from tests.drawn import striped_images

UNTREATED = AugmentConfig(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
PLAIN = CropConfig(side=96, jitter=0.0, size=8, mixup=0.0, treatment=UNTREATED)


def test_without_augmentation_a_batch_is_the_pictures_that_the_sampler_chose() -> None:
    data = striped_images(20)
    with CropBatches(data, PLAIN, seed=3) as batches:
        batch = batches(2)
    chosen = BalancedSampler(data, seed=3).batch(2, 8)
    assert batch["inputs"].shape == (8, 3, 96, 96)
    for row, index in enumerate(chosen):
        picture = torch.from_numpy(data.pixels[int(index)]).permute(2, 0, 1)
        assert torch.equal(batch["inputs"][row], picture.float())
    assert batch["targets"].tolist() == data.labels[chosen].tolist()


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    data, config = striped_images(20), CropConfig(side=48, size=6, twins=True)
    with CropBatches(data, config, 1) as one, CropBatches(data, config, 1) as two:
        one(0)
        torch.manual_seed(5)
        assert all(torch.equal(one(4)[name], two(4)[name]) for name in ("inputs", "targets"))
        assert not torch.equal(one(4)["inputs"], one(5)["inputs"])


def test_mixed_crops_and_targets_are_the_same_mixture() -> None:
    # Pictures that are flat at 255 x label: the mixture can be read off any pixel.
    flat = striped_images(16)
    pixels = [np.full((64, 64, 3), 255 * label, np.uint8) for label in flat.labels]
    config = replace(PLAIN, side=32, mixup=0.4, size=32)
    with CropBatches(replace(flat, pixels=pixels), config, 0) as batches:
        batch = batches(0)
    assert torch.allclose(batch["inputs"][:, 0, 0, 0] / 255, batch["targets"], atol=1e-6)
    assert ((batch["targets"] > 0.01) & (batch["targets"] < 0.99)).sum() >= 4


def test_twins_are_degraded_copies_of_the_same_place_mixed_alike() -> None:
    data = striped_images(20)
    config = CropConfig(side=64, size=16, mixup=0.4, twins=True)
    with CropBatches(data, config, 0) as batches:
        batch = batches(0)
    assert batch["inputs"].shape == (16, 3, 64, 64)
    clean, degraded = batch["inputs"].chunk(2)
    assert torch.equal(*batch["targets"].chunk(2))
    # Coarse structure says which place was looked at; fine detail is what was taken away.
    coarse = [torch.nn.functional.avg_pool2d(half, 16).flatten(1) for half in (clean, degraded)]
    alike = torch.corrcoef(torch.cat(coarse))[:8, 8:]
    others = alike[~torch.eye(8, dtype=torch.bool)]
    assert alike.diagonal().min() > 0.85 > 0.4 > others.abs().mean()
    assert ((clean - degraded).abs().mean((1, 2, 3)) > 1.0).all()


def test_batches_with_twins_are_even_over_classes() -> None:
    with CropBatches(striped_images(20), replace(PLAIN, twins=True), 0) as batches:
        targets = torch.cat([batches(step)["targets"] for step in range(4)])
    assert Counter(targets.tolist()) == {0.0: 16, 1.0: 16}


def test_a_missing_class_is_named() -> None:
    data = striped_images(10)
    with pytest.raises(TrainingError, match="no fake"):
        CropBatches(data.subset(data.labels == 0), PLAIN, seed=0)


def test_no_thread_outlives_the_batches() -> None:
    before = threading.active_count()

    def fail(shared: Shared[torch.Tensor]) -> torch.Tensor:
        raise ZeroDivisionError

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(96 * 96 * 3, 1))
    with pytest.raises(ZeroDivisionError), CropBatches(striped_images(8), PLAIN, 0) as batches:
        fit(model, batches, {"loss": fail}, LoopConfig(steps=2, optimizer="sgd"))
    assert threading.active_count() == before
