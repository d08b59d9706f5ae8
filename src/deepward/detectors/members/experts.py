"""One member of several experts, each held out from clusters that it never trained on.

Which kind an expert is, nothing here asks: networks train on their fold and choose their weights
on what it holds out; closed forms are fitted on the rows of their fold. The member's word is the
mean of its experts' probabilities. What it says of samples it has not seen is what the one expert
says that never saw their cluster: calibration and threshold rest on unlike pictures, not on ones
that look like the training data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.protocol import Judgement, Member, Samples, Stage, Unseen
from deepward.errors import UsageError
from deepward.learning.experts.clusters import ClusterConfig, cluster_samples
from deepward.learning.experts.folds import Folds, cluster_folds, random_folds
from deepward.media import Laundered
from deepward.progress import Progress

__all__ = [
    "ExpertsConfig",
    "ExpertsMember",
    "expert_configs",
    "fit_experts",
    "judged_unseen",
    "make_folds",
    "mean_logit",
]

Doubles = NDArray[np.float64]
_CERTAIN = 1e-6  # nearer to 0 or 1 no mean probability is taken to be


@dataclass(frozen=True)
class ExpertsConfig:
    """Experts on folds.

    Attributes:
        name: the member's name inside its detector.
        experts: configs of members, as in a recipe; fold i takes the i-th, from the start again
            when they end.
        folds: how many experts.
        clusters: that folds are made of, at most.
        statistic: that clusters are made by.
        split: "clusters" or "random".
        share: of the training time, 0 where all experts are closed forms.
        kind: "experts".
        medium: what it takes.
    """

    name: str = "experts"
    experts: tuple[Mapping[str, Any], ...] = ()
    folds: int = 4
    clusters: int = 20
    statistic: str = "encoder"
    split: str = "clusters"
    share: float = 0.0
    kind: str = "experts"
    medium: str = "image"


@dataclass(frozen=True, eq=False)
class ExpertsMember:
    """Fitted experts, and what each was held out from.

    Attributes:
        config: what they are.
        experts: in the order of folds.
        folds: how samples were dealt out; None in a restored member.
        held: what each expert never saw, of its first fit.
        later: domains learned since, whose samples all experts saw alike.
    """

    config: ExpertsConfig
    experts: tuple[Member, ...]
    folds: Folds | None = None
    held: tuple[Samples, ...] = ()
    later: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def fit(cls, config: ExpertsConfig, stage: Stage, tell: Progress) -> Self:
        """Clusters all samples of the stage, deals them out, and fits an expert per fold.

        Raises:
            UsageError: no expert is named, or the split is not known.
            TrainingError: fewer clusters than folds, or a fold of one class.
        """
        folds = make_folds(config, stage, tell)
        experts, held = fit_experts(config, folds, stage, tell)
        return cls(config, experts, folds, held)

    def update(self, stage: Stage, tell: Progress) -> Self:
        """Every expert learns the stage, in an equal part of the budget."""
        part = _part_of_budget(stage, len(self.experts))
        experts = tuple(expert.update(part, tell) for expert in self.experts)
        return replace(self, experts=experts, later=self.later | _domains(stage))

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> Self:
        """Every expert learns the samples."""
        part = _part_of_budget(stage, len(self.experts))
        experts = tuple(expert.adapt(support, part, tell) for expert in self.experts)
        known = self.later | frozenset(support.domains.astype(str).tolist())
        return replace(self, experts=experts, later=known)

    def forget(self, domain: str) -> Self:
        """Every expert that learned it forgets it.

        Raises:
            UsageError: no expert knows the domain, or one cannot unlearn.
        """
        experts, unknown = [], 0
        for expert in self.experts:
            try:
                experts.append(expert.forget(domain))
            except UsageError:
                unknown += 1
                if unknown == len(self.experts) or domain in _known(expert):
                    raise
                experts.append(expert)  # its folds held the whole domain out
        held = tuple(_without(samples, domain) for samples in self.held)
        return replace(self, experts=tuple(experts), held=held, later=self.later - {domain})

    def embed(self, samples: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Side by side, (N, sum of widths)."""
        return np.concatenate([expert.embed(samples) for expert in self.experts], 1)

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """Mean of probabilities; families and the nearest domain as the first expert says."""
        said = [expert.judge(samples) for expert in self.experts]
        first = said[0]
        firm = None
        if any(each.firm is not None for each in said):
            firm = mean_logit([e.logits if e.firm is None else e.firm for e in said])
        strange = [e.unfamiliarity for e in said if e.unfamiliarity is not None]
        return replace(
            first,
            logits=mean_logit([each.logits for each in said]),
            firm=firm,
            # A picture that one expert knows the like of is familiar to the member.
            unfamiliarity=np.min(strange, axis=0) if strange else None,
        )

    def places(self, sample: NDArray[Any]) -> NDArray[np.float32] | None:
        """The mean of what the experts say of each place; None where one cannot tell."""
        shares = [expert.places(sample) for expert in self.experts]
        known = [share for share in shares if share is not None]
        if len(known) < len(shares) or len({share.shape for share in known}) > 1:
            return None
        return np.asarray(np.mean(known, axis=0), np.float32)

    def unseen(self) -> Unseen | None:
        """Of each sample what the expert says that never saw its cluster.

        Domains learned later, and all of a restored member, have no such expert: of these it is
        the mean of what the experts say when they leave them out; None where they cannot.
        """
        return self._unseen

    @cached_property
    def _unseen(self) -> Unseen | None:
        parts = [
            judged_unseen(expert, samples)
            for expert, samples in zip(self.experts, self.held, strict=False)
            if len(samples)
        ]
        if self.later or not self.held:
            left = _mean_left_out(self.experts, self.later if self.held else None)
            if left is None:
                return None
            parts.append(left)
        return _joined(parts) if parts else None

    def networks(self) -> Mapping[str, Any]:
        """Those of all experts, by fold."""
        return {
            f"expert{i}{'-' if name else ''}{name}": network
            for i, expert in enumerate(self.experts)
            for name, network in expert.networks().items()
        }

    def curves(self) -> Mapping[str, Any]:
        """Those of all experts, by fold."""
        return {
            f"expert{i} {name}": curve
            for i, expert in enumerate(self.experts)
            for name, curve in expert.curves().items()
        }

    def state_dict(self) -> dict[str, Tensor]:
        """The experts' own, each under its number; a part of one is a part here."""
        return {
            f"expert{i}-{name}": tensor
            for i, expert in enumerate(self.experts)
            for name, tensor in expert.state_dict().items()
        }

    @classmethod
    def restore(
        cls,
        config: ExpertsConfig,
        state: Mapping[str, Tensor],
        device: str,
        descriptions: Descriptions,
    ) -> Self:
        """Reads what `state_dict` gave; all experts share one memory of descriptions."""
        from deepward.detectors.config import MEMBERS

        shared = descriptions if descriptions.file is not None else Descriptions.temporary()
        experts = []
        for i, own in enumerate(expert_configs(config)):
            start = f"expert{i}-"
            part = {k.removeprefix(start): t for k, t in state.items() if k.startswith(start)}
            experts.append(MEMBERS[own.kind][1].restore(own, part, device, shared))
        return cls(config, tuple(experts))


def expert_configs(config: ExpertsConfig) -> list[Any]:
    """The config of each fold's expert.

    Raises:
        UsageError: none is named, or the split is not known.
    """
    from deepward.detectors.config import member_config  # they name this kind too

    if not config.experts or config.folds < 2 or config.split not in ("clusters", "random"):
        raise UsageError(
            f"The experts {config.name!r} need a recipe of at least one expert, two folds or more "
            f"(not {config.folds}) and a split by clusters or random (not {config.split!r})."
        )
    plain = [dict(config.experts[i % len(config.experts)]) for i in range(config.folds)]
    return [member_config({**values, "name": f"expert{i}"}) for i, values in enumerate(plain)]


def make_folds(config: ExpertsConfig, stage: Stage, tell: Progress) -> Folds:
    """Clusters the stage's samples and deals them out."""
    data = _everything(stage)
    if config.split == "random":
        return random_folds(data, config.folds, stage.seed)
    wanted = ClusterConfig(config.statistic, config.clusters, seed=stage.seed)
    clusters = cluster_samples(data, wanted, stage.descriptions, device=stage.device, progress=tell)
    return cluster_folds(data, clusters, config.folds)


def fit_experts(
    config: ExpertsConfig, folds: Folds, stage: Stage, tell: Progress
) -> tuple[tuple[Member, ...], tuple[Samples, ...]]:
    """An expert per fold, and what each was held out from.

    Closed forms learn from what is named as held out too (they judge it by leaving it out), so
    what a fold holds out is kept from them altogether.
    """
    from deepward.detectors.config import MEMBERS

    data = _everything(stage)
    part = _part_of_budget(stage, config.folds)
    experts, held = [], []
    for number, own in enumerate(expert_configs(config)):
        train, left = folds.split(data, number)
        shown = left if own.share > 0 else left.subset(np.zeros(0, np.int64))
        mine = replace(part, train=train, val=shown, seed=stage.seed + number)
        experts.append(MEMBERS[own.kind][1].fit(own, mine, tell))
        held.append(left)
    return tuple(experts), tuple(held)


def mean_logit(logits: Sequence[Doubles]) -> Doubles:
    """Log-odds of the mean of probabilities, (N,)."""
    mean = np.mean([expit(each) for each in logits], axis=0)
    return np.asarray(logit(np.clip(mean, _CERTAIN, 1 - _CERTAIN)), np.float64)


def judged_unseen(member: Member, samples: Samples) -> Unseen:
    """What a member says of samples that it has not seen, as they are and laundered."""
    parts = []
    for twin in (False, True):
        said = member.judge(Laundered(samples.pixels) if twin else samples.pixels)
        near = np.full(len(samples), "")
        if said.nearest is not None:
            near = np.array(said.domains, np.str_)[said.nearest]
        parts.append(
            Unseen(
                keys=np.array(samples.hashes, np.str_),
                logits=said.logits,
                firm=said.logits if said.firm is None else said.firm,
                labels=samples.labels,
                domains=samples.domains.astype(np.str_),
                groups=samples.groups.astype(np.str_),
                twin=np.full(len(samples), twin),
                nearest=near,
            )
        )
    return _joined(parts)


def _mean_left_out(experts: Sequence[Member], domains: frozenset[str] | None) -> Unseen | None:
    """The mean over experts of what each says when it leaves samples out; some domains or all."""
    found = [unseen for expert in experts if (unseen := expert.unseen()) is not None]
    if not found:
        return None
    rows: dict[tuple[str, str, bool], list[tuple[int, int]]] = {}
    for number, unseen in enumerate(found):
        names = zip(
            unseen.domains.tolist(), unseen.keys.tolist(), unseen.twin.tolist(), strict=True
        )
        for place, name in enumerate(names):
            if domains is None or name[0] in domains:
                rows.setdefault(name, []).append((number, place))
    if not rows:
        return None
    order = [rows[name] for name in sorted(rows)]
    first = [places[0] for places in order]

    def column(name: str) -> NDArray[Any]:
        return np.array([getattr(found[n], name)[p] for n, p in first])

    def mean(name: str) -> Doubles:
        said = [[np.array([getattr(found[n], name)[p]]) for n, p in places] for places in order]
        return np.concatenate([mean_logit(each) for each in said])

    kept = ("keys", "labels", "domains", "groups", "twin", "nearest")
    columns = {name: column(name) for name in kept}
    return Unseen(logits=mean("logits"), firm=mean("firm"), **columns)


def _joined(parts: Sequence[Unseen]) -> Unseen:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])
    }
    return Unseen(**columns)


def _everything(stage: Stage) -> Any:
    train: Any = stage.train
    return train.joined(stage.val) if len(stage.val) else train


def _part_of_budget(stage: Stage, count: int) -> Stage:
    budget = stage.budget
    if budget.seconds is None:
        return stage
    return replace(stage, budget=replace(budget, seconds=budget.seconds / count))


def _domains(stage: Stage) -> frozenset[str]:
    return frozenset(
        str(name) for part in (stage.train, stage.val) for name in part.domains.tolist()
    )


def _known(expert: Member) -> set[str]:
    unseen = expert.unseen()
    return set() if unseen is None else set(unseen.domains.tolist())


def _without(samples: Any, domain: str) -> Any:
    return samples.subset(np.flatnonzero(samples.domains != domain))
