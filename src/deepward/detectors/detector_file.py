"""The detector file: a folder with `model.safetensors`, `detector.json` and a card. No pickle.

`detector.json` names its format and carries the hash of the weights and of itself; loading checks
both and refuses what it does not know.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from deepward.detectors.config import MEMBERS, DetectorConfig
from deepward.detectors.decision import Decision
from deepward.detectors.descriptions import Descriptions
from deepward.detectors.detector import Combination, Detector
from deepward.detectors.familiarity import Familiarity
from deepward.detectors.protocol import Member
from deepward.errors import DetectorFileError
from deepward.files import atomic_folder, canonical_json, recover, sha256_bytes, write_json

__all__ = ["FORMAT", "load_detector", "save_detector"]

FORMAT = 5
_AGAIN = "Train it again (`deepward train`), or restore it from a copy."
_MAIN = "model"
CARD = "MODEL_CARD.md"  # for people; nothing reads it back
# How files of format 1, which did not say, were made.
_FIRST_CONTROL = {"kind": "statistics", "name": "control", "statistics": ["thumbnail"]}


def save_detector(detector: Detector, folder: Path) -> None:
    """Writes a detector with its model card, atomically, and gives it its `content_hash`.

    A member's tensors named "part/name" go to `<part>.safetensors`, all others to
    `model.safetensors`; parts that did not change have the same bytes again.

    Raises:
        DetectorFileError: `folder` holds something that is not a detector; it is left as it is.
    """
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / "detector.json").is_file())
    ):
        raise DetectorFileError(
            f"{folder} exists and is not a detector; it was left untouched. Name another folder."
        )
    files: dict[str, dict[str, Tensor]] = {_MAIN: {}}
    everything: dict[str, Member] = {f"members.{n}": m for n, m in detector.members.items()}
    everything["control"] = detector.control
    for owner, member in everything.items():
        for name, tensor in member.state_dict().items():
            part, _, inner = name.rpartition("/")
            file = f"{owner}.{part}" if part else _MAIN
            files.setdefault(file, {})[f"{owner}.{inner}"] = tensor
    if detector.familiarity is not None:
        files[_MAIN] |= {f"familiarity.{k}": t for k, t in detector.familiarity.tensors().items()}
    written = {
        name: save({k: t.detach().cpu().contiguous() for k, t in sorted(tensors.items())})
        for name, tensors in files.items()
    }
    control: Any = detector.control.config
    card: dict[str, Any] = {
        "format": FORMAT,
        "config": detector.config.as_dict(),
        "control": asdict(control),
        "combination": {
            "weights": dict(detector.combination.weights),
            "bias": detector.combination.bias,
            "levels": dict(detector.combination.levels),
        },
        "decision": asdict(detector.decision),
        "lineage": detector.lineage,
        "weights_sha256": {name: sha256_bytes(data) for name, data in sorted(written.items())},
    }
    card["sha256"] = _hash(card)
    from deepward.evaluation.model_card import model_card  # above this room: what people read

    with atomic_folder(folder) as partial:
        for name, data in written.items():
            (partial / _file_name(name)).write_bytes(data)
        write_json(partial / "detector.json", card)
        said = model_card("A detector of Deepward", {**card, "content_hash": card["sha256"]})
        (partial / CARD).write_text(said, encoding="utf-8")
    detector.content_hash = card["sha256"]


def load_detector(
    folder: Path, device: str = "cpu", descriptions: Descriptions | None = None
) -> Detector:
    """Reads a detector and checks that it is whole.

    Args:
        folder: as `save_detector` wrote it.
        device: of networks and encoders.
        descriptions: of samples that were described before; without, nothing is kept.

    Raises:
        DetectorFileError: it is missing, damaged, of a newer format, or holds what this version
            does not know.
    """
    folder = Path(folder)
    recover(folder)
    card, files = _read_checked(folder)
    known = descriptions or Descriptions()
    try:
        tensors: dict[str, Tensor] = {}
        for name, data in files.items():
            for key, tensor in load(data).items():
                tensors[_whole_name(name, key)] = tensor
        config = DetectorConfig.from_dict(_as_made(card, card["config"]))
        kept = {"members": [card.get("control", _FIRST_CONTROL)]}
        (control,) = DetectorConfig.from_dict(_as_made(card, kept)).members
        members = {
            member.name: MEMBERS[member.kind][1].restore(
                member, _below(tensors, f"members.{member.name}."), device, known
            )
            for member in config.members
        }
        familiarity = _below(tensors, "familiarity.")
        return Detector(
            config=config,
            members=members,
            control=MEMBERS[control.kind][1].restore(
                control, _below(tensors, "control."), device, known
            ),
            combination=Combination(**card["combination"]),
            decision=Decision(**card["decision"]),
            familiarity=Familiarity.from_tensors(familiarity) if familiarity else None,
            lineage=card["lineage"],
            content_hash=card["sha256"],
        )
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DetectorFileError(
            f"The detector in {folder} does not fit together ({error}). {_AGAIN}"
        ) from error


def _file_name(part: str) -> str:
    """A part's file; whatever a domain is called, it names one file in this folder."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in part)
    mark = "" if plain == part else f"-{sha256_bytes(part.encode())[:8]}"
    return f"{plain}{mark}.safetensors"


def _whole_name(file: str, key: str) -> str:
    """The inverse of the split into files: `members.x.bank-y` and `members.x.rows`."""
    if file == _MAIN:
        return key
    owner, _, inner = key.rpartition(".")
    return f"{owner}.{file.removeprefix(owner + '.')}/{inner}"


def _read_checked(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
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
    hashes = card["weights_sha256"]
    known = hashes if isinstance(hashes, dict) else {_MAIN: hashes}
    files = {}
    for name, expected in known.items():
        path = folder / _file_name(name)
        if not path.is_file():
            raise DetectorFileError(f"The detector in {folder} lacks {path.name}. {_AGAIN}")
        files[name] = path.read_bytes()
        if sha256_bytes(files[name]) != expected:
            raise DetectorFileError(
                f"{path} is damaged: its hash is not the one in detector.json. {_AGAIN}"
            )
    return card, files


def _as_made(card: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe, with what heads were before their settings told it: to judge as it did then."""
    members = [dict(member) for member in config["members"]]
    for member in members:
        if member.get("kind") != "process":
            continue
        if int(card["format"]) < 3:
            member.setdefault("level", 0.0)
        if int(card["format"]) < 4:
            member.setdefault("stray", 1.0)
    return {**config, "members": members}


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def _hash(card: dict[str, Any]) -> str:
    content = {key: value for key, value in card.items() if key != "sha256"}
    return sha256_bytes(canonical_json(content).encode())
