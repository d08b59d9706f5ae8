"""What was synthesized: what prompts asked for, what engines did, and why these differ."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.embedding import data_url
from deepward.evaluation.montage import thumbnail

__all__ = ["FewshotSet", "fewshot_sections"]

MOST = 6  # pairs of asked and done that are listed of a set
DRAWN = 3  # sets whose samples are shown
WIDTH = 900  # pixels of a sheet of samples


@dataclass(frozen=True)
class FewshotSet:
    """The fakes of one technique that were synthesized.

    Attributes:
        technique: that they stand for.
        rows: of its table of provenance, one per sample, rejects included.
        base: domain whose real pictures were changed; "" where that is not known.
        samples: sheet of original, mask, fake and difference, (H, W, 3) uint8; None without.
    """

    technique: str
    rows: Sequence[Mapping[str, Any]]
    base: str = ""
    samples: NDArray[np.uint8] | None = None


def fewshot_sections(sets: Sequence[FewshotSet]) -> list[dict[str, Any]]:
    """Each set with `pairs`: asked, done, why these differ, how many, where, and a prompt."""
    sections: list[dict[str, Any]] = []
    for place, shown in enumerate(sets):
        made = [row for row in shown.rows if row["status"] == "made"]
        rejected = Counter(row["reason"] for row in shown.rows if row["status"] != "made")
        pairs = Counter(_pair(row) for row in made)
        examples: dict[tuple[str, ...], str] = {}
        for row in made:
            examples.setdefault(_pair(row), str(row["asked_positive_prompt"] or ""))
        ordered = sorted(pairs, key=lambda pair: (-pairs[pair], pair))
        sheet = None
        if shown.samples is not None and place < DRAWN:
            sheet = data_url(thumbnail(shown.samples, WIDTH))
        sections.append(
            {
                "technique": shown.technique,
                "base": shown.base,
                "made": len(made),
                "splits": sorted(Counter(str(row["split"]) for row in made).items()),
                "rejected": sorted(rejected.items()),
                "pairs": [
                    dict(zip(("asked", "done", "why"), pair, strict=True))
                    | {"n": pairs[pair], "prompt": examples[pair], "where": _where(made, pair)}
                    for pair in ordered[:MOST]
                ],
                "more": len(ordered[MOST:]),
                "sheet": sheet,
            }
        )
    return sections


def _pair(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name] or "") for name in ("asked_operation", "done_engine", "stand_in"))


def _where(made: Sequence[Mapping[str, Any]], pair: tuple[str, ...]) -> str:
    """The regions of one pair, those met most first."""
    regions = Counter(str(row["region"]) for row in made if _pair(row) == pair)
    return ", ".join(sorted(regions, key=lambda name: (-regions[name], name)))
