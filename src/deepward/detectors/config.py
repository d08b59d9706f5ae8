"""What a detector is made of: plain values that are written to `detector.json` and read back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from deepward.errors import DetectorFileError

__all__ = ["DETECTORS", "DetectorConfig", "MemberConfig", "NetworkConfig", "StatisticsConfig"]


@dataclass(frozen=True)
class NetworkConfig:
    """A network trained by gradient descent on native-resolution crops.

    Attributes:
        name: the member's name inside its detector.
        representation: names of `deepward.detectors.REPRESENTATIONS`, concatenated on channels.
        backbone: "small", "npr", or any timm model name.
        pretrained: start from timm's weights; they must be at hand.
        crop: side of the square crop in pixels; smaller pictures are padded by reflection.
        jitter: how far a training crop may lie from the centre, in pixels.
        fold: space-to-depth factor before the backbone; keeps every pixel at less cost.
        learning_rate: peak of the schedule (AdamW).
        batch_size: crops in a training step.
        share: this member's part of the training time, relative to the other networks.
    """

    name: str = "network"
    representation: tuple[str, ...] = ("residual",)
    backbone: str = "small"
    pretrained: bool = False
    crop: int = 256
    jitter: int = 16
    fold: int = 4
    learning_rate: float = 2e-3
    batch_size: int = 32
    share: float = 1.0
    kind: str = "network"


@dataclass(frozen=True)
class StatisticsConfig:
    """Fixed statistics of a picture under a head that is fitted in closed form.

    Attributes:
        name: the member's name inside its detector.
        statistics: names of `deepward.detectors.STATISTICS`, concatenated.
        head: "linear" (regularized logistic regression) or "kernel" (the same on an RBF kernel).
    """

    name: str = "statistics"
    statistics: tuple[str, ...] = ("patches",)
    head: str = "linear"
    kind: str = "statistics"


MemberConfig = NetworkConfig | StatisticsConfig
_KINDS: dict[str, type[NetworkConfig] | type[StatisticsConfig]] = {
    "network": NetworkConfig,
    "statistics": StatisticsConfig,
}


@dataclass(frozen=True)
class DetectorConfig:
    """The members whose logits are weighed against each other."""

    members: tuple[MemberConfig, ...]

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        return {"members": [asdict(member) for member in self.members]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DetectorConfig":
        """Reads what `as_dict` wrote.

        Raises:
            DetectorFileError: a member's kind or one of its fields is unknown here.
        """
        members: list[MemberConfig] = []
        for member in values["members"]:
            kind = _KINDS.get(str(member.get("kind")))
            if kind is None:
                raise DetectorFileError(
                    f"The detector has a member of kind {member.get('kind')!r}, which this "
                    f"version does not know (it knows {', '.join(_KINDS)}). Update deepward."
                )
            unknown = sorted(set(member) - {field.name for field in fields(kind)})
            if unknown:
                raise DetectorFileError(
                    f"The detector's member {member.get('name')!r} has settings that this version "
                    f"does not know: {', '.join(unknown)}. Update deepward."
                )
            plain: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in member.items()
            }
            members.append(kind(**plain))
        return cls(tuple(members))


_PATCHES = StatisticsConfig(name="patches", statistics=("patches",), head="kernel")
_FORENSIC = StatisticsConfig(
    name="forensic", statistics=("cooccurrence", "spectrum"), head="kernel"
)
_PARTS = StatisticsConfig(name="parts", statistics=("inconsistency",), head="kernel")

DETECTORS: dict[str, DetectorConfig] = {
    # What wins at small data on two cores; the members err differently. A network on the
    # up-sampling residual and learned patch statistics find what was generated whole; residual
    # statistics, and whether parts of a picture differ in them, what was edited.
    "default": DetectorConfig((NetworkConfig(name="residual"), _PATCHES, _FORENSIC, _PARTS)),
    # The half of it that finds edits, in seconds.
    "blending": DetectorConfig((_FORENSIC, _PARTS)),
    # Seconds instead of minutes: for tests, transfer matrices and first looks.
    "quick": DetectorConfig(
        (StatisticsConfig(name="forensic", statistics=("cooccurrence", "spectrum")),)
    ),
    # Controls and published recipes that every result is shown beside.
    "thumbnail": DetectorConfig((StatisticsConfig(name="thumbnail", statistics=("thumbnail",)),)),
    "resnet18_rgb": DetectorConfig(
        (
            NetworkConfig(
                name="resnet18",
                representation=("raw",),
                backbone="resnet18",
                fold=1,
                learning_rate=1e-3,
            ),
        )
    ),
    "npr": DetectorConfig(
        (
            NetworkConfig(
                name="npr",
                representation=("residual",),
                backbone="npr",
                fold=1,
                learning_rate=2e-4,
            ),
        )
    ),
}
