"""Files from elsewhere become a domain folder: streamed, gone on with after a kill, never doubled.

    .<name>.importing/            beside the domain while it is not complete
        recipe.json               what is imported, and how: another recipe begins anew
        journal.jsonl             one line per part that is done; a halved line is dropped
        <the domain's folders>

Names of pictures follow from file and number of their record, so what a killed run wrote beyond its
journal is written over. The journal becomes `metadata.csv`, where each picture has its source.
"""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepward.domains.importing.reading import FORMATS, cut_source, read_span
from deepward.domains.importing.records import Fields
from deepward.domains.importing.sources import (
    find_sources,
    fingerprint,
    short_names,
    split_of,
    whole_lines,
)
from deepward.domains.layout import CLASS_FOLDERS, SPLITS
from deepward.errors import DomainError, UsageError
from deepward.files import atomic_file, locked, printable, write_json
from deepward.intake.pool import Failure, run_tasks
from deepward.progress import Advance, Progress, no_progress
from deepward.steps import Step, resume
from deepward.versions import code_version

__all__ = ["Imported", "import_domain"]

_SECONDS = 300.0  # of computing that one part, or the cutting of one file, may cost
_MOST_SKIPPED = 10_000  # that are listed one by one
_COLUMNS = ("path", "technique", "group", "source", "record", "sha256")


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        folder: the domain.
        pictures: that it has; real, fake: of them.
        skipped: records by reason.
        files: whose records were read.
        resumed: records that an earlier, killed import had read already.
    """

    folder: Path
    pictures: int
    real: int
    fake: int
    skipped: Mapping[str, int]
    files: int
    resumed: int


def import_domain(
    kind: str,
    source: Path,
    out: Path,
    fields: Fields,
    *,
    splits: bool = True,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Imported:
    """Imports all records of a file, or of all files below a folder, into a new domain.

    Args:
        kind: a key of `FORMATS`.
        source: a file, or a folder of files with the format's extensions.
        out: the domain's folder, which must not exist.
        fields: which fields say what.
        splits: whether files named or filed by train, val and test keep these.
        workers: processes that read; None for one per core.
        progress: is told of every part.

    Raises:
        UsageError: a format that is not known, a source that is missing, or a domain that exists.
        DomainError: there is no file to read, or no record gave a picture.
    """
    if kind not in FORMATS:
        raise UsageError(f"{kind!r} is no format; known are {', '.join(FORMATS)}.")
    if os.path.lexists(out):
        raise UsageError(f"{out} is there already: name another folder, or remove it first.")
    sources = find_sources(kind, source)
    top = source if source.is_dir() else source.parent
    partial = out.with_name(f".{out.name}.importing")
    busy = UsageError(f"Another process is importing into {out}.")
    with locked(out.with_name(f".{out.name}.lock"), busy):
        # A changed file, other fields, or another version of this code begin anew.
        inputs = {str(path.relative_to(top)): fingerprint(path) for path in sources}
        config = {"kind": kind, "fields": fields.as_dict(), "splits": splits}
        step = Step("import_domain", inputs, config, _code(kind))
        resume(partial, step)
        run = _Run(kind, sources, top, partial, fields, splits, workers, progress)
        made = run.finish(out, run.read())
    out.with_name(f".{out.name}.lock").unlink(missing_ok=True)
    return made


class _Run:
    def __init__(
        self,
        kind: str,
        sources: Sequence[Path],
        top: Path,
        partial: Path,
        fields: Fields,
        splits: bool,
        workers: int | None,
        progress: Progress,
    ) -> None:
        self.kind, self.sources, self.top, self.partial = kind, sources, top, partial
        self.fields, self.workers, self.progress = fields, workers, progress
        self.names = short_names(kind, [path.relative_to(top) for path in sources])
        found = [split_of(path.relative_to(top)) for path in sources]
        # One split alone is none: then all three are derived from the pictures.
        several = splits and None not in found and len(set(found)) > 1
        self.splits = found if several else [None] * len(sources)
        self.declared = several or bool(fields.split)
        self.journal = partial / "journal.jsonl"

    def read(self) -> list[dict[str, Any]]:
        """Reads what the journal lacks; returns all of its lines."""
        lines = whole_lines(self.journal, self.partial)
        self.resumed = sum(len(line["rows"]) + len(line["skipped"]) for line in lines)
        known = {(line["source"], line["first"]) for line in lines}
        for split in SPLITS if self.declared else ("",):
            for name in CLASS_FOLDERS:
                (self.partial / split / name).mkdir(parents=True, exist_ok=True)
        cuts = self._cuts()
        left = [
            (number, span)
            for number, spans in cuts.items()
            for span in spans
            if (number, span[0]) not in known
        ]
        total = sum(len(spans) for spans in cuts.values())
        done = total - len(left)
        with self.journal.open("a", encoding="utf-8") as file:
            for line in self._lines(left):
                file.write(json.dumps(line) + "\n")
                file.flush()
                lines.append(line)
                done += 1
                self.progress(Advance("importing", done, total, "part"))
        return lines + self.failed

    def finish(self, out: Path, lines: Sequence[Mapping[str, Any]]) -> Imported:
        """Writes the tables, and puts the folder into its place."""
        rows = sorted([line["source"], *row] for line in lines for row in line["rows"])
        skipped = sorted([line["source"], *each] for line in lines for each in line["skipped"])
        reasons = Counter(each[2] for each in skipped)
        if not rows:
            shutil.rmtree(self.partial)  # nothing worth going on from
            why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common()) or "no record"
            first = f" The first: {skipped[0][3]}." if skipped else ""
            raise DomainError(
                f"Nothing below {self.top} gave a picture ({why}).{first} Name the fields that "
                "hold picture and label, and their values for real and fake."
            )
        places = [printable(path.relative_to(self.top)) for path in self.sources]
        with (
            atomic_file(self.partial / "metadata.csv") as partial,
            partial.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            for source, record, path, technique, group, _, digest in rows:
                writer.writerow([path, technique, group, places[source], record, digest])
        labels = Counter("1_fake" in row[2].split("/") for row in rows)
        facts = {
            "format": self.kind,
            "files": {place: fingerprint(p) for place, p in zip(places, self.sources, strict=True)},
            "fields": self.fields.as_dict(),
            "pictures": len(rows),
            "skipped": dict(sorted(reasons.items())),
            "first_skipped": [
                {"source": places[s], "record": n, "reason": reason, "detail": detail}
                for s, n, reason, detail in skipped[:_MOST_SKIPPED]
            ],
        }
        write_json(self.partial / "import.json", facts)
        self.journal.unlink(missing_ok=True)
        (self.partial / "recipe.json").unlink(missing_ok=True)
        for folder in sorted(self.partial.rglob("*"), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        os.sync()  # thousands of files at once, before the name says that they are there
        os.rename(self.partial, out)
        return Imported(
            out, len(rows), labels[False], labels[True], reasons, len(places), self.resumed
        )

    def _cuts(self) -> dict[int, list[list[Any]]]:
        """The parts of each file; a file that cannot be cut is one skipped record."""
        tasks = [
            {"format": self.kind, "source": str(path), "fields": self.fields.as_dict()}
            for path in self.sources
        ]
        self.failed: list[dict[str, Any]] = []
        found: dict[int, list[list[Any]]] = {}
        outcomes = run_tasks(cut_source, tasks, workers=self.workers, seconds=_SECONDS)
        with closing(outcomes):
            for number, outcome in outcomes:
                if isinstance(outcome, Failure):
                    self.failed.append(_failure(number, 0, outcome))
                else:
                    found[number] = outcome
        return dict(sorted(found.items()))

    def _lines(self, left: Sequence[tuple[int, list[Any]]]) -> Iterator[dict[str, Any]]:
        """A line for each part; one that spoils its process is read record by record."""
        spoilt: list[tuple[int, list[Any], Failure]] = []
        for (source, span, _), outcome in self._outcomes([(*each, None) for each in left]):
            if isinstance(outcome, Failure):
                spoilt.append((source, span, outcome))
            else:
                yield {"source": source, "first": span[0], **outcome}
        for source, span, why in spoilt:
            first, count = span[0], span[1]
            if count is None or count == 1:
                yield _failure(source, first, why)
                continue
            line = {"source": source, "first": first, "rows": [], "skipped": []}
            alone = [(source, span, first + place) for place in range(count)]
            for (_, _, only), outcome in self._outcomes(alone):
                if isinstance(outcome, Failure):
                    line["skipped"].append([only, outcome.reason, outcome.detail])
                else:
                    line["rows"] += outcome["rows"]
                    line["skipped"] += outcome["skipped"]
            yield line

    def _outcomes(
        self, parts: Sequence[tuple[int, list[Any], int | None]]
    ) -> Iterator[tuple[tuple[int, list[Any], int | None], dict[str, Any] | Failure]]:
        """Reads parts in watched processes; (the part, what became of it) as they get done."""
        tasks = [
            {
                "format": self.kind,
                "source": str(self.sources[source]),
                "fields": self.fields.as_dict(),
                "span": span,
                "name": self.names[source],
                "split": self.splits[source],
                "declared": self.declared,
                "out": str(self.partial),
                "only": only,
            }
            for source, span, only in parts
        ]
        outcomes = run_tasks(read_span, tasks, workers=self.workers, seconds=_SECONDS)
        with closing(outcomes):
            for number, outcome in outcomes:
                yield parts[number], outcome


def _code(kind: str) -> str:
    module = FORMATS[kind].partition(":")[0]
    return code_version(
        "deepward.domains.importing.import_domain", f"deepward.domains.importing.{module}"
    )


def _failure(source: int, number: int, why: Failure) -> dict[str, Any]:
    skipped = [[number, why.reason, why.detail]]
    return {"source": source, "first": number, "rows": [], "skipped": skipped}
