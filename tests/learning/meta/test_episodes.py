"""Source classes, episodes, hardness and twins."""

import numpy as np
import pytest
import torch

from deepward.errors import TrainingError
from deepward.learning.meta import MetaConfig, source_classes
from deepward.learning.meta.attacks import ATTACKS, apgd
from deepward.learning.meta.augmentations import TRANSFORMS, augment_ensemble, build_transforms
from deepward.learning.meta.classes import EpisodeSampler
from deepward.learning.meta.hardness import hardness, rank
from deepward.learning.meta.terms import contrastive, divergence
from tests.drawn import striped_images

CONFIG = MetaConfig(ways=3, shots=4, query=3)


def test_an_episode_holds_both_kinds_and_no_base_picture_twice() -> None:
    data = striped_images(30).joined(striped_images(30, seed=1, domain="other"))
    data = data.joined(striped_images(30, seed=2, domain="third"))
    groups = np.array([f"base-{i // 2}" for i in range(len(data))])
    classes = source_classes(data)
    sampler = EpisodeSampler(classes, groups, CONFIG)
    seen = set()
    for task in range(40):
        drawn = sampler.draw(0, 5, task)
        fake = classes.fake[list(drawn.classes)]
        assert fake.any() and not fake.all() and len(drawn.classes) == 3
        seen.add(drawn.classes)
        assert not set(groups[drawn.support]) & set(groups[drawn.query])
        assert set(classes.of[drawn.support]) == set(classes.of[drawn.query])
        again = sampler.draw(0, 5, task)
        assert np.array_equal(again.support, drawn.support)
    assert len(seen) > 5


def test_classes_smaller_than_k_are_drawn_with_repetition_and_single_ones_left_out() -> None:
    data = striped_images(6).joined(striped_images(2, seed=4, domain="single"))
    classes = source_classes(data)
    assert classes.left_out == ("single/real", "single/upsampling")
    assert classes.counts() == {"stripes/real": 3, "stripes/upsampling": 3}
    drawn = EpisodeSampler(classes, data.groups, CONFIG).draw(0, 0, 0)
    assert len(drawn.support) == 8 and len(drawn.query) == 6
    with pytest.raises(TrainingError, match="two base pictures"):
        source_classes(striped_images(2))


def test_hardness_orders_wrong_and_sure_before_wrong_before_right() -> None:
    probabilities = torch.tensor([[0.95, 0.05], [0.6, 0.4], [0.4, 0.6], [0.05, 0.95]])
    found = hardness(probabilities, torch.zeros(4, dtype=torch.long))
    assert found.argsort().tolist() == [0, 1, 2, 3]
    # The published form takes what is wrong and sure for easy.
    published = hardness(probabilities, torch.zeros(4, dtype=torch.long), reference=True)
    assert published[3] < published[2]
    ranked = rank(probabilities, torch.zeros(4, dtype=torch.long), 0.5, "ranked")
    assert ranked.hardest.tolist() == [3, 2] and ranked.surest.tolist() == [0, 1]


def test_all_19_transforms_keep_the_shape_and_chains_depend_on_the_seed() -> None:
    crops = torch.from_numpy(np.stack(striped_images(4, side=64).pixels)).permute(0, 3, 1, 2)
    transforms = build_transforms(64)
    assert len(TRANSFORMS) == 19
    for name, transform in transforms.items():
        made = transform(crops)
        assert made.shape == crops.shape and made.dtype == torch.uint8, name
    made = []
    for _ in range(2):
        torch.manual_seed(3)
        made.append(augment_ensemble(crops.float(), transforms))
    assert torch.equal(made[0], made[1])


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_attacks_raise_the_loss_of_every_sample_inside_their_ball(name: str) -> None:
    torch.manual_seed(0)
    clean = torch.full((3, 3, 8, 8), 100.0) + torch.rand(3, 3, 8, 8)
    direction = torch.randn(3, 8, 8)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return ((x / 255.0) * direction).sum((1, 2, 3))

    size = 4 / 255
    moved = ATTACKS[name](loss, clean, size, 5)
    apart = moved - clean
    assert (loss(moved) > loss(clean)).all()
    if name == "pgd_l2":
        assert float(apart.flatten(1).norm(dim=1).max()) <= 4.0 * 192**0.5 + 1e-3
    else:
        assert float(apart.abs().max()) <= 4.0 + 1e-4
    # A linear loss is raised most at the corner of the ball.
    if name in {"fgsm", "bim", "apgd_ce", "mifgsm"}:
        wanted = loss(clean + 4.0 * direction.sign())
        torch.testing.assert_close(loss(moved), wanted, rtol=0.02, atol=0.05)


def test_apgd_keeps_the_strongest_point_it_met() -> None:
    clean = torch.full((2, 3, 4, 4), 50.0)
    target = clean + 1.0  # a peak inside the ball: plain steps would overshoot it

    def loss(x: torch.Tensor) -> torch.Tensor:
        return -((x - target) ** 2).sum((1, 2, 3))

    torch.manual_seed(1)
    assert (loss(apgd(loss, clean, 8 / 255, 40)) > loss(clean)).all()


def test_terms_are_what_their_formulas_say() -> None:
    one = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    classes = torch.tensor([0, 1])
    found = contrastive(one, one, classes, classes, margin=2.0)
    apart = (2.0 - 2.0**0.5) ** 2
    torch.testing.assert_close(found, torch.tensor([[0.0, apart], [apart, 0.0]]), atol=1e-5, rtol=0)
    p, q = torch.tensor([[2.0, 0.0, -torch.inf]]), torch.tensor([[0.0, 1.0, -torch.inf]])
    wanted = torch.nn.functional.kl_div(
        q[:, :2].log_softmax(1), p[:, :2].softmax(1), reduction="sum"
    )
    torch.testing.assert_close(divergence(p, q)[0], wanted)
