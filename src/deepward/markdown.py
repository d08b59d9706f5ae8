"""Text of strangers as Markdown that shows it and does nothing else."""

import re
from collections.abc import Iterable, Sequence

from deepward.files import visible

__all__ = ["bullets", "escaped", "quoted", "table"]

_MARKS = re.compile(r"([\\`*_{}\[\]|~$^])")
_BLOCK = re.compile(r"^([-+#=:>]|\d{1,9}(?=[.)]))")  # list, heading, rule; only at the beginning
# GitHub and others turn bare addresses into links. An invisible joiner in them prevents that, where
# a backslash would not: it is gone before addresses are looked for.
_JOINER = "\u2060"
_ADDRESS = re.compile(r"(?<=\w)\.(?=[A-Za-z]{2})|:(?=//)|(?<=mailto):|(?<=xmpp):|@", re.IGNORECASE)


def escaped(text: str, most: int = 2000) -> str:
    """One line that Markdown and HTML render as these very words: no link, tag, table or heading.

    Args:
        text: of anybody.
        most: characters that are kept.
    """
    line = " ".join(visible(text).split())
    line = line if len(line) <= most else line[: most - 1] + "…"
    line = _ADDRESS.sub(lambda match: match.group() + _JOINER, line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _MARKS.sub(r"\\\1", line)
    return _BLOCK.sub(lambda match: _entity(match.group()), line)


def quoted(text: str, most: int = 500) -> str:
    """A code span that shows an address or a path as it is; nothing in it can end it early."""
    line = " ".join(visible(text).split())[:most]
    runs = re.findall(r"`+", line)
    fence = "`" * (max(map(len, runs), default=0) + 1)
    space = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{space}{line}{space}{fence}" if line else "–"


def bullets(lines: Iterable[str]) -> str:
    """A list of lines of anybody."""
    return "\n".join(f"- {escaped(line)}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already, without a bare `|`."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _entity(mark: str) -> str:
    return f"&#{ord(mark[0])};{mark[1:]}"
