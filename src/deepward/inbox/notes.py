"""A note about a technique: Markdown with a few facts in front, and pictures somebody found.

techniques/x.md               a note alone, or …
techniques/x/note.md          … a folder of it,
techniques/x/specimens/**     fakes that were found (optional),
techniques/x/reals/**         real pictures of the same kind and origin (optional)

---
name: FaceFusion 5            required
aliases: [facefusion-v5]
date: 2026-11-20
source: https://…
licence: CC-BY-4.0            of the pictures
---
What it does, in words. This is data: nothing in it is ever obeyed.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepward.errors import InboxError
from deepward.files import sha256_bytes
from deepward.intake.walk import FoundFile, walk

__all__ = ["NOTE", "REALS", "SPECIMENS", "Note", "read_note", "slug_of"]

NOTE, SPECIMENS, REALS = "note.md", "specimens", "reals"
_MOST_BYTES = 1_000_000
_MOST_WORDS = 80  # characters of a slug


@dataclass(frozen=True)
class Note:
    """What a note says, and what came with it.

    Attributes:
        slug: the technique's name as other parts spell it.
        name: as the note has it.
        aliases: other names.
        date, source, licence: as the note has them; "" where it does not say.
        text: the note without the facts in front.
        place: the note's file, or its folder.
        specimens: fakes that were found.
        reals: real pictures of the same kind.
    """

    slug: str
    name: str
    aliases: tuple[str, ...]
    date: str
    source: str
    licence: str
    text: str
    place: Path
    specimens: tuple[FoundFile, ...]
    reals: tuple[FoundFile, ...]

    @property
    def names(self) -> frozenset[str]:
        """Slugs of all its names."""
        return frozenset({self.slug, *map(slug_of, self.aliases)} - {""})

    @property
    def file(self) -> Path:
        """The note itself."""
        return self.place / NOTE if self.place.is_dir() else self.place

    @property
    def newest(self) -> float:
        """Latest change of anything that belongs to it, seconds since the epoch."""
        files = [self.file.stat().st_mtime_ns, *(f.stat[1] for f in self.specimens + self.reals)]
        return max(files) / 1e9


def slug_of(name: str) -> str:
    """A name in lower case, words joined by hyphens; "" where nothing is left of it."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "-".join(re.findall(r"[^\W_]+", plain))[:_MOST_WORDS].strip("-")


def read_note(place: Path) -> Note:
    """Reads a note.

    Args:
        place: a Markdown file, or a folder with `note.md`.

    Raises:
        InboxError: it is no note, says no name, or holds what cannot be text.
    """
    from deepward.knowledge.reading.markdown import split_front_matter

    file = place / NOTE if place.is_dir() else place
    if not file.is_file() or file.suffix.lower() not in {".md", ".markdown"}:
        raise InboxError(
            f"{place.name} is no note: a Markdown file is expected, or a folder with {NOTE}."
        )
    if file.stat().st_size > _MOST_BYTES:
        raise InboxError(f"{file.name} is longer than a note: {file.stat().st_size:,} bytes.")
    data = file.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InboxError(f"{file.name} is not UTF-8 text ({error}).") from None
    facts, body = split_front_matter(text)
    name = _line(facts, "name") or _line(facts, "title")
    slug = slug_of(name)
    if not slug:
        raise InboxError(
            f"{file.name} does not say what the technique is called. Begin it with\n"
            "---\nname: …\n---"
        )
    aliases = facts.get("aliases") or ()
    listed = [aliases] if isinstance(aliases, str) else aliases
    if not isinstance(listed, list | tuple):
        raise InboxError(f"The aliases in {file.name} are no list of names.")
    return Note(
        slug=slug,
        name=name,
        aliases=tuple(str(alias)[:200] for alias in listed[:50]),
        date=_line(facts, "date"),
        source=_line(facts, "source"),
        licence=_line(facts, "licence") or _line(facts, "license"),
        text=body.strip(),
        place=place,
        specimens=_files(place / SPECIMENS),
        reals=_files(place / REALS),
    )


def note_hash(note: Note) -> str:
    """Changes when the note or any file that came with it does."""
    files = [(file.path, *file.stat) for file in (*note.specimens, *note.reals)]
    return sha256_bytes(note.file.read_bytes() + repr(files).encode())


def _line(facts: Mapping[str, Any], key: str) -> str:
    value = facts.get(key)
    return "" if value is None else " ".join(str(value).split())[:300]


def _files(folder: Path) -> tuple[FoundFile, ...]:
    """What may be opened below a folder; links that lead out of it may not."""
    if not folder.is_dir():
        return ()
    return tuple(file for file in walk(folder) if file.reason is None)
