"""Attacks of a boundary between two classes, against what geometry says."""

import pytest
import torch
from torch import Tensor

from deepward.learning.meta.boundary import fab, square


def linear(weights: Tensor, bias: float) -> object:
    return lambda pixels: (pixels * weights).flatten(1).sum(1) + bias


def test_fab_finds_the_nearest_point_of_a_plane() -> None:
    torch.manual_seed(0)
    weights, clean = torch.randn(3, 6, 6), torch.full((2, 3, 6, 6), 120.0)
    bias = -float((clean[0] * weights).sum()) + 4.0 * float(weights.abs().sum())
    beyond, distance = fab(linear(weights, bias), clean, 3)  # type: ignore[arg-type]
    assert distance * 255.0 == pytest.approx(torch.full((2,), 4.0), rel=0.06)
    assert (linear(weights, bias)(beyond) <= 0).all()  # type: ignore[operator]


def test_fab_leaves_what_is_beyond_and_what_cannot_be_reached() -> None:
    clean = torch.full((1, 3, 4, 4), 100.0)
    point, distance = fab(lambda x: x.flatten(1).sum(1) - 1e6, clean, 2)
    assert float(distance) == 0.0 and torch.equal(point, clean)
    point, distance = fab(lambda x: x.flatten(1).sum(1) + 1e6, clean, 2)
    assert torch.isinf(distance).all() and torch.equal(point, clean)


def test_the_projection_goes_on_where_pixels_meet_their_end() -> None:
    # Half of the pixels are at 0 and cannot fall: the others must fall twice as far.
    clean = torch.zeros(1, 1, 2, 2)
    clean[..., 0] = 200.0
    margin = linear(torch.ones(1, 2, 2), -400.0 + 20.0)
    _, distance = fab(margin, clean, 4)  # type: ignore[arg-type]
    assert float(distance) * 255.0 == pytest.approx(10.0, rel=0.06)


def test_square_lowers_the_margin_inside_its_radius_without_a_gradient() -> None:
    torch.manual_seed(1)
    weights, clean = torch.randn(3, 16, 16), torch.full((3, 3, 16, 16), 250.0)
    asked = 0

    def margin(pixels: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        assert not torch.is_grad_enabled()
        return (pixels * weights).flatten(1).sum(1)

    moved = square(margin, clean, 8 / 255, 60, torch.Generator().manual_seed(0))
    again = square(margin, clean, 8 / 255, 60, torch.Generator().manual_seed(0))
    assert asked == 120 and torch.equal(moved, again)
    assert (moved - clean).abs().max() <= 8 and moved.max() <= 255
    first = square(margin, clean, 8 / 255, 1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (margin(moved) < margin(first)).all()
