"""What is shown of a decision about a challenger, and of those before it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assets.metadata import listed, table

if TYPE_CHECKING:
    from deepward.release import Release

_SHOWN = 20


def release_metadata(made: "Release", entries: Sequence["Release"], version: str) -> dict[str, Any]:
    """The decision, its checks, and the latest of the history."""
    checks = [
        [check["name"], check["domain"], "passed" if check["passed"] else "REFUSED", check["said"]]
        for check in made.checks
    ]
    history = [
        [
            each.number,
            each.made_at,
            "released" if each.released else "refused",
            each.detector,
            each.subject,
            each.time_to_defence,
        ]
        for each in entries[-_SHOWN:]
    ]
    found: dict[str, Any] = {
        "released": made.released,
        "challenger": made.detector,
        "champion_version": made.version,
        "reasons": listed(made.reasons),
        "checks": table(["check", "domain", "answer", "what was found"], checks),
        "history": table(
            ["decision", "when", "what", "detector", "answers", "seconds since the news"], history
        ),
    }
    if version:
        found["registered_version"] = version
    if made.time_to_defence is not None:
        found["time_to_defence"] = made.time_to_defence
    return found
