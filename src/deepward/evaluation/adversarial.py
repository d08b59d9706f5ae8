"""Adversarial attacks on the networks of a detector, and how far they carry to the rest of it.

Pictures are cut to the network's own crop, so that every row is of the same pixels. AutoAttack's
targeted losses need four classes; with two, APGD on the cross-entropy, FAB untargeted and Square
are defined (Croce and Hein, ICML 2020), and these are used.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.special import logit
from torch import Tensor

from deepward.learning.meta.attacks import apgd
from deepward.learning.meta.boundary import fab, square
from deepward.pictures.crops import take_crop
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors import Detector

__all__ = ["ATTACK_NAMES", "Attacked", "attack_detector"]

Image = NDArray[np.uint8]
ATTACK_NAMES = ("apgd_ce", "fab", "square")
_BATCH = 8
_BLACK_BOX_SIDE = 128  # pixels: what is judged without a network of its own


@dataclass(frozen=True)
class Attacked:
    """The same pictures after one attack at one size.

    Attributes:
        attack: one of `ATTACK_NAMES`.
        source: the network whose gradient or scores the attack used.
        size: radius in units of 1/255; 0 for the crops as they are.
        places: (N,) which of the given pictures these are.
        pictures: (S, S, 3) uint8 each.
        logits: (N,) what the source says of them.
    """

    attack: str
    source: str
    size: int
    places: NDArray[np.int64]
    pictures: Sequence[Image]
    logits: NDArray[np.float64]


def attack_detector(
    detector: "Detector",
    images: Sequence[Image],
    labels: NDArray[np.int64],
    *,
    surrogate: "Detector | None" = None,
    sizes: Sequence[int] = (2, 4, 8),
    steps: int = 10,
    queries: int = 60,
    black_box: int = 0,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Iterator[Attacked]:
    """Attacks every network that can be had; the clean crops of each come first.

    Args:
        detector: whose own networks are attacked.
        images: (H, W, 3) uint8 RGB.
        labels: (N,) 0 real, 1 fake; each picture is pushed to the other side.
        surrogate: whose networks are attacked instead where the detector has none: what is made
            for one detector is tried on another.
        sizes: radii in units of 1/255.
        steps: of gradient; queries: of Square, for each picture and size.
        black_box: pictures on which Square asks the detector itself, where no network can be had.
        seed: of random starts and squares.
        progress: told of every batch.
    """
    owner = detector if detector.networks or surrogate is None else surrogate
    own = owner is detector
    truth = torch.from_numpy(np.asarray(labels))
    for name, network in owner.networks.items():
        source = name if own else f"surrogate {name}"
        network.eval()
        side = network.config.crop
        crops = [take_crop(image, side, (0.0, 0.0)) for image in images]
        clean = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
        boundary = _boundary(owner, name, crops)
        score = _score(network, boundary)
        everything = np.arange(len(crops))
        yield _attacked(("none", source, 0), everything, crops, score, boundary)
        for attack, size, moved in _white_box(
            score, clean, truth, sizes, (steps, queries), seed, progress, source
        ):
            pictures = _pictures(moved, clean)
            yield _attacked((attack, source, size), everything, pictures, score, boundary)
    if not owner.networks and black_box:
        yield from _ask(detector, images, truth, black_box, sizes, queries, seed, progress)


Score = Callable[[Tensor], Tensor]  # (B, 3, S, S) to log-odds above the boundary, (B,)


def _score(network: Any, boundary: float) -> Score:
    """As the network judges pictures of the size of its crop: itself and its mirror image."""
    device = next(network.parameters()).device

    def score(pixels: Tensor) -> Tensor:
        x = pixels.to(device)
        embeddings = (network.embed(x) + network.embed(x.flip(3))) / 2
        logits: Tensor = network.classify(embeddings).float().cpu()
        return logits - boundary

    return score


def _boundary(owner: "Detector", name: str, crops: Sequence[Image]) -> float:
    """The network's logit at which the verdict turns, the other members left at their mean."""
    threshold = min(max(owner.decision.threshold, 1e-6), 1 - 1e-6)
    member = name.partition("/")[0]
    weight = owner.combination.weights[member]
    if weight <= 0:
        return 0.0
    others = {k: m for k, m in owner.members.items() if k != member}
    said = sum(
        owner.combination.weights[k] * float(m.judge(crops).logits.mean())
        for k, m in others.items()
    )
    return float((logit(threshold) - owner.combination.bias - said) / weight)


def _white_box(
    score: Score,
    clean: Tensor,
    labels: Tensor,
    sizes: Sequence[int],
    effort: tuple[int, int],
    seed: int,
    progress: Progress,
    source: str,
) -> Iterator[tuple[str, int, Tensor]]:
    steps, queries = effort
    total = len(clean) * (2 * len(sizes) + 1)
    moved: dict[tuple[str, int], list[Tensor]] = {}
    done = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, len(clean), _BATCH):
            part, truth = clean[start : start + _BATCH], labels[start : start + _BATCH]
            loss, margin = _loss(score, truth), _margin(score, truth)
            nearest, distance = fab(margin, part, steps)
            for size in sizes:
                within = (distance <= size / 255.0)[:, None, None, None]
                made = {
                    "apgd_ce": apgd(loss, part, size / 255.0, steps),
                    "fab": torch.where(within, nearest, part),
                    "square": square(margin, part, size / 255.0, queries, generator),
                }
                for attack, pixels in made.items():
                    moved.setdefault((attack, size), []).append(pixels)
                done += 2 * len(part)
                progress(Advance(f"attacking {source}", done, total, "attack"))
            done += len(part)
    for attack in ATTACK_NAMES:
        for size in sizes:
            yield attack, size, torch.cat(moved[attack, size])


def _loss(score: Score, labels: Tensor) -> Score:
    def loss(pixels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            score(pixels), labels.to(torch.float32), reduction="none"
        )

    return loss


def _margin(score: Score, labels: Tensor) -> Score:
    signs = 2.0 * labels.to(torch.float32) - 1.0
    return lambda pixels: signs * score(pixels)


def _ask(
    detector: "Detector",
    images: Sequence[Image],
    labels: Tensor,
    most: int,
    sizes: Sequence[int],
    queries: int,
    seed: int,
    progress: Progress,
) -> Iterator[Attacked]:
    """Square on the whole detector, which is asked for probabilities alone."""
    chosen = _evenly(labels, most)
    crops = [take_crop(images[i], _BLACK_BOX_SIDE, (0.0, 0.0)) for i in chosen]
    clean = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float()
    boundary = float(logit(min(max(detector.decision.threshold, 1e-6), 1 - 1e-6)))
    done, total = 0, len(sizes) * queries

    def score(pixels: Tensor) -> Tensor:
        said = detector.predict(_as_images(pixels)).logit
        return torch.from_numpy(said).float() - boundary

    def margin(pixels: Tensor) -> Tensor:
        nonlocal done
        done += 1
        progress(Advance("asking the detector", min(done, total), total, "query"))
        return _margin(score, labels[chosen])(pixels)

    generator = torch.Generator().manual_seed(seed)
    places = np.array(chosen)
    yield _attacked(("none", "detector", 0), places, crops, score, boundary)
    for size in sizes:
        moved = square(margin, clean, size / 255.0, queries, generator)
        pictures = _pictures(moved, clean)
        yield _attacked(("square", "detector", size), places, pictures, score, boundary)


def _evenly(labels: Tensor, most: int) -> list[int]:
    """Places of the first pictures of both classes, in order."""
    half = max(most // 2, 1)
    chosen = [torch.nonzero(labels == k).flatten()[:half] for k in (0, 1)]
    return sorted(torch.cat(chosen).tolist())


def _attacked(
    what: tuple[str, str, int],
    places: NDArray[np.int64],
    pictures: Sequence[Image],
    score: Score,
    boundary: float,
) -> Attacked:
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        said = torch.cat([score(part) for part in torch.split(pixels, _BATCH)]) + boundary
    return Attacked(*what, places, pictures, said.double().numpy())


def _pictures(moved: Tensor, clean: Tensor) -> list[Image]:
    """Whole grey levels, rounded away from the original: a file holds nothing finer."""
    apart = moved - clean
    whole = clean + apart.sign() * (apart.abs() - 1e-3).clamp_min(0.0).ceil()
    return _as_images(whole)


def _as_images(pixels: Tensor) -> list[Image]:
    whole = pixels.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return list(whole.contiguous().numpy())
