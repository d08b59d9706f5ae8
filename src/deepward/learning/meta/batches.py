"""The crops of an epoch's episodes."""

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.protocol import Samples
from deepward.learning.meta.classes import EpisodeSampler, SourceClasses
from deepward.learning.meta.config import MetaConfig
from deepward.loop import Batch
from deepward.pictures.augment import AugmentConfig, augment
from deepward.pictures.crops import take_crop

__all__ = ["EpisodeBatches", "episode_part"]

_PLAIN = AugmentConfig(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class EpisodeBatches:
    """The batch of an epoch: T episodes of S support and Q query crops.

    `support_inputs` (T, S, 3, side, side) uint8, `support_classes` (T, S), and the same of
    `query`; `fake` (C,) says which classes are fakes. Support crops are treated as in ordinary
    training (flips, recompression …), query crops are plain.

    A context manager: its threads end with it.

    Args:
        data: samples that `classes` speaks of.
        classes: of the samples.
        network: crop and jitter.
        config: of the episodes.
        seed: a batch depends on it and on the epoch alone.
    """

    def __init__(
        self,
        data: Samples,
        classes: SourceClasses,
        network: NetworkConfig,
        config: MetaConfig,
        seed: int,
    ) -> None:
        self.data, self.classes, self.network, self.config = data, classes, network, config
        self.seed = seed
        self.sampler = EpisodeSampler(classes, data.groups, config)
        self._pool = ThreadPoolExecutor(torch.get_num_threads(), "episodes")

    def __call__(self, epoch: int) -> Batch:
        """Makes the batch of an epoch."""
        drawn = [self.sampler.draw(self.seed, epoch, task) for task in range(self.config.tasks)]
        batch: dict[str, Tensor] = {"fake": torch.from_numpy(self.classes.fake)}
        for number, side in enumerate(("support", "query")):
            places = np.stack([getattr(each, side) for each in drawn])  # (T, S)
            treatment = _PLAIN if side == "query" else AugmentConfig()
            crops = self._crops(places.ravel(), treatment, (epoch, number))
            shaped = torch.from_numpy(crops).permute(0, 3, 1, 2)
            batch[f"{side}_inputs"] = shaped.reshape(*places.shape, *shaped.shape[1:])
            batch[f"{side}_classes"] = torch.from_numpy(self.classes.of[places])
        return batch

    def _crops(
        self, places: NDArray[np.int64], treatment: AugmentConfig, key: tuple[int, int]
    ) -> NDArray[np.uint8]:
        side, jitter = self.network.crop, float(self.network.jitter)
        crops = np.empty((len(places), side, side, 3), np.uint8)

        def fill(slot: int) -> None:
            random = np.random.default_rng([self.seed, *key, slot])
            image = augment(self.data.pixels[int(places[slot])], treatment, random)
            offset = random.uniform(-jitter, jitter, 2)
            crops[slot] = take_crop(image, side, (float(offset[0]), float(offset[1])))

        list(self._pool.map(fill, range(len(places))))
        return crops

    def close(self) -> None:
        """Ends the threads."""
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


def episode_part(batch: Batch, side: str, task: int) -> dict[str, Tensor]:
    """Support or query of one episode, as loss terms see it.

    `inputs` (S, 3, side, side) in [0, 255], `classes` (S,), `targets` (S,) 1 for fake, `fake` (C,).
    """
    classes = batch[f"{side}_classes"][task]
    return {
        "inputs": batch[f"{side}_inputs"][task].float(),
        "classes": classes,
        "targets": batch["fake"][classes].float(),
        "fake": batch["fake"],
    }
