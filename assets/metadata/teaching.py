"""What is shown of the teaching table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assets.metadata import interval_text, table

if TYPE_CHECKING:
    from deepward.evaluation.teaching import Lesson


def teaching_metadata(lessons: "Sequence[Lesson]") -> dict[str, Any]:
    """The table, and how many of its cells teach."""
    rows = [
        [
            each.engine,
            each.family,
            each.domain,
            each.fakes,
            each.before.value,
            each.after.value,
            each.gain.value,
            interval_text(each.gain.interval),
            "teaches" if each.teaches else "",
        ]
        for each in lessons
    ]
    header = ["engine", "family", "specimens of", "fakes shown", "AUC without", "AUC with"]
    return {
        "lessons": len(lessons),
        "that_teach": sum(each.teaches for each in lessons),
        "table": table([*header, "difference", "its interval", "verdict"], rows),
    }
