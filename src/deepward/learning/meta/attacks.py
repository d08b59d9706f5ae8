"""The adversarial ensemble: attacks of whole batches on a differentiable loss.

Inputs are pixels in [0, 255], as networks here take them; sizes are in [0, 1]. Every attack
raises the cross-entropy of the source classes, so it is defined for two classes as for many.
Attacks that need four classes or a target (the targeted losses of AutoAttack), or that walk
picture by picture (DeepFool, SparseFool, Pixle, CW's line search), are left out.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["ATTACKS", "apgd", "attack_ensemble", "step_attack"]

Loss = Callable[[Tensor], Tensor]  # (B, 3, S, S) in [0, 255] -> (B,)


def step_attack(
    loss: Loss,
    clean: Tensor,
    size: float,
    steps: int,
    *,
    start: float = 0.0,
    momentum: float = 0.0,
    euclidean: bool = False,
) -> Tensor:
    """Signed (or, in L2, normalized) gradient steps inside the ball around `clean`.

    FGSM (one step, no start; Goodfellow et al., 2015), RFGSM and FFGSM (one step from a random
    start; Wong et al., 2020), BIM (Kurakin et al., 2017), PGD (Madry et al., 2018), MIFGSM
    (Dong et al., 2018), PGDL2.

    Args:
        loss: of each sample; rises.
        size: radius in [0, 1]: L-infinity, or L2 per square root of the number of values.
        start: share of the radius of the random start.
        momentum: share of the last direction that is kept.
    """
    radius = size * 255.0
    length = max(radius / steps * (1.0 if steps == 1 else 1.5), 1e-6)
    moved = clean
    if start:
        moved = moved + torch.empty_like(clean).uniform_(-1, 1) * radius * start
        moved = _inside(moved, clean, radius, euclidean)
    kept = torch.zeros_like(clean)
    for _ in range(steps):
        slope = _slope(loss, moved)
        if momentum:
            mean = slope.abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-12)
            kept = momentum * kept + slope / mean
            slope = kept
        step = _unit(slope) if euclidean else slope.sign()
        moved = _inside(moved + length * step, clean, radius, euclidean)
    return moved


def apgd(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    """APGD with the cross-entropy (Croce and Hein, 2020): halves its steps where it stops gaining.

    Untargeted, so it is defined for two classes. Returns the strongest point met of each sample.
    """
    radius = size * 255.0
    length = torch.full((len(clean), 1, 1, 1), 2 * radius, device=clean.device)
    now = _inside(clean + radius * (2 * torch.rand_like(clean) - 1), clean, radius, False)
    before, best = now, now
    with torch.no_grad():
        most = loss(now)
    gained = torch.zeros(len(clean), device=clean.device)
    every = max(round(0.22 * steps), 1)
    for step in range(steps):
        slope = _slope(loss, now)
        ahead = _inside(now + length * slope.sign(), clean, radius, False)
        share = 0.75 if step else 1.0
        mixed = now + share * (ahead - now) + (1 - share) * (now - before)
        before, now = now, _inside(mixed, clean, radius, False)
        with torch.no_grad():
            found = loss(now)
        better = found > most
        best = torch.where(better[:, None, None, None], now, best)
        most = torch.maximum(most, found)
        gained += better
        if (step + 1) % every == 0:
            stuck = gained < 0.75 * every
            length = torch.where(stuck[:, None, None, None], length / 2, length)
            now = torch.where(stuck[:, None, None, None], best, now)
            gained.zero_()
    return best


def _fgsm(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, 1)


def _rfgsm(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, 1, start=0.5)


def _ffgsm(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, 1, start=1.0)


def _bim(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, steps)


def _pgd(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, steps, start=1.0)


def _mifgsm(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, steps, momentum=1.0)


def _pgd_l2(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    return step_attack(loss, clean, size, steps, start=1.0, euclidean=True)


Attack = Callable[[Loss, Tensor, float, int], Tensor]

ATTACKS: Mapping[str, Attack] = {
    "fgsm": _fgsm,
    "rfgsm": _rfgsm,
    "ffgsm": _ffgsm,
    "bim": _bim,
    "pgd": _pgd,
    "mifgsm": _mifgsm,
    "pgd_l2": _pgd_l2,
    "apgd_ce": apgd,
}


def attack_ensemble(loss: Loss, clean: Tensor, size: float, steps: int) -> Tensor:
    """The whole batch by one attack, drawn by PyTorch's global generator."""
    names = list(ATTACKS)
    return ATTACKS[names[int(torch.randint(len(names), ()))]](loss, clean, size, steps)


def _slope(loss: Loss, at: Tensor) -> Tensor:
    asked = at.detach().requires_grad_(True)
    total: Any = loss(asked).sum()
    slope: Tensor = torch.autograd.grad(total, asked)[0]
    return slope


def _unit(x: Tensor) -> Tensor:
    """To the length at which each value is 1 on average."""
    norm = x.flatten(1).norm(dim=1).clamp_min(1e-12)
    scaled: Tensor = x * (x[0].numel() ** 0.5 / norm)[:, None, None, None]
    return scaled


def _inside(moved: Tensor, clean: Tensor, radius: float, euclidean: bool) -> Tensor:
    apart = moved - clean
    if euclidean:
        norm = apart.flatten(1).norm(dim=1) / apart[0].numel() ** 0.5
        apart = apart * (radius / norm.clamp_min(1e-12)).clamp_max(1.0)[:, None, None, None]
    else:
        apart = apart.clamp(-radius, radius)
    return (clean + apart).clamp(0.0, 255.0).detach()
