"""The detector file: a folder with `model.safetensors` and `detector.json`. Never a pickle.

`detector.json` names its format and carries the hash of the weights and of itself; loading checks
both and refuses what it does not know.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from deepward.detectors.closed_form import ClosedForm
from deepward.detectors.config import DetectorConfig, NetworkConfig, StatisticsConfig
from deepward.detectors.decision import Decision
from deepward.detectors.detector import Combination, Detector, Member
from deepward.detectors.familiarity import Familiarity
from deepward.detectors.network import Network
from deepward.errors import DetectorFileError
from deepward.files import atomic_folder, canonical_json, recover, sha256_bytes, write_json

__all__ = ["CONTROL", "FORMAT", "load_detector", "save_detector"]

FORMAT = 1
CONTROL = StatisticsConfig(name="control", statistics=("thumbnail",))
_AGAIN = "Train it again (`deepward train`), or restore it from a copy."


def save_detector(detector: Detector, folder: Path) -> None:
    """Writes a detector, atomically, and gives it its `content_hash`.

    Raises:
        DetectorFileError: `folder` holds something that is not a detector; it is left as it is.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "detector.json").is_file())
    ):
        raise DetectorFileError(
            f"{folder} exists and is not a detector; it was left untouched. Name another folder."
        )
    tensors: dict[str, Tensor] = {}
    for name, member in detector.members.items():
        parts = member.state_dict() if isinstance(member, Network) else member.tensors
        tensors |= {f"members.{name}.{key}": value for key, value in parts.items()}
    tensors |= {f"control.{key}": value for key, value in detector.control.tensors.items()}
    tensors |= {f"familiarity.{key}": t for key, t in detector.familiarity.tensors().items()}
    weights = save({k: t.detach().cpu().contiguous() for k, t in sorted(tensors.items())})
    card: dict[str, Any] = {
        "format": FORMAT,
        "config": detector.config.as_dict(),
        "combination": {
            "weights": dict(detector.combination.weights),
            "bias": detector.combination.bias,
        },
        "decision": asdict(detector.decision),
        "lineage": detector.lineage,
        "weights_sha256": sha256_bytes(weights),
    }
    card["sha256"] = _hash(card)
    with atomic_folder(folder) as partial:
        (partial / "model.safetensors").write_bytes(weights)
        write_json(partial / "detector.json", card)
    detector.content_hash = card["sha256"]


def load_detector(folder: Path, device: str = "cpu") -> Detector:
    """Reads a detector and checks that it is whole.

    Raises:
        DetectorFileError: it is missing, damaged, of a newer format, or holds what this version
            does not know.
    """
    folder = Path(folder)
    recover(folder)
    card, weights = _read_checked(folder)
    try:
        tensors = load(weights)
        config = DetectorConfig.from_dict(card["config"])
        members: dict[str, Member] = {}
        for member in config.members:
            parts = _below(tensors, f"members.{member.name}.")
            if isinstance(member, NetworkConfig):
                network = Network(member)
                network.load_state_dict(parts)
                members[member.name] = network.to(device).eval()
            else:
                members[member.name] = ClosedForm(member, parts)
        return Detector(
            config=config,
            members=members,
            control=ClosedForm(CONTROL, _below(tensors, "control.")),
            combination=Combination(**card["combination"]),
            decision=Decision(**card["decision"]),
            familiarity=Familiarity.from_tensors(_below(tensors, "familiarity.")),
            lineage=card["lineage"],
            content_hash=card["sha256"],
        )
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DetectorFileError(
            f"The detector in {folder} does not fit together ({error}). {_AGAIN}"
        ) from error


def _read_checked(folder: Path) -> tuple[dict[str, Any], bytes]:
    card_path, weights_path = folder / "detector.json", folder / "model.safetensors"
    missing = [path.name for path in (card_path, weights_path) if not path.is_file()]
    if missing:
        found = "no such folder" if not folder.is_dir() else f"it lacks {' and '.join(missing)}"
        raise DetectorFileError(
            f"There is no detector in {folder}: {found}. "
            "Train one with `make demo` or `deepward train`."
        )
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        version = int(card["format"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DetectorFileError(
            f"{card_path} cannot be read as a detector's description ({error}). {_AGAIN}"
        ) from error
    if version > FORMAT:
        raise DetectorFileError(
            f"The detector in {folder} has format {version}; this version of deepward reads up to "
            f"{FORMAT}. Update deepward."
        )
    if _hash(card) != card.get("sha256"):
        raise DetectorFileError(f"{card_path} was changed after it was written. {_AGAIN}")
    weights = weights_path.read_bytes()
    if sha256_bytes(weights) != card.get("weights_sha256"):
        raise DetectorFileError(
            f"{weights_path} is damaged: its hash is not the one in detector.json. {_AGAIN}"
        )
    return card, weights


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def _hash(card: dict[str, Any]) -> str:
    content = {key: value for key, value in card.items() if key != "sha256"}
    return sha256_bytes(canonical_json(content).encode())
