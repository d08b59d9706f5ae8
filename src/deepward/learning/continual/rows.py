"""What a stage shows on every domain: one row of the continual matrix, and the matrix of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepward.media import Laundered, laundered_size, size_of
from deepward.metrics.binary import binary_metrics
from deepward.metrics.continual import ContinualSummary, summarize_stages
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors import Detector
    from deepward.domains import ImageSet

__all__ = [
    "Cell",
    "StageRow",
    "draw_rows",
    "losses",
    "measure_stage",
    "stage_matrix",
    "summarize_rows",
]

RESAMPLES = 200


@dataclass(frozen=True)
class Cell:
    """One stage on the test pictures of one domain; None where the data cannot tell.

    Attributes:
        auc: clean, with its 95 % interval; laundered_auc: after laundering.
        recall_real, recall_fake: at the stored threshold.
        false_alarms: share of reals at or over the threshold: 1 - recall_real.
        n_real, n_fake: pictures measured.
    """

    auc: float | None
    auc_interval: list[float] | None
    laundered_auc: float | None
    recall_real: float | None
    recall_fake: float | None
    false_alarms: float | None
    n_real: int
    n_fake: int


@dataclass(frozen=True)
class StageRow:
    """One row of the matrix.

    Attributes:
        stage: what was learned; detector: its name; content_hash: its hash.
        domains: learned in this stage.
        known: domains that the detector had learned by then.
        cells: domain -> what was measured, also of domains not learned yet.
        before: the parent on this stage's own domains, where there was a parent.
        seconds: that learning took.
        size: bytes of the detector's files.
    """

    stage: str
    detector: str
    content_hash: str
    domains: tuple[str, ...]
    known: tuple[str, ...]
    cells: Mapping[str, Cell]
    before: Mapping[str, Cell]
    seconds: float = 0.0
    size: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "StageRow":
        """Reads what `as_dict` gave."""
        cells = {
            part: {name: Cell(**cell) for name, cell in values[part].items()}
            for part in ("cells", "before")
        }
        names = {part: tuple(values[part]) for part in ("domains", "known")}
        return cls(**{**values, **cells, **names})


def measure_stage(
    detector: "Detector",
    tests: "Mapping[str, ImageSet]",
    *,
    laundered: bool = True,
    seed: int = 0,
    progress: Progress = no_progress,
) -> dict[str, Cell]:
    """A detector on the test pictures of each domain; domains without any are left out."""
    found = {}
    for done, (name, data) in enumerate(tests.items()):
        progress(Advance("measuring the stage", done, len(tests), "domain", name))
        sizes = np.array([size_of(sample) for sample in data.pixels], np.int64)
        large = data.subset(np.flatnonzero(sizes >= detector.minimum_size))
        if len(large):
            found[name] = _cell(detector, large, laundered, seed)
    progress(Advance("measuring the stage", len(tests), len(tests), "domain"))
    return found


def _cell(detector: "Detector", data: "ImageSet", laundered: bool, seed: int) -> Cell:
    said = detector.predict(data.pixels).probability
    threshold = detector.decision.threshold
    flat = binary_metrics(data.labels, said, threshold, data.groups, resamples=RESAMPLES, seed=seed)
    again: float | None = None
    if laundered and flat["auc"].value is not None:
        sizes = np.array([laundered_size(sample) for sample in data.pixels])
        left = data.subset(np.flatnonzero(sizes >= detector.minimum_size))
        if len(set(left.labels.tolist())) == 2:
            worse = detector.predict(Laundered(left.pixels)).probability
            again = binary_metrics(left.labels, worse, threshold, resamples=2)["auc"].value
    real = flat["recall_real"].value
    return Cell(
        auc=flat["auc"].value,
        auc_interval=flat["auc"].interval,
        laundered_auc=again,
        recall_real=real,
        recall_fake=flat["recall_fake"].value,
        false_alarms=None if real is None else 1.0 - real,
        n_real=int((data.labels == 0).sum()),
        n_fake=int((data.labels == 1).sum()),
    )


def stage_matrix(rows: Sequence[StageRow], metric: str = "auc") -> tuple[list[str], NDArray[Any]]:
    """The domains in the order of learning, and R: the score after stage i on domain j.

    A stage is one row. Domains of one stage are columns side by side, so the matrix is square only
    where every stage learned one domain. What was not measured is NaN, apart from the row above a
    domain's own stage, which its parent's measurement fills.
    """
    learned = {row.stage: row.domains for row in rows}
    domains = list(dict.fromkeys(name for names in learned.values() for name in names))
    matrix = np.full((len(rows), len(domains)), np.nan)
    for i, row in enumerate(rows):
        for j, name in enumerate(domains):
            value = getattr(row.cells.get(name), metric, None)
            matrix[i, j] = np.nan if value is None else value
            value = getattr(row.before.get(name), metric, None)
            if i and value is not None and np.isnan(matrix[i - 1, j]):
                matrix[i - 1, j] = value
    return domains, matrix


def summarize_rows(rows: Sequence[StageRow], metric: str = "auc") -> ContinualSummary:
    """AA, AF, BWT and FWT of what is still known at the end.

    Domains that were learned together count once, as their mean. The last row is the newest
    stage, also where that forgot a domain.
    """
    domains, matrix = stage_matrix(rows, metric)
    known = set(rows[-1].known) if rows else set()
    taught: dict[int, list[int]] = {}  # row -> its columns
    for j, name in enumerate(domains):
        if name in known:
            first = next(i for i, row in enumerate(rows) if name in row.domains)
            taught.setdefault(first, []).append(j)
    lines = [*list(taught)[:-1], len(rows) - 1]
    square = np.full((len(taught), len(taught)), np.nan)
    for column, places in enumerate(taught.values()):
        for line, i in enumerate(lines):
            values = matrix[i, places]
            if np.isfinite(values).any():
                square[line, column] = np.nanmean(values)
    return summarize_stages(square) if taught else ContinualSummary(None, None, None, None)


def draw_rows(rows: Sequence[StageRow], kind: Literal["png", "svg"] = "png") -> bytes:
    """The picture of a chain: what was known when, and what was forgotten."""
    from deepward.evaluation.forgetting import forgetting_figure

    domains, auc = stage_matrix(rows)
    learned = [next(i for i, row in enumerate(rows) if name in row.domains) for name in domains]
    real, fake = (stage_matrix(rows, name)[1] for name in ("recall_real", "recall_fake"))
    names = [row.stage for row in rows]
    return forgetting_figure(names, domains, learned, auc, real, fake, kind)


def losses(rows: Sequence[StageRow]) -> list[dict[str, Any]]:
    """What the last row shows of each domain learned before it and still known.

    Returns:
        "domain", "best" AUC since it was learned and before the last row, "auc" now, "lost" (best
        less now), "recall_real" and "recall_fake" now; None where the data cannot tell.
    """
    if not rows:
        return []
    found = []
    last = rows[-1]
    for name in last.known:
        taught = next((i for i, row in enumerate(rows) if name in row.domains), len(rows))
        past = [row.cells[name].auc for row in rows[taught:-1] if name in row.cells]
        now = last.cells.get(name)
        if now is None or taught >= len(rows) - 1:
            continue
        best = max((value for value in past if value is not None), default=None)
        lost = None if best is None or now.auc is None else best - now.auc
        found.append(
            {
                "domain": name,
                "best": best,
                "auc": now.auc,
                "lost": lost,
                "recall_real": now.recall_real,
                "recall_fake": now.recall_fake,
            }
        )
    return found
