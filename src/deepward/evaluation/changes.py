"""What changed since the last champion, and why that was released or refused."""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["changes"]

MOST = 10  # decisions of the history that are listed, the latest
_ORDER = ("evidence", "audit", "card", "first_release", "new_domain", "known_domain")


def changes(releases: Sequence[Mapping[str, Any]], shown: Sequence[str]) -> dict[str, Any] | None:
    """The decision that matters to a reader, and those before it; None where there is none.

    Args:
        releases: every decision in order, as `Release.as_dict` gives them.
        shown: content hashes of the detectors that the report shows, the newest last.

    Returns:
        `decision`: the latest about the newest detector of which there is one; `rival`: what it
        was compared with, if anything; `refusals` and `passed`: its checks, those about what is
        new first; `learned`: domains that were new to it; `history`: the latest decisions, newest
        first; `more`: how many older there are.
    """
    about = [
        entry for digest in reversed(shown) for entry in releases if entry["content_hash"] == digest
    ]
    if not about:
        return None
    newest = about[0]["content_hash"]
    decision = [entry for entry in about if entry["content_hash"] == newest][-1]
    checks = sorted(decision["checks"], key=_place)
    known = {entry["content_hash"]: entry for entry in releases if entry["released"]}
    return {
        "decision": decision,
        "rival": known.get(decision["champion"]),
        "refusals": [check for check in checks if not check["passed"]],
        "passed": [check for check in checks if check["passed"]],
        "learned": sorted({c["domain"] for c in checks if c["name"] == "new_domain"}),
        "history": [{**entry, "why": _why(entry)} for entry in reversed(list(releases)[-MOST:])],
        "more": max(len(releases) - MOST, 0),
    }


def _place(check: Mapping[str, Any]) -> tuple[int, str]:
    name = check["name"]
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), check["domain"])


def _why(entry: Mapping[str, Any]) -> str:
    """One sentence: the first refusal, or what is new and better, or what was said by hand."""
    checks = sorted(entry["checks"], key=_place)
    if entry["how"] == "gate":
        wanted = [c for c in checks if c["passed"] == entry["released"]]
        new = [c for c in wanted if not c["passed"] or c["name"] in ("new_domain", "first_release")]
        if new or wanted:
            return str((new or wanted)[0]["said"])
    return str(entry["reasons"][0]) if entry["reasons"] else ""
