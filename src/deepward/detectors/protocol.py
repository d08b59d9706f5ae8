"""What a member is: anything that judges samples, learns on, and can be stored.

Members never change: `fit`, `adapt`, `update` and `forget` return new ones. Nothing outside this
room asks of which kind a member is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.learning.continual.strategy import Strategy
from deepward.progress import Progress

__all__ = [
    "Budget",
    "Judgement",
    "Member",
    "MemberConfig",
    "Samples",
    "Stage",
    "Unseen",
    "shared_rows",
]

Sample = NDArray[Any]  # a decoded picture, (H, W, 3) uint8 RGB; sounds and clips come beside it


class Samples(Protocol):
    """N labelled samples, read lazily; `deepward.domains.ImageSet` is one."""

    @property
    def pixels(self) -> Sequence[Sample]: ...
    @property
    def labels(self) -> NDArray[np.int64]: ...
    @property
    def domains(self) -> NDArray[Any]: ...
    @property
    def techniques(self) -> NDArray[Any]: ...
    @property
    def groups(self) -> NDArray[Any]: ...
    @property
    def hashes(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Budget:
    """How long what is trained by gradient descent may take; closed forms need none.

    Attributes:
        steps: optimizer steps; the same steps give the same weights.
        seconds: of training, instead of steps.
        precision: "fp32" or "bf16".
        checkpoints: a folder where training saves its state and resumes from it.
    """

    steps: int | None = None
    seconds: float | None = None
    precision: str = "fp32"
    checkpoints: Path | None = None


@dataclass(frozen=True)
class Stage:
    """What a detector learns at once: one domain, or some.

    Attributes:
        train: samples that networks are fitted on.
        val: samples held out from networks; closed forms learn from them too, for their own
            predictions of what they have seen come from leaving it out.
        seed: of everything random.
        device: of networks and encoders, such as "cpu" or "cuda".
        budget: of training by gradient descent.
        families: source class ("<domain>" or a technique's slug) to the name of its family, where
            the choice is not left to measurement.
        descriptions: what samples were described as before.
        strategy: how networks keep what they knew; none: they are fine-tuned. Closed forms need
            none.
    """

    train: Samples
    val: Samples
    seed: int = 0
    device: str = "cpu"
    budget: Budget = Budget()
    families: Mapping[str, str] = field(default_factory=dict)
    descriptions: Descriptions = field(default_factory=Descriptions)
    strategy: Strategy | None = None


@dataclass(frozen=True)
class Judgement:
    """What a member says of N samples; all but `logits` where it can.

    Attributes:
        logits: (N,) higher means fake.
        unfamiliarity: (N,) above 1 is unlike what it was fitted on.
        families: names of the families of fakes that it tells apart.
        speaking: (N,) index of the family that speaks loudest; -1 where none is certain.
        firm: (N,) logits without the families that may not say "fake" on their word alone.
        nearest: (N,) the known domain that is nearest, as an index of `domains`.
        domains: names of the domains it has learned.
        rows: (N, D) what it described the samples as on the way, as `Member.embed` gives it.
    """

    logits: NDArray[np.float64]
    unfamiliarity: NDArray[np.float64] | None = None
    families: tuple[str, ...] = ()
    speaking: NDArray[np.int64] | None = None
    firm: NDArray[np.float64] | None = None
    nearest: NDArray[np.int64] | None = None
    domains: tuple[str, ...] = ()
    rows: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Unseen:
    """A member's logits of samples by fits that had not seen them: what `assemble` rests on.

    Each sample stands as it is and, `twin`, laundered one way or another.

    Attributes:
        keys: content hash of each sample.
        logits, firm: (N,).
        labels: (N,) 0 or 1.
        domains, groups: (N,).
        twin: (N,) the sample was laundered.
        nearest: (N,) the known domain that is nearest, its own group left out; "" where a member
            cannot tell.
    """

    keys: NDArray[Any]
    logits: NDArray[np.float64]
    firm: NDArray[np.float64]
    labels: NDArray[np.int64]
    domains: NDArray[Any]
    groups: NDArray[Any]
    twin: NDArray[np.bool_]
    nearest: NDArray[Any]


def shared_rows(judged: Mapping[str, Unseen]) -> dict[str, Unseen]:
    """What all members say of the same samples, in the same order; the nearest as one knows it."""
    places = {
        name: {
            key: i
            for i, key in enumerate(
                zip(u.domains.tolist(), u.keys.tolist(), u.twin.tolist(), strict=True)
            )
        }
        for name, u in judged.items()
    }
    common = sorted(set.intersection(*(set(p) for p in places.values())))
    found = {}
    for name, unseen in judged.items():
        rows = np.array([places[name][key] for key in common], np.int64)
        found[name] = replace(unseen, **{k: v[rows] for k, v in vars(unseen).items()})
    nearest = next((u.nearest for u in found.values() if (u.nearest != "").any()), None)
    if nearest is not None:
        found = {name: replace(unseen, nearest=nearest) for name, unseen in found.items()}
    return found


class MemberConfig(Protocol):
    """Plain values that say what a member is made of; a frozen dataclass."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def medium(self) -> str: ...
    @property
    def share(self) -> float:
        """Of the time for training by gradient descent, relative to other members; 0: none."""
        ...


class Member(Protocol):
    """One judge of a detector."""

    @property
    def config(self) -> Any: ...

    @classmethod
    def fit(cls, config: Any, stage: Stage, tell: Progress) -> Self:
        """Learns from nothing."""
        ...

    def update(self, stage: Stage, tell: Progress) -> Self:
        """Learns one more stage, keeping what it knew."""
        ...

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> Self:
        """Learns from a few samples, keeping what it knew; the stage says how."""
        ...

    def forget(self, domain: str) -> Self:
        """The member as if it had never learned `domain`.

        Raises:
            UsageError: it does not know the domain, or cannot unlearn.
        """
        ...

    def embed(self, samples: Sequence[Sample]) -> NDArray[np.float32]:
        """(N, D)."""
        ...

    def judge(self, samples: Sequence[Sample]) -> Judgement:
        """All that it says of the samples, from one look."""
        ...

    def places(self, sample: Sample) -> NDArray[np.float32] | None:
        """What each place adds to the logit, less a constant: (h, w); None where it cannot tell."""
        ...

    def unseen(self) -> Unseen | None:
        """Predictions of what it was fitted on, by fits without it; None where it has none."""
        ...

    def networks(self) -> Mapping[str, Any]:
        """Networks whose scores have a gradient by the pixels, by name; none in closed forms."""
        ...

    def curves(self) -> Mapping[str, Any]:
        """How losses and accuracies went in training: name to pairs (step, value)."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What `restore` needs beside the config; "part/name" goes to a file of its own."""
        ...

    @classmethod
    def restore(
        cls, config: Any, state: Mapping[str, Tensor], device: str, descriptions: Descriptions
    ) -> Self:
        """The member that `state_dict` kept."""
        ...
