"""Where everything that is made lives: `DEEPWARD_HOME`, by default `storage/` in this folder.

storage/
├── domains/              domain folders (or links to them); `DEEPWARD_DOMAINS` points elsewhere,
│                         `DEEPWARD_LINKS` names folders that links in a domain may lead to
├── detectors/champion/   the released detector, that `deepward score` uses unless told otherwise
├── detectors/baseline/   the detector that is used until there is a champion
├── releases/             what became of each challenger, and each version that was released
├── manifests/            one Parquet file per domain folder, and what the scanner remembers
├── pixels/               decoded pictures and sounds, memory-mapped
├── detectors/meta/       the detector that was meta-trained, where there is one
├── detectors/experts/    experts on folds of clusters, which lie in experts/folds/
├── detectors/adversarial/  the network that unlearned domains
├── teaching/             which synthesis engine teaches which family of fakes
├── robustness/           what is left of a detector under degradations and attacks
├── training/             checkpoints of training that has not finished
├── traffic/              what was scored with `--log`, and what it is compared with
├── failures.jsonl        a line for each run of Dagster that failed
├── documents/            documents of your own; `DEEPWARD_DOCUMENTS` points elsewhere
├── knowledge/            what was read and crawled, and the index over it
└── report/report.html    the report

What there is one of for each medium has the plain name where it is of pictures; that of sounds ends
in `_audio`: `detectors/champion_audio`, `releases_audio`, `stages_audio`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from deepward.files import sha256_bytes

__all__ = [
    "DEFAULT_DETECTOR",
    "FEWSHOT_PREFIX",
    "DomainFiles",
    "champion_detector",
    "checkpoints_folder",
    "default_detector",
    "demo_domains_folder",
    "descriptions_file",
    "documents_folder",
    "domain_files",
    "domains_folder",
    "home",
    "knowledge_folder",
    "linked_folders",
    "of_medium",
    "report_file",
    "stages_folder",
    "teaching_table",
]

DEFAULT_DETECTOR = "baseline"  # what the detector goes by that is used where none is named
FEWSHOT_PREFIX = "fewshot_"  # of domains that were synthesized, before the technique


def home() -> Path:
    """The folder that holds everything that is made; absolute, not necessarily existing."""
    return Path(os.environ.get("DEEPWARD_HOME") or "storage").absolute()


def of_medium(name: str, medium: str) -> str:
    """What something goes by that there is one of for each medium: plain where of pictures."""
    return name if medium == "image" else f"{name}_{medium}"


def teaching_table(medium: str = "image") -> str:
    """Where, below the home, stands what engines of synthesis teach."""
    return f"{of_medium('teaching', medium)}/table.json"


def default_detector(medium: str = "image") -> Path:
    """The detector folder that is used where none is named; one for each medium."""
    return home() / "detectors" / of_medium(DEFAULT_DETECTOR, medium)


def domains_folder() -> Path:
    """The folder of domains that is used where none is named, and that the sensor watches."""
    configured = os.environ.get("DEEPWARD_DOMAINS")
    return Path(configured).absolute() if configured else home() / "domains"


def champion_detector(medium: str = "image") -> Path:
    """The released detector of a medium; absent until the first release."""
    return home() / "detectors" / of_medium("champion", medium)


def linked_folders() -> list[Path]:
    """Folders that links in a domain may lead to, besides its own: `DEEPWARD_LINKS`, with `:`.

    The folder of domains is always one: what lies in it was put there to be read.
    """
    named = os.environ.get("DEEPWARD_LINKS", "").split(os.pathsep)
    return [domains_folder(), *(Path(name).absolute() for name in named if name)]


def demo_domains_folder() -> Path:
    """Where the procedural demo domains are written."""
    return home() / "domains"


def documents_folder() -> Path:
    """The folder of local documents that is always read, and that the sensor watches."""
    configured = os.environ.get("DEEPWARD_DOCUMENTS")
    return Path(configured).absolute() if configured else home() / "documents"


def knowledge_folder() -> Path:
    """What was read and crawled, and the index over it."""
    return home() / "knowledge"


def report_file(medium: str = "image") -> Path:
    """The HTML report of a medium."""
    return home() / "report" / f"{of_medium('report', medium)}.html"


def checkpoints_folder(key: str) -> Path:
    """Checkpoints of one training run; `key` names its data, configuration and seed."""
    return home() / "training" / key


def stages_folder(medium: str = "image") -> Path:
    """The ledger of a medium's stages of continual learning, and what each of them shows."""
    return home() / of_medium("stages", medium)


def descriptions_file() -> Path:
    """What statistics said of samples, so that each is described once."""
    return home() / "descriptions.db"


@dataclass(frozen=True)
class DomainFiles:
    """What is kept for one domain folder, so that a second run is warm.

    Attributes:
        manifest: the last manifest, Parquet.
        state: what the scanner remembers of unchanged files.
        pixels: folder of the decoded pictures.
    """

    manifest: Path
    state: Path
    pixels: Path


def domain_files(folder: Path) -> DomainFiles:
    """Where the files for the domain at `folder` are kept: named by it and its real path."""
    place = os.path.realpath(folder)  # a linked domain shares them with the folder it leads to
    key = f"{Path(place).name}-{sha256_bytes(os.fsencode(place))[:10]}"
    return DomainFiles(
        manifest=home() / "manifests" / f"{key}.parquet",
        state=home() / "manifests" / f"{key}.state",
        pixels=home() / "pixels" / key,
    )
