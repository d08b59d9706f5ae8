"""What a network sees in a step: augmented crops, mixed with each other, and their targets."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.learning.sampling import BalancedSampler
from deepward.loop import Batch
from deepward.pictures.augment import AugmentConfig, augment
from deepward.pictures.crops import take_crop

if TYPE_CHECKING:
    from deepward.detectors.protocol import Samples

__all__ = ["CropBatches", "CropConfig", "domain_shares"]

Pixels = NDArray[np.uint8]

# What a twin goes through beyond its original: always recompressed, half of them blurred or
# noisy. Its size stays, so that both look at the same place.
_DEGRADED = AugmentConfig(flip=0.0, rescale=0.0, blur=0.5, noise=0.5, tone=0.2, recompress=1.0)


@dataclass(frozen=True)
class CropConfig:
    """How the batch of a step is made.

    Attributes:
        side: of the square crops, in pixels.
        jitter: how far a crop may lie from the picture's centre, in pixels.
        size: rows of a batch.
        mixup: parameter of the Beta distribution of shares; 0 mixes nothing.
        twins: the second half of the rows are degraded twins of the first half.
        treatment: what pictures go through before they are cropped.
        worse: what twins go through beyond that.
        domains: names whose shares stand in the batch.
    """

    side: int
    jitter: float = 16.0
    size: int = 32
    mixup: float = 0.4
    twins: bool = False
    treatment: AugmentConfig = field(default_factory=AugmentConfig)
    worse: AugmentConfig = _DEGRADED
    domains: tuple[str, ...] = ()


class CropBatches:
    """The batch of any step: `inputs` (B, 3, side, side) and `targets` (B,), both float32.

    Inputs are pixels in [0, 255], targets the share of fake in [0, 1]. Where the config names
    domains, `domains` (B, D) holds the share of each in a row, weighed so that real and fake count
    alike within every domain; rows of other domains are zero. Pairs of crops are mixed
    (mixup; Zhang et al., mixup: Beyond Empirical Risk Minimization, ICLR 2018): few pictures are
    learned by heart in a dozen epochs; their mixtures are not. A twin is mixed like its original.

    A context manager: its threads end with it.

    Args:
        data: pictures and labels.
        config: of the batches.
        seed: of everything random; a batch depends on it and on the step alone.

    Raises:
        TrainingError: one of the classes is missing.
    """

    def __init__(self, data: "Samples", config: CropConfig, seed: int) -> None:
        self.data, self.config, self.seed = data, config, seed
        self.sampler = BalancedSampler(data, seed)
        self._shares = domain_shares(data, config.domains) if config.domains else None
        self._pool = ThreadPoolExecutor(  # OpenCV works outside the GIL
            torch.get_num_threads(), "crops"
        )

    def __call__(self, step: int) -> Batch:
        """Makes the batch of a step."""
        config = self.config
        half = config.size // 2 if config.twins else config.size
        chosen = self.sampler.batch(step, half)
        crops = np.empty((1 + config.twins, half, config.side, config.side, 3), np.uint8)

        def fill(slot: int) -> None:
            random = np.random.default_rng([self.seed, step, slot])
            image = augment(self.data.pixels[int(chosen[slot])], config.treatment, random)
            offset = random.uniform(-config.jitter, config.jitter, 2)
            crop = take_crop(image, config.side, (float(offset[0]), float(offset[1])))
            crops[0, slot] = crop
            if config.twins:
                crops[1, slot] = _degrade(crop, config.worse, random)

        list(self._pool.map(fill, range(half)))
        inputs = torch.from_numpy(crops).float()  # (1 or 2, half, side, side, 3)
        columns = {"targets": torch.from_numpy(self.data.labels[chosen]).float()}
        if self._shares is not None:
            columns["domains"] = torch.from_numpy(self._shares[chosen])
        rows = {k: v.expand(len(crops), *v.shape) for k, v in columns.items()} | {"inputs": inputs}
        if config.mixup:
            random = np.random.default_rng([self.seed, step, half])
            rows = _mix(rows, config.mixup, random)
        flat = {name: values.flatten(0, 1) for name, values in rows.items()}
        return flat | {"inputs": flat["inputs"].permute(0, 3, 1, 2)}

    def close(self) -> None:
        """Ends the threads; no batch can be made after."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def domain_shares(data: "Samples", names: tuple[str, ...]) -> NDArray[np.float32]:
    """(N, D): 1 at a sample's domain, times what makes real and fake count alike within it.

    `BalancedSampler` spreads each label evenly over the domains that have it; where that are more
    domains for one label than for the other, a domain's rows of that label are drawn less often.
    """
    spread = [len(set(data.domains[data.labels == label].tolist())) for label in (0, 1)]
    shares = np.zeros((len(data), len(names)), np.float32)
    for column, name in enumerate(names):
        for label in (0, 1):
            shares[(data.domains == name) & (data.labels == label), column] = spread[label]
    return shares / np.float32(max(len(names), 1))


def _degrade(crop: Pixels, worse_by: AugmentConfig, random: np.random.Generator) -> Pixels:
    """A worse copy of the same place, of the same size."""
    # Recompression may move the start by up to 7 pixels: mirrored borders make up for it.
    worse = augment(crop, worse_by, random)
    return take_crop(worse, crop.shape[0], (0.0, 0.0))


def _mix(
    rows: Mapping[str, Tensor], alpha: float, random: np.random.Generator
) -> dict[str, Tensor]:
    """Mixes rows with others of their half: (H, B, …) each, all by the same shares."""
    count = rows["inputs"].shape[1]
    order = torch.from_numpy(random.permutation(count))
    share = torch.from_numpy(random.beta(alpha, alpha, count).astype(np.float32))

    def mixed(values: Tensor) -> Tensor:
        spread = share.view(count, *[1] * (values.ndim - 2))
        return torch.lerp(values[:, order], values, spread)

    return {name: mixed(values) for name, values in rows.items()}
