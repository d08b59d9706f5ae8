"""Attacks of one boundary between two classes: the nearest point beyond it, and random squares.

Both take the margin of the true class, (B,): positive where the decision is right. Inputs are
pixels in [0, 255]; sizes are in [0, 1].
"""

import torch
from torch import Tensor

from deepward.learning.meta.attacks import Loss

__all__ = ["fab", "square"]

_BISECTIONS = 24
_OVERSHOOT, _MOST_BIAS, _BACK = 1.05, 0.1, 0.9  # eta, alpha_max and beta of the paper


def fab(margin: Loss, clean: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """FAB, untargeted, L-infinity (Croce and Hein, ICML 2020): the nearest point found beyond.

    Each step projects onto the linearized boundary, inside the box of pixels, biased towards the
    original; beyond the boundary it goes back a tenth of the way. Two classes have one boundary, so
    nothing is aimed at.

    Args:
        margin: differentiable; positive where the decision is right.
        clean: (B, 3, S, S) in [0, 255].
        steps: of projection.

    Returns:
        Points beyond the boundary, and their distance in [0, 1]; the clean point and infinity
        where none was found. A clean point that is beyond already has distance 0.
    """
    now = clean
    best, far = clean, torch.full((len(clean),), torch.inf, device=clean.device)
    for step in range(steps + 1):
        value, slope = _value_and_slope(margin, now)
        beyond = value <= 0
        distance = (now - clean).abs().flatten(1).amax(1)
        nearer = beyond & (distance < far)
        best = torch.where(nearer[:, None, None, None], now, best)
        far = torch.where(nearer, distance, far)
        if step == steps:
            break
        # Back towards the original where it is beyond, then on from there with the old slope.
        start = torch.where(beyond[:, None, None, None], clean + _BACK * (now - clean), now)
        rest = value + (slope * (start - now)).flatten(1).sum(1)
        ahead = _projection(start, slope, rest)
        rest_of_clean = value + (slope * (clean - now)).flatten(1).sum(1)
        direct = _projection(clean, slope, rest_of_clean)
        one, other = (d.abs().flatten(1).amax(1) for d in (ahead, direct))
        bias = (one / (one + other).clamp_min(1e-12)).clamp_max(_MOST_BIAS)[:, None, None, None]
        mixed = (1 - bias) * (start + _OVERSHOOT * ahead) + bias * (clean + _OVERSHOOT * direct)
        now = mixed.clamp(0.0, 255.0).detach()
    return best, far / 255.0


def square(
    margin: Loss, clean: Tensor, size: float, queries: int, generator: torch.Generator
) -> Tensor:
    """Square attack, L-infinity (Andriushchenko et al., ECCV 2020): asks for scores alone.

    It starts from vertical stripes and tries squares of one colour, ever smaller, keeping those
    that lower the margin.

    Args:
        margin: of the true class; needs no gradient.
        clean: (B, 3, S, S) in [0, 255].
        size: radius in [0, 1].
        queries: how often each picture may be judged.
        generator: of the squares; on the CPU.
    """
    radius, (count, planes, height, width) = size * 255.0, clean.shape

    def signs(*shape: int) -> Tensor:
        drawn = torch.randint(0, 2, shape, generator=generator).to(clean)
        return (2 * drawn - 1) * radius

    best = (clean + signs(count, planes, 1, width)).clamp(0.0, 255.0)
    with torch.no_grad():
        least = margin(best)
        for query in range(1, queries):
            side = _side_of_square(query / queries, min(height, width))
            tried = best.clone()
            for row in range(count):
                top = int(torch.randint(0, height - side + 1, (), generator=generator))
                left = int(torch.randint(0, width - side + 1, (), generator=generator))
                place = (row, slice(None), slice(top, top + side), slice(left, left + side))
                tried[place] = (clean[place] + signs(planes, 1, 1)).clamp(0.0, 255.0)
            found = margin(tried)
            better = found < least
            best = torch.where(better[:, None, None, None], tried, best)
            least = torch.where(better, found, least)
    return best


def _side_of_square(share: float, side: int) -> int:
    """The paper's schedule, 80 % of the area first, halved as the budget is spent."""
    halvings = sum(share > point for point in (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8))
    share_of_side: float = (0.8 / 2**halvings) ** 0.5
    return max(1, min(side, round(share_of_side * side)))


def _value_and_slope(margin: Loss, at: Tensor) -> tuple[Tensor, Tensor]:
    asked = at.detach().requires_grad_(True)
    value = margin(asked)
    slope: Tensor = torch.autograd.grad([value.sum()], asked)[0]
    return value.detach(), slope


def _projection(point: Tensor, slope: Tensor, value: Tensor) -> Tensor:
    """The smallest step (in its largest pixel) onto where `value + slope · step` is 0, in the box.

    Every pixel moves the same way as far as the box lets it; how far is found by bisection. Where
    the box does not reach the plane, the step goes to its corner.
    """
    way = -torch.sign(value)[:, None, None, None] * slope.sign()
    low = torch.zeros(len(point), device=point.device)
    high = torch.full_like(low, 255.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        step = (point + middle[:, None, None, None] * way).clamp(0.0, 255.0) - point
        left = value + (slope * step).flatten(1).sum(1)
        short = left * value > 0
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    moved = (point + high[:, None, None, None] * way).clamp(0.0, 255.0)
    return moved - point
