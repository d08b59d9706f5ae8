"""The member that is trained by gradient descent, through the one loop."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.members.adapting import adapted_network
from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.members.network_training import (
    ADAPT,
    FIT,
    UPDATE,
    important_weights,
    train_network,
)
from deepward.detectors.protocol import Judgement, Samples, Stage, Unseen
from deepward.errors import CannotUnlearn
from deepward.learning.continual.exemplars import Exemplars, JoinedSamples
from deepward.learning.continual.keeping import Consolidation
from deepward.media import Laundered
from deepward.progress import Progress

__all__ = ["NetworkMember"]


@dataclass(frozen=True, eq=False)
class NetworkMember:
    """A trained network; learning more trains a copy of it.

    Attributes:
        config: what it is made of.
        network: with its weights; never changed.
        held: samples that no fit has seen: the validation part of each stage.
        exemplars: crops of earlier stages, where a strategy keeps some.
        mattered: weights that earlier stages rest on, where a strategy holds them.
        trained: curves of its first fit.
    """

    config: NetworkConfig
    network: Network
    held: tuple[Samples, ...] = ()
    exemplars: Exemplars = field(default_factory=Exemplars.none)
    mattered: Consolidation = field(default_factory=Consolidation)
    trained: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(cls, config: NetworkConfig, stage: Stage, tell: Progress) -> Self:
        """Trains on the stage's training part, for its budget or 300 steps.

        Raises:
            TrainingError: a class is missing, or the loss became infinite or NaN.
        """
        start = Network(config, stage.seed).to(stage.device).eval()
        trained = train_network(start, FIT, stage.train, stage, tell)
        member = cls(config, trained.network, trained=trained.curves)
        return member._remembering(stage, (stage.val,))

    def update(self, stage: Stage, tell: Progress) -> Self:
        """Learns the stage: a third of the budget, a fourth of the learning rate.

        The stage's strategy says how it keeps what it knew; without one it is fine-tuned on the
        stage alone. Where exemplars make up for a missing class, a stage of one class is learned
        too; otherwise that changes no weight.
        """
        strategy, data = stage.strategy, stage.train
        if strategy is not None and "replay" in strategy:
            met = sorted(set(stage.train.domains.tolist()))
            known = self.exemplars.without(met).training()
            data = JoinedSamples(data, known) if len(known) else data
        network = self.network
        if len(set(data.labels.tolist())) == 2:
            network = train_network(
                network, UPDATE, data, stage, tell, strategy=strategy, mattered=self.mattered
            ).network
        return replace(self, network=network)._remembering(stage, (*self.held, stage.val))

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> Self:
        """Learns from a few samples; support of one class changes no weight.

        A meta-trained network takes the plain gradient steps that it was made for; any other is
        fine-tuned, for a tenth of the budget at a tenth of the learning rate.
        """
        if len(set(support.labels.tolist())) < 2:
            return self
        if self.config.adapt_steps:
            return replace(self, network=adapted_network(self.network, support, stage.device))
        return replace(
            self, network=train_network(self.network, ADAPT, support, stage, tell).network
        )

    def forget(self, domain: str) -> Self:
        """Not possible: what weights have learned cannot be taken out of them exactly.

        Raises:
            CannotUnlearn: always.
        """
        raise CannotUnlearn(
            f"The network {self.config.name!r} cannot unlearn {domain!r} exactly. Go back to the "
            "stage before it was learned, and learn the later stages again."
        )

    def embed(self, samples: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Pooled features, (N, width)."""
        return np.asarray(self.network.embed_images(samples).float().cpu().numpy())

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """Logits and pooled features of one look."""
        logits, rows = self.network.judged(samples)
        return Judgement(logits=logits, rows=rows)

    def places(self, sample: NDArray[Any]) -> NDArray[np.float32]:
        """What each place adds to the logit: (h, w); the sum is the logit less the bias."""
        shares = self.network.activation_map(sample)
        return shares / np.float32(shares.size)

    def unseen(self) -> Unseen | None:
        """Logits of what was held out, as it is and laundered; a restored member has none."""
        return self._unseen

    def networks(self) -> Mapping[str, Network]:
        """The one network."""
        return {"": self.network}

    def curves(self) -> Mapping[str, Any]:
        """Of its first fit; the detector's lineage keeps them, its weights do not."""
        return self.trained

    def state_dict(self) -> dict[str, Tensor]:
        """The weights, and what is kept of earlier stages in files of their own."""
        weights = dict(self.network.state_dict())
        return weights | self.exemplars.tensors() | self.mattered.tensors()

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
        network.load_state_dict({k: tensor for k, tensor in state.items() if "/" not in k})
        kept = Exemplars.restore(state), Consolidation.restore(state)
        return cls(config, network.to(device).eval(), (), *kept)

    def _remembering(self, stage: Stage, held: tuple[Samples, ...]) -> Self:
        """What a strategy keeps of a stage that was just learned."""
        strategy = stage.strategy
        if strategy is None:
            return replace(self, held=held)
        config, mattered = self.config, self.mattered
        features = None
        if strategy.choice == "herding":

            def features(samples: Samples, places: NDArray[np.int64]) -> NDArray[Any]:
                return self.embed([samples.pixels[int(i)] for i in places])

        exemplars = self.exemplars.joined(
            stage.train,
            stage.val,
            budget=strategy.exemplar_bytes,
            side=config.crop + 2 * config.jitter,
            seed=stage.seed,
            features=features,
        )
        if "ewc" in strategy and len(set(stage.train.labels.tolist())) == 2:
            found = important_weights(self.network, stage.train, stage, strategy)
            mattered = mattered.joined(found, self.network)
        return replace(self, held=held, exemplars=exemplars, mattered=mattered)

    @cached_property
    def _unseen(self) -> Unseen | None:
        parts = [
            (samples, twin, self.network.logits(Laundered(pixels) if twin else pixels))
            for samples in (*self.held, self._remembered)
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
            nearest=np.full(len(logits), ""),
        )

    @cached_property
    def _remembered(self) -> Exemplars:
        """Held samples of earlier stages that are left only as exemplars."""
        here = {name for samples in self.held for name in set(samples.domains.tolist())}
        return self.exemplars.unseen().without(sorted(here))
