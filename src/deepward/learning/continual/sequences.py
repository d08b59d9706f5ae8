"""In which order domains are learned: named sequences, files, lists, dates, or names.

A sequence file has one stage a line; domains of one stage are joined by "+", and "#" begins a
remark. Names agree whatever their case and punctuation: "FaceForensics++" is "faceforensics".
"""

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from deepward.errors import UsageError

__all__ = ["NAMED", "Sequenced", "by_date", "domain_date", "read_sequence", "startable"]

NAMED = ("short", "long", "review", "cddb_hard")
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Sequenced:
    """Stages in their order.

    Attributes:
        groups: the domains of each stage, as their folders are called.
        missing: names that the sequence has and no folder.
        origin: where the order comes from, in words.
    """

    groups: Groups
    missing: tuple[str, ...] = ()
    origin: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """All domains, stage after stage."""
        return tuple(name for group in self.groups for name in group)

    def only(self, names: Container[str]) -> "Sequenced":
        """The same order of some of the domains."""
        kept = (tuple(name for name in group if name in names) for group in self.groups)
        return replace(self, groups=tuple(group for group in kept if group))


def read_sequence(words: str, there: Sequence[str]) -> Sequenced:
    """Stages out of "a,b+c", the name of a shipped sequence, or a file.

    Args:
        words: as a user writes them.
        there: names of the domains that there are. Of a shipped sequence and of a file what is
            missing is left out and named; a list that somebody wrote out must be there.

    Raises:
        UsageError: the file cannot be read, a domain stands in it twice, one that was listed is
            not there, or none is.
    """
    path = Path(words)
    if words in NAMED:
        text = resources.files("deepward.learning.continual").joinpath("named", f"{words}.txt")
        wanted, origin = _lines(text.read_text(encoding="utf-8")), f"sequence {words}"
    elif path.suffix and path.is_file():
        try:
            wanted, origin = _lines(path.read_text(encoding="utf-8")), str(path)
        except (OSError, ValueError) as error:
            raise UsageError(f"The sequence {path} cannot be read ({error}).") from None
    else:
        wanted, origin = _split(words.split(",")), "listed"
    names = [name for group in wanted for name in group]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"A domain is learned once: {', '.join(twice)} stands there twice.")
    folders = {_plain(name): name for name in there} | {name: name for name in there}
    found = [[folders.get(n) or folders.get(_plain(n)) for n in group] for group in wanted]
    missing = tuple(n for n in names if not (folders.get(n) or folders.get(_plain(n))))
    groups = tuple(tuple(n for n in group if n) for group in found if any(group))
    if not groups or (missing and origin == "listed"):
        raise UsageError(
            f"There is no domain {', '.join(missing) or words}; there are: "
            f"{', '.join(there) or 'none'}. Shipped sequences are {', '.join(NAMED)}."
        )
    return Sequenced(groups, missing, origin)


def domain_date(folder: Path) -> str:
    """When a domain's fakes came up: "date" in its `domain.json`, such as "2023-05"; else ""."""
    try:
        return str(json.loads((folder / "domain.json").read_text(encoding="utf-8"))["date"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def by_date(folders: Sequence[Path]) -> Sequenced:
    """One stage a domain: dated ones first, oldest first, then the others by name."""
    dates = {folder.name: domain_date(folder) for folder in folders}
    order = sorted(dates, key=lambda name: (not dates[name], dates[name], name))
    origin = "dates" if any(dates.values()) else "names"
    return Sequenced(tuple((name,) for name in order), (), origin)


def startable(found: Sequenced, both: Container[str]) -> Sequenced:
    """The same order, but the first stage has reals and fakes: one of a class alone starts nothing.

    Args:
        found: an order that nobody asked for by name.
        both: domains that have reals and fakes to learn from.
    """
    able = [group for group in found.groups if any(name in both for name in group)]
    if not able:
        return found
    rest = tuple(group for group in found.groups if group != able[0])
    return replace(found, groups=(able[0], *rest))


def _lines(text: str) -> Groups:
    return _split([line.partition("#")[0] for line in text.splitlines()])


def _split(stages: Sequence[str]) -> Groups:
    """Domains of each stage; a "+" at the end of a name is part of it."""
    groups = []
    for stage in stages:
        joined = stage.strip().replace("++", "\0")
        names = [name.strip().replace("\0", "++") for name in joined.split("+")]
        if names := [name for name in names if name]:
            groups.append(tuple(names))
    return tuple(groups)


def _plain(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
