"""The member that is trained by gradient descent, through the one loop."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.protocol import Judgement, Samples, Stage, Unseen
from deepward.errors import UsageError
from deepward.files import canonical_json, sha256_bytes
from deepward.learning.batches import CropBatches, CropConfig
from deepward.learning.terms import Seen, consistency, cross_entropy
from deepward.loop import Batch, LoopConfig, Term, fit
from deepward.pictures.launder import LaunderedImages
from deepward.progress import Progress

__all__ = ["NetworkMember"]

_STEPS = 300  # where the budget names neither steps nor seconds


@dataclass(frozen=True)
class _Method:
    """How much of the budget is spent, and how fast, relative to a first fit."""

    name: str
    budget: float
    learning_rate: float


_FIT = _Method("fit", 1.0, 1.0)
_UPDATE = _Method("update", 1 / 3, 1 / 4)
_ADAPT = _Method("adapt", 1 / 10, 1 / 10)


@dataclass(frozen=True, eq=False)
class NetworkMember:
    """A trained network; learning more trains a copy of it.

    Attributes:
        config: what it is made of.
        network: with its weights; never changed.
        held: samples that no fit has seen: the validation part of each stage.
    """

    config: NetworkConfig
    network: Network
    held: tuple[Samples, ...] = ()

    @classmethod
    def fit(cls, config: NetworkConfig, stage: Stage, tell: Progress) -> Self:
        """Trains on the stage's training part, for its budget or 300 steps.

        Raises:
            TrainingError: a class is missing, or the loss became infinite or NaN.
        """
        network = Network(config, stage.seed).to(stage.device).eval()
        return cls(config, network)._learned(_FIT, stage.train, stage, (stage.val,), tell)

    def update(self, stage: Stage, tell: Progress) -> Self:
        """Fine-tunes on the stage alone: a third of the budget, a fourth of the learning rate.

        What it knew it keeps as far as that goes. A stage of one class changes no weight.
        """
        return self._continued(_UPDATE, stage.train, stage, (*self.held, stage.val), tell)

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> Self:
        """Fine-tunes on a few samples: a tenth of the budget, a tenth of the learning rate.

        Support of one class changes no weight.
        """
        return self._continued(_ADAPT, support, stage, self.held, tell)

    def forget(self, domain: str) -> Self:
        """Not possible: what weights have learned cannot be taken out of them exactly.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"The network {self.config.name!r} cannot unlearn {domain!r} exactly. Go back to the "
            "stage before it was learned, and learn the later stages again."
        )

    def embed(self, samples: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Pooled features, (N, width)."""
        return np.asarray(self.network.embed_images(samples).float().cpu().numpy())

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """Logits, (N,)."""
        return Judgement(logits=self.network.logits(samples))

    def places(self, sample: NDArray[Any]) -> NDArray[np.float32]:
        """What each place adds to the logit: (h, w); the sum is the logit less the bias."""
        shares = self.network.activation_map(sample)
        return shares / np.float32(shares.size)

    def unseen(self) -> Unseen | None:
        """Logits of what was held out, as it is and laundered; a restored member has none."""
        return self._unseen

    def state_dict(self) -> dict[str, Tensor]:
        """The weights."""
        return dict(self.network.state_dict())

    @classmethod
    def restore(
        cls,
        config: NetworkConfig,
        state: Mapping[str, Tensor],
        device: str,
        descriptions: Descriptions,
    ) -> Self:
        """A network with these weights."""
        network = Network(replace(config, pretrained=False))  # its own weights are all it needs
        network.load_state_dict(dict(state))
        return cls(config, network.to(device).eval())

    def _continued(
        self,
        method: _Method,
        data: Samples,
        stage: Stage,
        held: tuple[Samples, ...],
        tell: Progress,
    ) -> Self:
        if len(set(data.labels.tolist())) < 2:
            return replace(self, held=held)
        return self._learned(method, data, stage, held, tell)

    def _learned(
        self,
        method: _Method,
        data: Samples,
        stage: Stage,
        held: tuple[Samples, ...],
        tell: Progress,
    ) -> Self:
        config, budget = self.config, stage.budget
        loop = LoopConfig(
            learning_rate=config.learning_rate * method.learning_rate,
            precision=budget.precision,
            seed=stage.seed,
        )
        if budget.seconds is not None:
            loop = replace(loop, seconds=budget.seconds * method.budget)
        else:
            steps = _STEPS if budget.steps is None else budget.steps
            loop = replace(loop, steps=max(round(steps * method.budget), 1))
        crops = CropConfig(
            config.crop, config.jitter, config.batch_size, twins=config.consistency > 0
        )
        terms: dict[str, Term[Seen]] = {"loss": cross_entropy}
        if config.consistency:
            terms["consistency"] = consistency(config.consistency, config.consistency)
        key = self._key(method, data, stage.seed)
        checkpoint = None
        if budget.checkpoints is not None:
            checkpoint = budget.checkpoints / f"{config.name}-{key[:16]}.safetensors"
        network = copy.deepcopy(self.network).to(stage.device)
        with CropBatches(data, crops, stage.seed) as batches:
            fit(
                network,
                batches,
                terms,
                loop,
                forward=look,
                checkpoint=checkpoint,
                key=key,
                progress=tell,
                task=f"{config.name}: {method.name}",
            )
        return replace(self, network=network, held=held)

    def _key(self, method: _Method, data: Samples, seed: int) -> str:
        """Hash of all that the new weights depend on, apart from the loop's own settings."""
        rows = [data.hashes, data.labels.tolist(), data.domains.tolist()]
        start = [
            [name, sha256_bytes(tensor.detach().cpu().contiguous().numpy().tobytes())]
            for name, tensor in self.network.state_dict().items()
        ]
        values = [method.name, asdict(self.config), seed, rows, start]
        return sha256_bytes(canonical_json(values).encode())

    @cached_property
    def _unseen(self) -> Unseen | None:
        parts = [
            (samples, twin, self.network.logits(LaunderedImages(pixels) if twin else pixels))
            for samples in self.held
            if len(samples)
            for pixels in (samples.pixels,)
            for twin in (False, True)
        ]
        if not parts:
            return None
        logits = np.concatenate([said for _, _, said in parts])
        return Unseen(
            keys=np.concatenate([np.array(s.hashes, np.str_) for s, _, _ in parts]),
            logits=logits,
            firm=logits,
            labels=np.concatenate([s.labels for s, _, _ in parts]),
            domains=np.concatenate([s.domains.astype(np.str_) for s, _, _ in parts]),
            groups=np.concatenate([s.groups.astype(np.str_) for s, _, _ in parts]),
            twin=np.concatenate([np.full(len(s), twin) for s, twin, _ in parts]),
        )


def look(network: Network, batch: Batch) -> Seen:
    """The one forward of a training step."""
    embeddings = network.embed(batch["inputs"])
    return Seen(embeddings, network.classify(embeddings))
