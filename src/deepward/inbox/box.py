"""The inbox: where news comes in, is taken, and where people are asked.

inbox/techniques/      notes that wait; what cannot be understood stays, a `.why` beside it
inbox/review/          what a person should look at
techniques/<slug>/     notes that were taken: note.md, domain/ (specimens as a domain),
                       taken.json
techniques/notes/      their texts, as documents for the knowledge base
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deepward.errors import InboxError, UsageError
from deepward.files import atomic_file, atomic_folder, locked, write_json
from deepward.inbox.notes import NOTE, REALS, SPECIMENS, Note, note_hash, read_note, slug_of
from deepward.markdown import escaped

__all__ = ["DOMAIN_PREFIX", "Answer", "Inbox"]

DOMAIN_PREFIX = "specimens_"
NOTES = "notes"
_SETTLED = 2.0  # seconds without a change after which a note is complete
_ALIKE = 0.9  # share of words in common from which two descriptions are one


@dataclass(frozen=True)
class Answer:
    """What is known of a note that was taken.

    Attributes:
        slug: of the technique.
        name: as the note has it.
        names: slugs of all its names.
        since: when the news came, seconds since the epoch.
        known_as: slug of a technique that was known before, under which this one goes; "" if new.
        domain: name of the domain of its specimens; "" without any.
        specimens, reals: how many files came with it.
        key: hash of the note and its files.
        source, licence, date: as the note has them.
    """

    slug: str
    name: str
    names: tuple[str, ...]
    since: float
    known_as: str
    domain: str
    specimens: int
    reals: int
    key: str
    source: str = ""
    licence: str = ""
    date: str = ""


class Inbox:
    """The folders of one home.

    Args:
        home: `DEEPWARD_HOME`.
    """

    def __init__(self, home: Path) -> None:
        self.home = Path(home)
        self.waiting_folder = self.home / "inbox" / "techniques"
        self.review_folder = self.home / "inbox" / "review"
        self.taken_folder = self.home / "techniques"

    def waiting(self) -> tuple[list[Note], dict[str, str]]:
        """Notes that wait, by name, and name to reason of what cannot be understood.

        Each such reason is written into a `.why` beside it, which goes when the note is mended.
        """
        notes, refused = [], {}
        for place in self._entries():
            why = place.with_name(place.name + ".why")
            try:
                notes.append(read_note(place))
            except InboxError as error:
                refused[place.name] = str(error)
                if not why.is_file() or why.read_text(encoding="utf-8") != f"{error}\n":
                    why.write_text(f"{error}\n", encoding="utf-8")
            else:
                why.unlink(missing_ok=True)
        return notes, refused

    def add(self, note: Path, specimens: Path | None = None, reals: Path | None = None) -> Path:
        """Puts a note into the inbox, with pictures where there are any; whole or not at all.

        Raises:
            UsageError: one of the paths does not exist, or a note of that name waits already.
            InboxError: the note cannot be understood.
        """
        for folder in (specimens, reals):
            if folder is not None and not folder.is_dir():
                raise UsageError(f"There is no folder {folder}.")
        if not note.exists():
            raise UsageError(f"There is no note {note}.")
        found = read_note(note)
        target = self.waiting_folder / found.slug
        if target.exists():
            raise UsageError(f"A note of {found.name} waits already at {target}.")
        with atomic_folder(target) as partial:
            shutil.copyfile(found.file, partial / NOTE)
            parts = {SPECIMENS: (found.specimens, specimens), REALS: (found.reals, reals)}
            for name, (own, given) in parts.items():
                if own:
                    shutil.copytree(note / name, partial / name, symlinks=True)
                if given is not None:
                    shutil.copytree(given, partial / name, symlinks=True, dirs_exist_ok=True)
        return target

    def settled(self, notes: Sequence[Note], now: float) -> list[Note]:
        """Notes that are complete: nothing of them changed for two seconds."""
        return [note for note in notes if not now - _SETTLED < note.newest <= now]

    def take(self, note: Note, known: Sequence[str], now: float | None = None) -> Answer:
        """Moves a note out of the inbox: specimens become a domain, the text a document.

        Taking a note again that was taken before, as after a kill, changes nothing.

        Args:
            note: that waits.
            known: slugs of techniques that are known.
            now: when the news came, seconds since the epoch; by default when it last changed.
        """
        with locked(self.taken_folder / "inbox.lock"):
            folder = self.taken_folder / note.slug
            before = next((a for a in self.answers() if a.slug == note.slug), None)
            key = note_hash(note)
            answer = Answer(
                slug=note.slug,
                name=note.name,
                names=tuple(sorted(note.names)),
                since=note.newest if now is None else now,
                known_as=self.known_as(note, known),
                domain=f"{DOMAIN_PREFIX}{note.slug}" if note.specimens or note.reals else "",
                specimens=len(note.specimens),
                reals=len(note.reals),
                key=key,
                source=note.source,
                licence=note.licence,
                date=note.date,
            )
            if before is not None and not answer.domain:
                answer = before  # told again, and nothing came with it
            else:
                self._store(note, folder, answer)
                self._document(note)
            _remove(note.place)
            return answer

    def link(self, answer: Answer, domains: Path) -> None:
        """Puts the domain of an answer's specimens among the domains, as a link."""
        place = domains / answer.domain
        if answer.domain and not os.path.lexists(place):
            domains.mkdir(parents=True, exist_ok=True)
            place.symlink_to(self.taken_folder / answer.slug / "domain", target_is_directory=True)

    def answers(self) -> list[Answer]:
        """What was taken, by slug."""
        found = []
        for file in sorted(self.taken_folder.glob("*/taken.json")):
            values = json.loads(file.read_text(encoding="utf-8"))
            found.append(Answer(**{**values, "names": tuple(values["names"])}))
        return found

    def answer_of(self, domain: str) -> Answer | None:
        """The note that brought a domain, if one did."""
        return next((a for a in self.answers() if a.domain and a.domain == domain), None)

    def text_of(self, slug: str) -> str:
        """What the note about a technique says that was taken; "" without any."""
        note = self.taken_folder / slug / NOTE
        return read_note(note).text if note.is_file() else ""

    def known_as(self, note: Note, known: Sequence[str]) -> str:
        """The slug under which a note's technique is known already, or "".

        By any of its names, or by a description that shares nine tenths of its words with that of
        a note that was taken.

        Args:
            note: that waits.
            known: slugs of techniques that are known.
        """
        from deepward.techniques.taxonomy import load_taxonomy

        taxonomy = load_taxonomy()
        for name in sorted(note.names):
            if name in known or taxonomy.knows(name):
                return taxonomy.aliases.get(name, name)
        words = set(note.text.casefold().split())
        for answer in self.answers():
            if answer.slug == note.slug:
                continue
            if note.names & set(answer.names):
                return answer.slug
            theirs = set(self.text_of(answer.slug).casefold().split())
            if len(words) >= 8 and len(words & theirs) >= _ALIKE * len(words | theirs):
                return answer.slug
        return ""

    def ask(self, slug: str, title: str, text: str) -> Path:
        """Puts a question to people into `review/`, as Markdown; the same stands once."""
        target = self.review_folder / f"{slug_of(slug) or 'question'}.md"
        with atomic_file(target) as partial:
            partial.write_text(f"# {escaped(title)}\n\n{text.strip()}\n", encoding="utf-8")
        return target

    def questions(self) -> list[tuple[str, Path]]:
        """What people are asked in `review/`: names, and files to read or to fill in."""
        files = {file.stem: file for file in self.review_folder.glob("*.md")}
        folders = {file.parent.name: file for file in self.review_folder.glob(f"*/{NOTE}")}
        return sorted((files | folders).items())

    def _entries(self) -> list[Path]:
        if not self.waiting_folder.is_dir():
            return []
        return sorted(
            place
            for place in self.waiting_folder.iterdir()
            if not place.name.startswith(".") and place.suffix != ".why"
        )

    def _document(self, note: Note) -> None:
        """The note as the knowledge base reads it: data, named by its technique."""
        import yaml

        facts = {
            "title": note.name,
            "techniques": [note.slug],
            "date": note.date or None,
            "url": note.source or None,
        }
        facts = {name: value for name, value in facts.items() if value}
        head = yaml.safe_dump(facts, allow_unicode=True, sort_keys=False)
        with atomic_file(self.taken_folder / NOTES / f"{note.slug}.md") as partial:
            partial.write_text(f"---\n{head}---\n{note.text}\n", encoding="utf-8")

    def _store(self, note: Note, folder: Path, answer: Answer) -> None:
        """The note, its pictures as a domain, and what is known of it, in one folder."""
        with atomic_folder(folder) as partial:
            shutil.copyfile(note.file, partial / NOTE)
            domain = partial / "domain"
            parts = (
                (note.specimens, domain / "1_fake" / note.slug, SPECIMENS),
                (note.reals, domain / "0_real", REALS),
            )
            for files, place, name in parts:
                for file in files:
                    inner = os.path.relpath(file.path, note.place / name)
                    target = place / inner
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file.path, target)
            write_json(partial / "taken.json", asdict(answer))


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
