"""How networks keep what they knew while they learn on: strategies by name, and sums of them.

| name | what is added |
|---|---|
| naive | nothing: fine-tuning, the lower bound |
| joint | everything is learned again from all domains: the upper bound |
| distillation | the stage before teaches (Hinton et al., 2015; Li and Hoiem, 2016) |
| ewc | weights that mattered are held (Kirkpatrick et al., PNAS 2017) |
| replay | exemplars of every source class are seen again (Rebuffi et al., CVPR 2017) |

Closed-form members need none: they learn exactly.
"""

from dataclasses import dataclass

from deepward.errors import UsageError

__all__ = ["DEFAULT_STRATEGY", "STRATEGIES", "Strategy"]

STRATEGIES = ("naive", "joint", "distillation", "ewc", "replay")
DEFAULT_STRATEGY = "distillation+replay"
_ALONE = {"naive", "joint"}


@dataclass(frozen=True)
class Strategy:
    """Names and settings; the settings are those of the reference (CVIU 2024, 104143).

    Attributes:
        names: of `STRATEGIES`.
        temperature, alpha: of distillation: CE + w (alpha T^2 KL(teacher || student) + (1 - alpha)
            CE), both softened by T in the divergence.
        weight: w at first; it falls to `decay` of itself every `decay_epochs` epochs. (The
            reference waits so many epochs without gain.)
        strength: of elastic weight consolidation, lambda.
        batches: of each domain that the Fisher information is estimated from.
        exemplar_bytes: budget of each source class for exemplars.
        choice: of exemplars: "herding" (they keep the mean of their class) or "reservoir".
    """

    names: tuple[str, ...] = ("naive",)
    temperature: float = 20.0
    alpha: float = 0.5
    weight: float = 1.0
    decay: float = 0.9
    decay_epochs: float = 4.0
    strength: float = 10.0
    batches: int = 4
    exemplar_bytes: int = 8_000_000
    choice: str = "reservoir"

    def __post_init__(self) -> None:
        if self.choice not in ("herding", "reservoir"):
            raise UsageError(
                f"Exemplars are chosen by herding or reservoir, not by {self.choice!r}."
            )

    @classmethod
    def parse(cls, words: str) -> "Strategy":
        """Reads "distillation+replay".

        Raises:
            UsageError: a name is unknown, stands twice, or cannot be joined with others.
        """
        names = tuple(name.strip() for name in words.split("+"))
        unknown = sorted(set(names) - set(STRATEGIES))
        if unknown:
            raise UsageError(
                f"Unknown strategy {', '.join(map(repr, unknown))}; choose among "
                f"{', '.join(STRATEGIES)}, or join some with +."
            )
        if len(set(names)) < len(names) or (len(names) > 1 and _ALONE & set(names)):
            raise UsageError(
                f"{words!r} makes no strategy: naive and joint stand alone, the others once each."
            )
        return cls(names)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __str__(self) -> str:
        return "+".join(self.names)

    @property
    def joint(self) -> bool:
        """Whether each stage is learned again from all domains so far."""
        return "joint" in self.names

    def teaching(self, step: int, steps_per_epoch: float) -> float:
        """The weight of the teacher at a step."""
        epochs = step / max(steps_per_epoch, 1.0)
        return self.weight * self.decay ** int(epochs / self.decay_epochs)
