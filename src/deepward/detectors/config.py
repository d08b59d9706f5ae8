"""Recipes: what detectors are made of, as plain values that are written to `detector.json`.

A recipe comes from `DETECTORS` by name, from a YAML file, or from code. A member's config is a
frozen dataclass whose `kind` names the class in `MEMBERS`; a new kind is one file and one line.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from deepward.detectors.members.experts import ExpertsConfig, ExpertsMember
from deepward.detectors.members.network import NetworkConfig
from deepward.detectors.members.network_member import NetworkMember
from deepward.detectors.members.ridge import RidgeConfig, RidgeMember
from deepward.detectors.process import ProcessConfig, ProcessMember
from deepward.detectors.protocol import MemberConfig
from deepward.errors import DetectorFileError, UsageError
from deepward.media import NOUNS

__all__ = [
    "CONTROL",
    "CONTROLS",
    "DETECTORS",
    "MEMBERS",
    "DetectorConfig",
    "find_recipe",
    "member_config",
    "recipe_for",
    "with_reversal",
]

# Kind to (config, member).
MEMBERS: dict[str, tuple[Any, Any]] = {
    "experts": (ExpertsConfig, ExpertsMember),
    "network": (NetworkConfig, NetworkMember),
    "process": (ProcessConfig, ProcessMember),
    "statistics": (RidgeConfig, RidgeMember),
}


@dataclass(frozen=True)
class DetectorConfig:
    """The members whose logits are weighed against each other."""

    members: tuple[MemberConfig, ...]

    @property
    def medium(self) -> str:
        """What all members take: "image" or "audio"."""
        return self.members[0].medium if self.members else "image"

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        members: list[Any] = list(self.members)
        return {"members": [asdict(member) for member in members]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "DetectorConfig":
        """Reads what `as_dict` wrote.

        Raises:
            DetectorFileError: a member's kind or one of its fields is unknown here.
        """
        members = tuple(member_config(member) for member in values["members"])
        media = sorted({member.medium for member in members})
        if len(media) > 1:
            raise DetectorFileError(
                f"The detector has members for {' and '.join(media)}; a detector is of one medium."
            )
        return cls(members)


def member_config(given: Mapping[str, Any]) -> MemberConfig:
    """A member's config from plain values.

    Raises:
        DetectorFileError: its kind or one of its fields is unknown here.
    """
    values = dict(given)
    kind = str(values.get("kind"))
    if kind not in MEMBERS:
        raise DetectorFileError(
            f"The detector has a member of kind {kind!r}, which this version does not know "
            f"(it knows {', '.join(MEMBERS)}). Update deepward."
        )
    config = MEMBERS[kind][0]
    unknown = sorted(set(values) - {field.name for field in fields(config)})
    if unknown:
        raise DetectorFileError(
            f"The detector's member {values.get('name')!r} has settings that this version does not "
            f"know: {', '.join(unknown)}. Update deepward."
        )
    plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    built: MemberConfig = config(**plain)
    return built


# The control sees 16 x 16 pixels and so no trace; it has no say in a verdict.
CONTROL = ProcessConfig(
    name="control",
    statistics=("thumbnail",),
    radial={"thumbnail": 0.0},
    linear={"thumbnail": 1.0},
    noise=1.0,
    apart=False,
)

# That of sounds sees how long, how loud and how wide they are, and no more.
CONTROLS: dict[str, ProcessConfig] = {
    "image": CONTROL,
    "audio": ProcessConfig(
        name="control",
        statistics=("sound_form",),
        radial={"sound_form": 0.0},
        linear={"sound_form": 1.0},
        noise=1.0,
        apart=False,
        medium="audio",
    ),
}

_EDITS = ("cooccurrence", "inconsistency")
# A packaged encoder finds what was generated whole, residual statistics what was edited; each head
# looks as its fakes are told best.
_PROCESS = ProcessConfig(
    statistics=("encoder", *_EDITS),
    linear={"encoder": 0.5},
    looks=(("encoder",), ("encoder", *_EDITS), _EDITS),
)

# What is fine enough to outlive a codec tells most of what is known of vocoders, and one head for
# all of them tells one that was left out best; with all other statistics of a voice it did worse.
_SOUND = ProcessConfig(
    statistics=("sound_cooccurrence",),
    linear={"sound_cooccurrence": 1.0},
    noise=1.0,
    apart=False,
    medium="audio",
)
_VOICE = ("sound_cooccurrence", "source", "phase", "modulation", "lfcc", "log_spectrum")
DEFAULTS: dict[str, str] = {"image": "default", "audio": "audio"}

DETECTORS: dict[str, DetectorConfig] = {
    "default": DetectorConfig((_PROCESS,)),
    # One head for all fakes: what heads apart are compared with.
    "one_head": DetectorConfig((replace(_PROCESS, apart=False),)),
    # Without the encoder: seconds, and no content to lean on.
    "blending": DetectorConfig((ProcessConfig(statistics=_EDITS),)),
    "quick": DetectorConfig((ProcessConfig(statistics=("cooccurrence", "spectrum")),)),
    # Of sounds; the others are what the first is compared with.
    "audio": DetectorConfig((_SOUND,)),
    "audio_apart": DetectorConfig((replace(_SOUND, apart=True),)),
    "audio_all": DetectorConfig(
        (replace(_SOUND, statistics=_VOICE, linear=dict.fromkeys(_VOICE, 1.0)),)
    ),
    "audio_lfcc": DetectorConfig((replace(_SOUND, statistics=("lfcc",), linear={}),)),
    # Controls and published recipes that every result is shown beside.
    "thumbnail": DetectorConfig((ProcessConfig(name="thumbnail", statistics=("thumbnail",)),)),
    "residual": DetectorConfig((NetworkConfig(name="residual"),)),
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


def _reference(backbone: str, crop: int = 128) -> DetectorConfig:
    """As continual learning of detectors was published (CVIU 2024, 104143): SGD on random crops."""
    return DetectorConfig(
        (
            NetworkConfig(
                name=backbone.partition(".")[0],
                representation=("raw",),
                backbone=backbone,
                crop=crop,
                jitter=64,
                fold=1,
                learning_rate=0.005,
                optimizer="sgd",
                momentum=0.1,
                batch_size=64,
            ),
        )
    )


DETECTORS |= {
    "reference_resnet18": _reference("resnet18"),
    "reference_resnet50": _reference("resnet50"),
    "reference_xception": _reference("legacy_xception"),
    "reference_mobilenetv2": _reference("mobilenetv2_100"),
    "reference_vit_s": _reference("vit_small_patch16_224", crop=224),
}


# Domain-adversarial training: features that do not tell where a picture is from.
DETECTORS |= {
    "adversarial": DetectorConfig(
        (
            NetworkConfig(
                name="adversarial",
                representation=("raw",),
                backbone="packaged",
                pretrained=True,
                crop=96,
                fold=1,
                learning_rate=5e-4,
                reversal="ganin",
            ),
        )
    ),
    "adversarial_resnet50": DetectorConfig(
        (
            NetworkConfig(
                name="resnet50",
                representation=("raw",),
                backbone="resnet50",
                pretrained=True,
                crop=224,
                fold=1,
                learning_rate=3e-4,
                reversal="ganin",
            ),
        )
    ),
}


# Experts on cluster folds: closed forms that need no training, and networks with the losses of the
# winner of the 2024 Global Multimedia Deepfake Detection image track. Small ones go without the KL
# term: its noisy twins halve the pictures of a step, and did not pay.
_EXPERT = NetworkConfig(
    name="expert",
    representation=("raw",),
    backbone="packaged",
    pretrained=True,
    crop=96,
    fold=1,
    learning_rate=5e-4,
    contrast=0.1,
    warp=0.2,
    ema=0.995,
    looks=5,
)


def _winner(backbone: str) -> dict[str, Any]:
    return asdict(
        replace(
            _EXPERT,
            backbone=backbone,
            crop=512,
            learning_rate=1e-4,
            contrast=1.0,
            noised=1.0,
        )
    )


DETECTORS |= {
    "experts": DetectorConfig((ExpertsConfig(experts=(asdict(_PROCESS),)),)),
    "experts_small": DetectorConfig((ExpertsConfig(experts=(asdict(_EXPERT),), share=1.0),)),
    "experts_winner": DetectorConfig(
        (
            ExpertsConfig(
                experts=tuple(
                    _winner(name)
                    for name, count in (
                        ("convnextv2_tiny.fcmae_ft_in22k_in1k", 2),
                        ("tf_efficientnet_b4.ns_jft_in1k", 2),
                        ("tf_efficientnet_b5.ns_jft_in1k", 2),
                        ("tf_efficientnet_b6.ns_jft_in1k", 1),
                    )
                    for _ in range(count)
                ),
                folds=7,
                share=1.0,
            ),
        )
    ),
}


def with_reversal(recipe: DetectorConfig, schedule: str) -> DetectorConfig:
    """The recipe with every network trained domain-adversarially.

    Raises:
        UsageError: it has no network.
    """
    members: list[Any] = list(recipe.members)
    if not any(isinstance(member, NetworkConfig) for member in members):
        networks = ", ".join(
            name
            for name, each in DETECTORS.items()
            if any(isinstance(member, NetworkConfig) for member in each.members)
        )
        raise UsageError(
            "Domain-adversarial training is of networks, and this detector has none; those with "
            f"one are {networks}."
        )
    return DetectorConfig(
        tuple(
            replace(member, reversal=schedule) if isinstance(member, NetworkConfig) else member
            for member in members
        )
    )


def find_recipe(name: str, medium: str | None = None) -> DetectorConfig:
    """The recipe of that name, or in the YAML file at that path (`members:`, a list of mappings).

    Args:
        name: "default" is the usual one of the medium.
        medium: that it must be for; None: of any.

    Raises:
        UsageError: there is none, or it is for another medium.
    """
    found = _find(DEFAULTS[medium] if name == "default" and medium else name)
    if medium and found.medium != medium:
        fitting = [known for known, recipe in DETECTORS.items() if recipe.medium == medium]
        raise UsageError(
            f"The detector {name!r} is for {NOUNS[found.medium]}s, and these are "
            f"{NOUNS[medium]}s: choose among {', '.join(fitting)}."
        )
    return found


def recipe_for(name: str, medium: str) -> str:
    """A recipe's name where it is for a medium, else "default": the usual one of the medium.

    Raises:
        UsageError: there is no recipe of that name.
    """
    return "default" if _find(name).medium != medium else name


def _find(name: str) -> DetectorConfig:
    if name in DETECTORS:
        return DETECTORS[name]
    path = Path(name)
    if path.suffix not in {".yaml", ".yml"}:
        raise UsageError(
            f"Unknown detector {name!r}; choose among {', '.join(DETECTORS)}, or name a YAML file."
        )
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return DetectorConfig.from_dict(values)
    except (OSError, yaml.YAMLError, KeyError, TypeError, DetectorFileError) as error:
        raise UsageError(f"{path} is no recipe of a detector: {error}.") from None
