"""The tables of a few-shot set: all about every sample, and what a domain's scan wants to know.

What was asked and what was done stand side by side: `asked_*` is the edit spec's, `done_*` the
engine's. A `stand_in` says why they differ.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from deepward.files import canonical_json
from deepward.intake.walk import escape_path
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.prompts import RefusedSpec

__all__ = ["SCHEMA", "read_rows", "write_tables"]

SCHEMA = pa.schema(
    [
        ("sample", pa.int64()),
        ("status", pa.string()),  # made, rejected
        ("reason", pa.string()),
        ("message", pa.string()),
        ("split", pa.string()),
        ("role", pa.string()),  # support, query
        ("fake", pa.string()),
        ("original", pa.string()),
        ("mask", pa.string()),
        ("sha256", pa.string()),
        ("original_sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("base", pa.string()),
        ("base_sha256", pa.string()),
        ("base_group", pa.string()),
        ("base_notes", pa.string()),
        ("donor", pa.string()),
        ("donor_sha256", pa.string()),
        ("spec_id", pa.string()),
        ("pattern", pa.string()),
        ("region", pa.string()),
        ("strength", pa.float64()),
        ("spec_seed", pa.int64()),
        ("chunk_ids", pa.list_(pa.string())),
        ("asked_technique", pa.string()),
        ("asked_operation", pa.string()),
        ("asked_positive_prompt", pa.string()),
        ("asked_negative_prompt", pa.string()),
        ("done_engine", pa.string()),  # also the technique that the domain gives the sample
        ("done_prompt", pa.string()),  # none where the engine does not follow it
        ("done_model", pa.string()),
        ("done_model_sha256", pa.string()),
        ("stand_in", pa.string()),
        ("locator", pa.string()),
        ("segmenter", pa.string()),
        ("seed", pa.int64()),
        ("box", pa.list_(pa.float64())),
        ("box_score", pa.float64()),
        ("mask_mode", pa.string()),
        ("mask_share", pa.float64()),
        ("change", pa.float64()),
        ("digital_source_type", pa.string()),
    ]
)

# Fields of an edit spec that the table names otherwise.
_COLUMNS = {
    "id": "spec_id",
    "seed": "spec_seed",
    "technique": "asked_technique",
    "operation": "asked_operation",
    "positive_prompt": "asked_positive_prompt",
    "negative_prompt": "asked_negative_prompt",
}


def write_tables(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    refused: Sequence[RefusedSpec],
    config: SynthesisConfig,
) -> None:
    """Writes `metadata.parquet` and `metadata.jsonl`.

    Args:
        folder: to write into.
        rows: of the samples, in their order.
        refused: entries that were no edit specs; their rows have no sample number.
        config: of the run.
    """
    whole = [_whole(row, config) for row in rows]
    for entry in refused:
        bad = {"status": "rejected", "reason": "bad_spec", "message": entry.message}
        whole.append(bad | {"spec_id": entry.id})
    table = pa.Table.from_pylist(
        [{name: row.get(name) for name in SCHEMA.names} for row in whole], schema=SCHEMA
    )
    pq.write_table(table, folder / "metadata.parquet", compression="zstd")
    groups: dict[str, str] = {}
    for row in rows:
        if row["status"] == "made":
            groups[row["original"]] = groups[row["fake"]] = row["base_group"]
    lines = [{"path": path, "group": group} for path, group in sorted(groups.items())]
    (folder / "metadata.jsonl").write_text(
        "".join(canonical_json(line) + "\n" for line in lines), encoding="utf-8"
    )


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """All rows of a set's table."""
    rows: list[dict[str, Any]] = pq.read_table(folder / "metadata.parquet").to_pylist()
    return rows


def _finding(config: SynthesisConfig) -> dict[str, str]:
    """What found the regions; in voices nothing is looked for."""
    if config.medium == "audio":
        return {}
    return {
        "locator": config.locator,
        "segmenter": config.segmenter,
        "mask_mode": "inverted" if config.inverted else "normal",
    }


def _whole(row: dict[str, Any], config: SynthesisConfig) -> dict[str, Any]:
    spec = {_COLUMNS.get(name, name): value for name, value in row["spec"].items()}
    role = None
    if row["split"] is not None:
        role = "query" if row["split"] == "test" else "support"
    return {
        **spec,
        **{name: value for name, value in row.items() if name != "spec"},
        "role": role,
        "message": escape_path(row["message"]) if "message" in row else None,
        **_finding(config),
    }
