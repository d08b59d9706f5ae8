"""What is shown of what agents wrote: the report, its patterns, the prompts."""

from collections.abc import Mapping
from typing import Any

from assets.metadata import table, written

MOST_CHARACTERS = 40_000  # of a report in metadata


def report_metadata(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The report itself, its patterns, and what it took to write."""
    calls = facts["calls"]
    columns = ["id", "region", "source_state", "target_state", "difficulty", "status", "chunk_ids"]
    rows = [[_words(pattern[c]) for c in columns] for pattern in facts["patterns"]]
    return {
        "report": written(facts["report"], MOST_CHARACTERS),
        "claims": facts["claims"],
        "patterns": len(facts["patterns"]),
        "attack_patterns": table(columns, rows),
        "passages_cited": facts["cited"],
        "calls": len(calls),
        "tokens_in": sum(call.get("tokens_in") or 0 for call in calls),
        "tokens_out": sum(call.get("tokens_out") or 0 for call in calls),
    }


def prompt_metadata(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The edit specs."""
    columns = ["id", "region", "operation", "positive_prompt", "negative_prompt", "strength"]
    rows = [[_words(spec[column]) for column in columns] for spec in facts["prompts"]]
    return {"prompts": len(rows), "edit_specs": table(columns, rows)}


def _words(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
