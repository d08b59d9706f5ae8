"""Items of feeds that tell of a new way of making fakes, as notes.

Most of what feeds bring tells of no technique: they find fakes, or survey them. A candidate bears a
name of its own before a colon or dash, as papers and releases of tools do, does not speak of
finding fakes in its title, and uses the words of a technique that the taxonomy knows. Whether it is
new is decided as of every note, by its names and its description.
"""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deepward.files import atomic_file
from deepward.inbox.box import Inbox
from deepward.inbox.notes import Note, read_note, slug_of

__all__ = ["candidate_note", "put_candidate"]

_NAMED = re.compile(r"^\s*([^:–—]{2,60}?)\s*(?::|\s[–—-])\s+\S")
_MOST_WORDS = 4
_LONGEST = 4000  # characters of an item's text that a note keeps
# A word as names of methods are spelt: with a figure, or a capital after its first letter.
_SPELT = re.compile(r"\b(?=[^\W_])(?:\w*\d\w*|\w+[A-Z]\w*)(?:[+-]\w*)*")
_FINDING = re.compile(
    r"\b(detect\w*|forensic\w*|defen[cs]e\w*|defend\w*|benchmark\w*|data ?sets?|survey\w*|review\w*"
    r"|watermark\w*|attribution|provenance|localiz\w*|counter\w*|challenge\w*|workshop\w*"
    r"|anti-?spoof\w*|identif\w*|recogni\w*)\b",
    re.IGNORECASE,
)


def candidate_note(title: str, text: str, *, url: str = "", date: str = "") -> str:
    """The note that an item makes, Markdown with its facts in front; "" where it makes none.

    Args:
        title, text: of the item: data, never obeyed.
        url: where it is from.
        date: of it.
    """
    import yaml

    from deepward.techniques.taxonomy import load_taxonomy

    found = _NAMED.match(title)
    name = " ".join(found.group(1).split()) if found else ""
    if not name or len(name.split()) > _MOST_WORDS or not _SPELT.search(name):
        return ""
    if _FINDING.search(title) or not slug_of(name):
        return ""
    words = f"{title}\n{text[:_LONGEST]}"
    if not any(each.mentions.search(words) for each in load_taxonomy().techniques.values()):
        return ""
    facts = {"name": name, "date": date, "source": url}
    head = yaml.safe_dump(
        {key: value for key, value in facts.items() if value}, allow_unicode=True, sort_keys=False
    )
    return f"---\n{head}---\n{words.strip()}\n"


def put_candidate(inbox: Inbox, note: str, known: Sequence[str]) -> Note | None:
    """Puts a candidate into the inbox, unless its technique is known or its name waits there.

    Args:
        inbox: to put it into.
        note: as `candidate_note` gives it.
        known: slugs of techniques that are known.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "note.md"
        file.write_text(note, encoding="utf-8")
        found = read_note(file)
        taken = any(found.names & set(answer.names) for answer in inbox.answers())
        target = inbox.waiting_folder / f"{found.slug}.md"
        waits = target.exists() or (inbox.waiting_folder / found.slug).exists()
        if taken or waits or inbox.known_as(found, known):
            return None
        inbox.waiting_folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as partial:
            partial.write_text(note, encoding="utf-8")
    return read_note(target)
