"""What traffic is compared with: the test pictures of the domains that the detector has learned.

No fit has seen them, so they are judged as any other picture of their kind would be. (What a
closed form says of its own rows, left out, is not: its directions were fitted on them, and it
finds them less familiar than new pictures of the very same kind.) So there is an alarm from the
first file on, it means "unlike what the detector knows", and it is quiet once that was learned.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.drift.scores import Scores
from deepward.errors import DetectorFileError, DriftError
from deepward.files import atomic_file, printable
from deepward.progress import Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors import Detector, Samples

__all__ = [
    "FEWEST",
    "MOST",
    "Reference",
    "build_reference",
    "detector_hash",
    "judged",
    "reference_file",
]

MOST = 1000  # pictures; each domain and label gives the same number as far as it has them
FEWEST = 20  # below, nothing could be told


@dataclass(frozen=True)
class Reference:
    """Known pictures, as a detector judges them.

    Attributes:
        detector: its content hash.
        threshold: its threshold.
        domains: (M,) that each comes from.
        scores: (M,) of the pictures as they are.
        laundered: (M,) of the same, scaled and compressed again as the web does.
    """

    detector: str
    threshold: float
    domains: NDArray[np.str_]
    scores: Scores
    laundered: Scores

    @classmethod
    def empty(cls, detector: str) -> "Reference":
        """Of nothing: what no traffic is compared with."""
        return cls(detector, 1.0, np.zeros(0, np.str_), Scores.none(), Scores.none())

    def __len__(self) -> int:
        return len(self.domains)

    def write(self, path: Path) -> None:
        """Writes it as NumPy's `.npz`, the same bytes each time; nothing in it is an object."""
        arrays: dict[str, Any] = {
            "detector": np.array(self.detector),
            "threshold": np.array(self.threshold),
            "domains": self.domains,
        }
        for name, part in (("scores", self.scores), ("laundered", self.laundered)):
            arrays |= {f"{name}.{f.name}": getattr(part, f.name) for f in fields(Scores)}
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        path.write_bytes(buffer.getvalue())

    @classmethod
    def read(cls, path: Path) -> "Reference":
        """Reads what `write` wrote.

        Raises:
            DriftError: it is damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as found:
                parts = {
                    name: Scores(**{f.name: found[f"{name}.{f.name}"] for f in fields(Scores)})
                    for name in ("scores", "laundered")
                }
                return cls(
                    str(found["detector"]), float(found["threshold"]), found["domains"], **parts
                )
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise DriftError(
                f"The reference {printable(path)} cannot be read ({error}): remove it, and it is "
                "made again."
            ) from None

    @classmethod
    def kept(cls, home: Path, detector: str) -> "Reference | None":
        """The reference below a home, where it is there and of this detector."""
        path = reference_file(home)
        if not path.is_file():
            return None
        found = cls.read(path)
        return found if found.detector == detector else None

    def keep(self, home: Path) -> None:
        """Puts it where `kept` finds it."""
        with atomic_file(reference_file(home)) as partial:
            self.write(partial)


def reference_file(home: Path) -> Path:
    """Where the reference of a home is kept."""
    return Path(home) / "traffic" / "reference.npz"


def detector_hash(folder: Path) -> str:
    """Content hash of a stored detector, without loading it.

    Raises:
        DetectorFileError: its card cannot be read.
    """
    card = Path(folder) / "detector.json"
    try:
        return str(json.loads(card.read_text(encoding="utf-8"))["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DetectorFileError(
            f"{printable(card)} cannot be read as a detector's description ({error})."
        ) from None


def build_reference(
    detector: "Detector", known: "Samples", progress: Progress = no_progress
) -> Reference:
    """Judges known pictures, as they are and laundered.

    Args:
        detector: that judges the traffic.
        known: test pictures of domains that it has learned.
        progress: is told of every batch.

    Raises:
        DriftError: there are fewer than 20 pictures.
    """
    from deepward.media import Laundered

    chosen = _evenly(known.domains, known.labels, MOST)
    if len(chosen) < FEWEST:
        raise DriftError(
            f"There are {len(chosen)} test pictures of domains that the detector has learned; "
            f"traffic is compared with {FEWEST} or more. Put the domains back that it learned "
            "from, or give them more test pictures."
        )
    pixels = [known.pixels[int(i)] for i in chosen]
    return Reference(
        detector.content_hash,
        detector.decision.threshold,
        np.asarray(known.domains[chosen], np.str_),
        judged(detector, pixels, progress),
        judged(detector, Laundered(pixels), progress),
    )


def judged(
    detector: "Detector", pixels: Sequence[NDArray[np.uint8]], progress: Progress = no_progress
) -> Scores:
    """What a detector says of pictures, (H, W, 3) uint8 RGB each."""
    from deepward.detectors import decide

    found = detector.predict(pixels, progress=progress)
    verdicts = [decide(found.finding(i), detector.decision)[0] for i in range(len(found))]
    return Scores(
        found.probability,
        found.unfamiliarity,
        np.array(verdicts, np.str_),
        found.nearest,
        found.sketch,
    )


def _evenly(domains: NDArray[Any], labels: NDArray[Any], most: int) -> NDArray[np.int64]:
    """At most `most` places, of every domain and label alike, spread over each; in order."""
    cells = [
        np.flatnonzero((domains == domain) & (labels == label))
        for domain, label in sorted(set(zip(domains.tolist(), labels.tolist(), strict=True)))
    ]
    chosen: list[NDArray[np.int64]] = []
    room = most
    for number, cell in enumerate(sorted(cells, key=len)):
        share = min(len(cell), room // (len(cells) - number))
        chosen.append(cell[np.linspace(0, len(cell) - 1, share).round().astype(np.int64)])
        room -= share
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, np.int64)
