"""The ledger of stages: which detector was learned from which, from what, and how.

    stages/000000.json     one file per entry, in the order of writing; never changed
    stages/ledger.lock     held while a stage is learned and entered

A stage has a place in the chain. An entry for a place that is taken says that the stage there was
learned anew; the chain is made of the last entry of each place. Each file is written whole or not
at all, so a kill leaves the chain as it was or one stage longer.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deepward.errors import WorkError
from deepward.files import canonical_json, locked, printable, sha256_bytes, write_json

__all__ = ["FORGOT", "LEARNED", "Entry", "Ledger", "stage_name"]

LEARNED, FORGOT = "learned", "forgot"


@dataclass(frozen=True)
class Entry:
    """One stage, as it was learned.

    Attributes:
        stage: the domain that was learned or forgotten; "a+b" for a group.
        number: place in the chain, from 0.
        how: "learned" or "forgot".
        domains: what was learned, or forgotten, in this stage.
        detector: name of its folder among the detectors: "stage-002-swap".
        content_hash: of that detector, as its file says.
        parent: name of the detector that it was learned from; "" for none.
        parent_hash: content hash of the parent; "" for none.
        config: settings that decide the result.
        data: domain -> version of what was learned from.
        seconds: that learning took.
        made_at: UTC time.
    """

    stage: str
    number: int
    how: str
    domains: tuple[str, ...]
    detector: str
    content_hash: str
    parent: str
    parent_hash: str
    config: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    made_at: str = ""

    @property
    def forgot(self) -> bool:
        """Whether domains were taken out, not learned."""
        return self.how == FORGOT

    def same_stage(self, other: "Entry") -> bool:
        """Whether both tell of the same detector at the same place, made from the same parent."""
        facts = ("number", "how", "domains", "detector", "content_hash", "parent", "parent_hash")
        return all(getattr(self, name) == getattr(other, name) for name in facts)


class Ledger:
    """The entries in one folder; several processes may read and add.

    Args:
        folder: of the entries; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._holds = False

    def entries(self) -> list[Entry]:
        """All entries in the order of writing.

        Raises:
            WorkError: one of them cannot be read.
        """
        return [_read(file) for file in sorted(self.folder.glob("[0-9]*.json"))]

    def chain(self) -> list[Entry]:
        """The stages as they stand: the last entry of each place, by place."""
        last = {entry.number: entry for entry in self.entries()}
        return [last[number] for number in sorted(last)]

    def head(self) -> Entry | None:
        """The newest stage: the last of the chain."""
        chain = self.chain()
        return chain[-1] if chain else None

    def stage_of(self, domain: str) -> Entry | None:
        """The last stage that learned `domain`, whether or not it was forgotten since."""
        found = [e for e in self.chain() if domain in e.domains and not e.forgot]
        return found[-1] if found else None

    def forgotten(self, domain: str) -> Entry | None:
        """The stage that forgot `domain`, where it was not learned again since."""
        told = [e for e in self.chain() if domain in e.domains]
        return told[-1] if told and told[-1].forgot else None

    def known(self, upto: Entry | None = None) -> list[str]:
        """Domains that the chain up to a stage (its head) has learned and not forgotten."""
        known: dict[str, None] = {}
        for entry in self.chain():
            if upto is not None and entry.number > upto.number:
                break
            for domain in entry.domains:
                known.pop(domain, None)
                if not entry.forgot:
                    known[domain] = None
        return list(known)

    def stale(self) -> list[Entry]:
        """Stages whose parent was learned anew since: they stand on what is no longer there."""
        by_name = {entry.detector: entry for entry in self.chain()}
        found: list[Entry] = []
        for entry in self.chain():
            parent = by_name.get(entry.parent)
            if parent and (parent.content_hash != entry.parent_hash or parent in found):
                found.append(entry)
        return found

    def append(self, entry: Entry) -> Entry:
        """Adds an entry, unless the chain says the same already; returns what stands there.

        Raises:
            WorkError: its place is not in the chain and not the next one.
        """
        with self.writing():
            chain = {each.number: each for each in self.chain()}
            there = chain.get(entry.number)
            if there is not None and there.same_stage(entry):
                return there
            if there is None and entry.number != len(chain):
                raise WorkError(
                    f"The stage {entry.detector} would be number {entry.number}, but the ledger in "
                    f"{self.folder} has {len(chain)} stages: it was changed meanwhile; run again."
                )
            made = replace(entry, made_at=datetime.now(UTC).isoformat(timespec="seconds"))
            number = len(list(self.folder.glob("[0-9]*.json")))
            facts = asdict(made)
            write_json(self.folder / f"{number:06d}.json", {**facts, "sha256": _hash(facts)})
            return made

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the ledger: others wait until the stage is learned and entered.

        Whoever holds it through this object may add to it.
        """
        if self._holds:
            yield
            return
        with locked(self.folder / "ledger.lock"):
            self._holds = True
            try:
                yield
            finally:
                self._holds = False


def stage_name(number: int, stage: str) -> str:
    """Name of a stage's detector, fit for a folder: "stage-002-swap"."""
    plain = "".join(c if c.isalnum() or c in "._-+" else "_" for c in printable(stage))
    short = plain[:80]
    mark = "" if short == stage else f"-{sha256_bytes(stage.encode())[:6]}"
    return f"stage-{number:03d}-{short}{mark}"


def _read(file: Path) -> Entry:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        digest = facts.pop("sha256")
        entry = Entry(**{**facts, "domains": tuple(facts["domains"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkError(
            f"The ledger's entry {file} cannot be read ({error}): put it back from a copy."
        ) from None
    if digest != _hash(facts):
        raise WorkError(
            f"The ledger's entry {file} was changed after it was written: put it back from a copy."
        )
    return entry


def _hash(facts: Mapping[str, Any]) -> str:
    return sha256_bytes(canonical_json(facts).encode())
