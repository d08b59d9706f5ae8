"""What the input representations show and what they hide."""

import pytest
import torch
import torch.nn.functional as F

from deepward.detectors.members.representations import REPRESENTATIONS, build_representation
from deepward.errors import UsageError


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_a_representation_keeps_the_size_and_says_its_channels(name: str) -> None:
    x = torch.rand(2, 3, 33, 40, generator=torch.Generator().manual_seed(0))
    representation = build_representation([name])
    assert representation(x).shape == (2, representation.channels, 33, 40)


def test_the_residual_of_a_nearest_neighbour_enlargement_is_zero() -> None:
    small = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    large = F.interpolate(small, scale_factor=2, mode="nearest")
    assert build_representation(["residual"])(large).abs().max() == 0


def test_the_high_pass_bank_does_not_see_a_flat_picture() -> None:
    assert build_representation(["highpass"])(torch.full((1, 3, 16, 16), 0.7)).abs().max() < 1e-4


def test_folding_keeps_every_value() -> None:
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    plain, folded = build_representation(["raw"])(x), build_representation(["raw"], 4)(x)
    assert folded.shape == (1, 48, 4, 4)
    assert torch.equal(plain.flatten().sort().values, folded.flatten().sort().values)


def test_an_unknown_representation_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"wavelet.*residual"):
        build_representation(["wavelet"])
