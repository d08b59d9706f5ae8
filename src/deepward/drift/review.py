"""After an alarm: the strange pictures that belong together, put before people.

    inbox/review/drift-<detector>-<row>/
    ├── files.csv     every strange picture, by path; those of the largest cluster first
    ├── montage.png   some of the cluster, from files that are still what they were
    └── note.md       to be filled in by a person, and then given to `deepward inbox add`

What the pictures are is for people to say: a detector that learned from its own verdicts would
only become surer of its mistakes.
"""

import csv
import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepward.drift.report import STRANGE, DriftReport
from deepward.drift.rows import Traffic
from deepward.files import atomic_file, locked, printable, write_json
from deepward.inbox import Inbox
from deepward.inbox.notes import NOTE

__all__ = ["ask_people", "cluster_of"]

_SHOWN, _ACROSS, _TILE = 24, 6, 144
_MOST = 2000  # latest strange pictures that are clustered; the cost grows with the square
_HEADER = (
    "cluster", "path", "scored_at", "strangeness_p", "unfamiliarity", "probability", "verdict",
    "nearest", "row",
)  # fmt: skip
_NOTE = """---
# Seen in traffic: {strange} strange pictures, {cluster} of them alike (files.csv, montage.png).
# A person says what they are; the detector's own verdicts are no labels.
# 1. Look at the files. Copy those that you know to be fakes into a folder specimens/ beside this
#    note, and real ones of the same kind and origin into reals/.
# 2. Fill in the name and what you know, and describe the technique below.
# 3. deepward inbox add {folder}
# If there is nothing to learn from them: deepward drift --dismiss
name:
aliases: []
date: {date}
source:
licence:
---
"""


def ask_people(home: Path, traffic: Traffic, report: DriftReport) -> Path | None:
    """Puts the strange pictures of an alarm into `inbox/review/`.

    A note that is there is never written over; once people have removed the folder, the same alarm
    does not bring it back.

    Args:
        home: `DEEPWARD_HOME`.
        traffic: that was compared.
        report: that came of it.

    Returns:
        the folder; None where no alarm has rung or people have cleared it away.
    """
    if not report.alarm:
        return None
    name = f"drift-{report.detector[:8]}-{report.alarm_row}"
    target = Inbox(home).review_folder / name
    asked = Path(home) / "traffic" / "asked.json"
    with locked(asked.with_suffix(".lock")):
        before = json.loads(asked.read_text(encoding="utf-8")) if asked.is_file() else []
        if name in before and not target.is_dir():
            return None
        strange = np.flatnonzero(report.strange <= STRANGE)
        cluster = cluster_of(traffic, strange)
        _write_table(target / "files.csv", traffic, report, strange, cluster)
        _write_montage(target / "montage.png", traffic, cluster)
        if not (target / NOTE).exists():
            _write_note(target / NOTE, len(strange), len(cluster))
        if name not in before:
            write_json(asked, [*before, name])
    return target


def cluster_of(traffic: Traffic, strange: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest group among strange pictures, as places in the traffic, in order.

    By average linkage of their sketches, cut where pictures are as far apart as two pictures of
    the traffic commonly are (the median). Without descriptions all of them are one group.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    strange = strange[-_MOST:]
    if len(strange) < 3 or not traffic.scores.described:
        return strange
    rows = traffic.scores.sketch.astype(np.float64)
    common = rows[np.linspace(0, len(rows) - 1, min(len(rows), 500)).round().astype(np.int64)]
    limit = float(np.median(pdist(common)))
    groups = fcluster(linkage(rows[strange], "average"), limit, criterion="distance")
    return np.asarray(strange[groups == np.bincount(groups).argmax()])


def _write_table(
    path: Path,
    traffic: Traffic,
    report: DriftReport,
    strange: NDArray[np.int64],
    cluster: NDArray[np.int64],
) -> None:
    inside = set(cluster.tolist())
    ordered = [*cluster.tolist(), *(i for i in strange.tolist() if i not in inside)]
    scores = traffic.scores
    with atomic_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADER)
        for i in ordered:
            when = datetime.fromtimestamp(float(traffic.times[i]), UTC)
            writer.writerow(
                [
                    "yes" if i in inside else "no",
                    printable(traffic.paths[i]),
                    when.isoformat(timespec="seconds"),
                    f"{report.strange[i]:.4f}",
                    f"{scores.unfamiliarity[i]:.3f}",
                    f"{scores.probability[i]:.3f}",
                    scores.verdict[i],
                    scores.nearest[i],
                    int(traffic.ids[i]),
                ]
            )


def _write_montage(path: Path, traffic: Traffic, cluster: NDArray[np.int64]) -> None:
    """Draws some of a cluster; nothing where no file is left."""
    from deepward.pictures.sheets import Strip, draw_sheet

    some = np.linspace(0, len(cluster) - 1, min(len(cluster), _SHOWN)).round().astype(np.int64)
    chosen = cluster[some].tolist()
    pictures = _still_there(traffic, chosen)
    if not pictures:
        return
    gone = len(chosen) - len(pictures)
    title = f"{len(pictures)} of {len(cluster)} strange pictures that are alike"
    if gone:
        title += f" ({gone} more are gone or changed)"
    sheet = draw_sheet([Strip(title, pictures)], across=_ACROSS, tile=_TILE)
    with atomic_file(path) as partial:
        sheet.save(partial, "PNG", optimize=False)


def _still_there(traffic: Traffic, chosen: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Pixels of files whose picture is the one that was scored; opened in watched processes."""
    from deepward.detectors.descriptions import sample_key
    from deepward.scoring.reading import read_pictures

    found: dict[int, NDArray[np.uint8]] = {}
    with closing(read_pictures([Path(traffic.paths[i]) for i in chosen])) as readings:
        for number, reading in readings:
            pixels = reading.pixels
            if pixels is not None and sample_key(pixels).hex() == traffic.samples[chosen[number]]:
                found[number] = _small(pixels)
    return [found[number] for number in sorted(found)]


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """No more than a tile needs is held of each."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((2 * _TILE, 2 * _TILE))
    return np.asarray(picture)


def _write_note(path: Path, strange: int, cluster: int) -> None:
    today = datetime.now(UTC).date().isoformat()
    text = _NOTE.format(strange=strange, cluster=cluster, date=today, folder=path.parent)
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
