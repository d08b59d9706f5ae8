"""Every choice of adaptive meta-learning, as plain values."""

from dataclasses import dataclass

from deepward.errors import UsageError

__all__ = ["LEARNERS", "MetaConfig"]

LEARNERS = ("reptile", "fomaml", "maml", "meta_sgd", "joint", "prototypes")
_FORMS = {
    "learner": LEARNERS,
    "hardness": ("ranked", "reference", "random"),
    "augmented": ("off", "tsac"),
    "adversarial": ("off", "kl", "reference"),
    "weights": ("off", "normalized", "reference"),
}


@dataclass(frozen=True)
class MetaConfig:
    """How a network is meta-trained (after arXiv 2411.08148).

    Twins and learned weights are off: what they gain has not been measured well enough yet to
    switch them on. `benchmarks/meta_learning.py --tables ablation` measures each.

    Attributes:
        learner: how an epoch descends, one of `LEARNERS`.
        ways: source classes of an episode, at least one real and one fake; all where there are
            fewer.
        shots, query: crops of each class in support and query; a class with fewer pictures is
            drawn with repetition.
        tasks: episodes of an epoch.
        epochs: outer steps.
        patience: epochs without gain of the query's AUC after which training stops; 0: never.
        validate_every: epochs between looks at the query.
        inner_steps, inner_rate: plain gradient steps on a copy, each over the whole support.
        outer_rate: of the first epoch, falling to 0; a share of the way for "reptile", a learning
            rate (AdamW) for the others.
        hardness: which support samples get twins: the hardest and the surest ("ranked"), the
            reference's order ("reference", which takes the surest for the hardest), or any
            ("random").
        representatives: share of the support that gets a twin of each kind.
        augmented: "tsac" joins augmented twins of the hardest, held to them by the contrastive
            consistency term; "off" leaves them out.
        adversarial: "kl" joins attacked twins of the surest, held to them by the divergence of
            predictions; "reference" pushes their features apart; "off" leaves them out.
        weights: learned weight of each support sample in those terms: kept at mean 1
            ("normalized"), free above 0 ("reference": every gradient is positive, so they can only
            fall), or all 1 ("off").
        tsac_weight, adv_weight: of the terms.
        margin: of the contrastive terms, between features of length 1.
        attack_size, attack_steps: largest change of a pixel value in [0, 1], and iterations.
        precision: "fp32" or "bf16".
        seed: of everything random.
    """

    learner: str = "reptile"
    ways: int = 4
    shots: int = 8
    query: int = 8
    tasks: int = 4
    epochs: int = 30
    patience: int = 0
    validate_every: int = 5
    inner_steps: int = 5
    inner_rate: float = 0.01
    outer_rate: float = 0.5
    hardness: str = "ranked"
    representatives: float = 0.5
    augmented: str = "off"
    adversarial: str = "off"
    weights: str = "off"
    tsac_weight: float = 0.5
    adv_weight: float = 0.5
    margin: float = 1.0
    attack_size: float = 8 / 255
    attack_steps: int = 3
    precision: str = "fp32"
    seed: int = 0

    def check(self) -> None:
        """Says what does not make sense.

        Raises:
            UsageError: a name is unknown, or a number is out of range.
        """
        for name, known in _FORMS.items():
            if getattr(self, name) not in known:
                raise UsageError(
                    f"Unknown {name} {getattr(self, name)!r}; choose among {', '.join(known)}."
                )
        if self.ways < 2:
            raise UsageError(
                f"An episode of {self.ways} source classes cannot hold a real and a fake one; "
                "ask for 2 ways or more."
            )
        for name in ("shots", "query", "tasks", "epochs", "inner_steps", "validate_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be 1 or more.")
        if not 0.0 < self.outer_rate <= 1.0:
            raise UsageError(f"outer_rate is {self.outer_rate:g}; it must be in (0, 1].")
