"""What a detector gets wrong, in pictures, and where it sees evidence in what it is surest of."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.embedding import relative_path, tile
from deepward.evaluation.media_words import in_words_of
from deepward.evaluation.montage import relative_evidence
from deepward.evaluation.wording import percent
from deepward.media import NOUNS

__all__ = ["KINDS", "Evidence", "Finder", "failures", "pick_tiles"]

Image = NDArray[np.uint8]
Finder = Callable[[str], Image | None]
Evidence = Callable[[Image], NDArray[np.float64]]

MOST = 12  # tiles of a kind
SAME_DOMAIN = 3
WITH_EVIDENCE = 6  # a map takes a detector about a second

# kind -> (title, label, verdicts, whether a high probability comes first)
KINDS: dict[str, tuple[str, int, tuple[str, ...], bool]] = {
    "missed": ("Fakes that it takes for real", 1, ("real",), False),
    "alarms": ("Reals that it calls fake", 0, ("fake",), True),
    "surest": ("Fakes that it is surest of, and where it sees the evidence", 1, ("fake",), True),
}


def pick_tiles(results: Sequence[DomainMetrics], kind: str, most: int) -> pd.DataFrame:
    """The clearest pictures of a kind, few of any one domain; ties by path.

    Args:
        results: of one detector, with their tables of scores; those without are passed over.
        kind: in `KINDS`.
        most: rows at most.
    """
    _, label, verdicts, falling = KINDS[kind]
    parts = []
    for found in results:
        if found.scores is None:
            continue
        table = found.scored()
        table = table[(table["label"] == label) & table["verdict"].isin(verdicts)]
        parts.append(_ordered(table.assign(domain=found.domain), falling).head(SAME_DOMAIN))
    if not parts:
        return pd.DataFrame()
    return _ordered(pd.concat(parts, ignore_index=True), falling).head(most)


def _ordered(table: pd.DataFrame, falling: bool) -> pd.DataFrame:
    return table.sort_values(["probability", "path"], ascending=[not falling, True], kind="stable")


def failures(
    results: Sequence[DomainMetrics],
    finder: Finder | None,
    evidence: Evidence | None,
    medium: str = "image",
) -> list[dict[str, Any]]:
    """Groups of tiles, each with `title`, `kind` and `tiles`; kinds without any are left out.

    Args:
        results: of one detector.
        finder: gives a picture by its path in the table of scores; None leaves pictures out.
        evidence: log-odds for fake by place, (H, W); None leaves the surest fakes out.
        medium: that they are of.
    """
    if finder is None:
        return []
    groups = []
    for kind, (title, *_) in KINDS.items():
        if kind == "surest" and evidence is None:
            continue
        most = WITH_EVIDENCE if kind == "surest" else MOST
        shown = evidence if kind == "surest" else None
        tiles = list(_tiles(pick_tiles(results, kind, most), finder, shown, NOUNS[medium]))
        if tiles:
            title = in_words_of(medium, title)
            groups.append({"title": title, "kind": kind, "tiles": tiles})
    return groups


def _tiles(
    rows: pd.DataFrame, finder: Finder, evidence: Evidence | None, noun: str
) -> Iterator[dict[str, Any]]:
    for row in rows.itertuples():
        pixels = finder(str(row.path))
        if pixels is None:
            continue
        truth = "fake" if row.label == 1 else "real"
        chance = percent(float(str(row.probability)))
        yield {
            "picture": tile(pixels),
            "evidence": tile(pixels, relative_evidence(evidence(pixels))) if evidence else None,
            "alt": f"{truth} {noun} of {row.domain}, verdict {row.verdict}, {chance} fake",
            "name": relative_path(str(row.path), str(row.domain)),
            "domain": row.domain,
            "probability": chance,
            "verdict": row.verdict,
            "label": row.label,
        }
