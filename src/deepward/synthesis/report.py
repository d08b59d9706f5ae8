"""What a run made, counted: what was asked, what was done, and what stood in for what."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepward.files import sha256_file
from deepward.synthesis.provenance import read_rows
from deepward.synthesis.workplace import read_json

__all__ = ["SynthesisReport", "count_stand_ins", "read_report"]


@dataclass(frozen=True)
class SynthesisReport:
    """What a run made.

    Attributes:
        folder: the domain.
        made, rejected: samples, and with `rejected` also refused specs and bases.
        reasons: of what was rejected, counted.
        engines: that made the fakes, counted: what was done.
        asked_techniques, asked_operations: of the edit specs of what was made, counted.
        stand_ins: a line for each reason why something else was done than was asked.
        splits: of what was made, counted.
        throughput: pictures per second that each engine made by itself, in one process.
        seconds: of the whole run; 0 when nothing was left to do.
        version: hash of the table; the same for the same inputs and configuration.
    """

    folder: Path
    made: int
    rejected: int
    reasons: dict[str, int]
    engines: dict[str, int]
    asked_techniques: dict[str, int]
    asked_operations: dict[str, int]
    stand_ins: tuple[str, ...]
    splits: dict[str, int]
    throughput: dict[str, float]
    seconds: float
    version: str

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        return asdict(self) | {"folder": str(self.folder), "stand_ins": list(self.stand_ins)}


def read_report(folder: Path, seconds: float) -> SynthesisReport:
    """The report of the set that stands in a folder; `seconds` is how long its making took."""
    rows = read_rows(folder)
    made = [row for row in rows if row["status"] == "made"]
    spent = read_json(folder / "run.json").get("engine_seconds", {})
    return SynthesisReport(
        folder=folder,
        made=len(made),
        rejected=len(rows) - len(made),
        reasons=_count(row["reason"] for row in rows if row["status"] != "made"),
        engines=_count(row["done_engine"] for row in made),
        asked_techniques=_count(row["asked_technique"] for row in made),
        asked_operations=_count(row["asked_operation"] for row in made),
        stand_ins=count_stand_ins(made),
        splits=_count(row["split"] for row in made),
        throughput={name: n / s for name, (n, s) in spent.items() if s > 0},
        seconds=seconds,
        version=sha256_file(folder / "metadata.jsonl"),
    )


def count_stand_ins(made: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Lines such as "20 of 60: no inpainting weights; regions were resynthesized"."""
    counts = _count(row["stand_in"] for row in made if row["stand_in"] is not None)
    return tuple(f"{number} of {len(made)}: {why}" for why, number in counts.items())


def _count(values: Iterable[Any]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
