"""The manifest of a domain: one row per file: what it is, where it belongs, why it is not used.

The same files give the same Parquet bytes, whatever the number of workers, the files' dates, or
how often the scan was interrupted.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from deepward.domains.layout import SPLITS
from deepward.errors import DomainError
from deepward.files import atomic_file, canonical_json, sha256_bytes
from deepward.intake.walk import unescape_path

__all__ = ["MANIFEST_COLUMNS", "MANIFEST_SCHEMA", "Manifest"]

MANIFEST_SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative, posix; see layout.escape_path
        ("content_hash", pa.string()),  # SHA-256 of the file
        ("perceptual_hash", pa.string()),  # 256 bits, hex
        ("label", pa.int64()),  # 0 real, 1 fake
        ("technique", pa.string()),
        ("content", pa.string()),  # what is shown, as the folders above the class say
        ("split", pa.string()),
        ("width", pa.int64()),  # upright, after EXIF rotation
        ("height", pa.int64()),
        ("mode", pa.string()),
        ("container", pa.string()),
        ("quality", pa.int64()),  # JPEG only
        ("subsampling", pa.string()),  # JPEG only
        ("quantization", pa.string()),  # JPEG only
        ("metadata_bytes", pa.int64()),
        ("bytes", pa.int64()),
        ("seconds", pa.float64()),  # of a sound, as its file says; this and the next: sounds only
        ("rate", pa.int64()),  # samples per second in the file
        ("channels", pa.int64()),
        ("codec", pa.string()),
        ("samples", pa.int64()),  # that are judged, at 16 kHz, after preparation
        ("group", pa.string()),  # what was made of one base image or recording shares it
        ("quarantine", pa.string()),  # see reasons.REASONS; null: usable
        ("notes", pa.string()),  # see reasons.NOTES; space-separated
    ]
)
MANIFEST_COLUMNS: tuple[str, ...] = tuple(MANIFEST_SCHEMA.names)
_SOUND_COLUMNS = ("seconds", "rate", "channels", "codec", "samples")
_VERSION = "2"


@dataclass(frozen=True, eq=False)
class Manifest:
    """Every file of one domain.

    Attributes:
        domain: the domain's name.
        root: the domain's folder.
        table: one row per file, sorted by path; the columns are `MANIFEST_COLUMNS`.
        declared_splits: True when the folder itself has train/val/test folders.
        strays: paths in the domain's metadata that fit no file.
        medium: of its files, "image" or "audio".
    """

    domain: str
    root: Path
    table: pd.DataFrame
    declared_splits: bool
    strays: tuple[str, ...] = ()
    medium: str = "image"

    def usable(self, split: str | None = None) -> pd.DataFrame:
        """Rows without quarantine, of one split or of all; `label` and sizes are plain int64."""
        if split is not None and split not in SPLITS:
            raise DomainError(f"There is no split {split!r}; the splits are {', '.join(SPLITS)}.")
        rows = self.table[self.table["quarantine"].isna()]
        if split is not None:
            rows = rows[rows["split"] == split]
        known = ("width", "height", "metadata_bytes")
        if self.medium == "audio":
            known = ("rate", "channels", "samples")
        plain = dict.fromkeys(("label", "bytes", *known), "int64")
        return rows.reset_index(drop=True).astype(plain)

    def counts(self) -> dict[str, dict[str, int]]:
        """Usable files per split and class, and under "quarantined" files per reason."""
        rows = self.usable()
        counts = {}
        for split in SPLITS:
            labels = rows.loc[rows["split"] == split, "label"]
            if len(labels):
                counts[split] = {"real": int((labels == 0).sum()), "fake": int((labels == 1).sum())}
        reasons = self.table["quarantine"].dropna().value_counts().sort_index()
        counts["quarantined"] = {str(reason): int(number) for reason, number in reasons.items()}
        return counts

    def file(self, path: str) -> Path:
        """The file that a row's `path` stands for (right for undecodable names too)."""
        return self.root / unescape_path(path)

    @cached_property
    def content_hash(self) -> str:
        """Hash of the table: the version of the data. Independent of where the folder lies."""
        values = _to_arrow(self).to_pydict()
        if self.medium == "image":  # their versions are those of before there were sounds
            values = {name: v for name, v in values.items() if name not in _SOUND_COLUMNS}
        return sha256_bytes(canonical_json([self.domain, self.declared_splits, values]).encode())

    def write(self, path: Path) -> None:
        """Writes Parquet, atomically; the same table gives the same bytes."""
        with atomic_file(path) as partial:
            pq.write_table(_to_arrow(self), partial, compression="zstd")

    @classmethod
    def read(cls, path: Path, root: Path) -> "Manifest":
        """Reads what `write` wrote; `root` is where the domain's folder lies now.

        Raises:
            DomainError: the file is missing, damaged, or from another version.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise DomainError(
                f"The manifest {path} cannot be read ({error}); scan again."
            ) from None
        facts = table.schema.metadata or {}
        if facts.get(b"deepward.manifest") != _VERSION.encode():
            raise DomainError(f"{path} is no manifest of this version; scan the domain again.")
        return cls(
            domain=facts[b"domain"].decode(),
            root=root,
            table=to_pandas(table),
            declared_splits=facts[b"declared_splits"] == b"1",
            strays=tuple(json.loads(facts[b"strays"])),
            medium=facts.get(b"medium", b"image").decode(),
        )


def _to_arrow(manifest: Manifest) -> pa.Table:
    table = pa.Table.from_pandas(
        manifest.table[list(MANIFEST_COLUMNS)], schema=MANIFEST_SCHEMA, preserve_index=False
    )
    return table.replace_schema_metadata(
        {
            "deepward.manifest": _VERSION,
            "domain": manifest.domain.encode(errors="backslashreplace"),
            "declared_splits": str(int(manifest.declared_splits)),
            "strays": json.dumps(manifest.strays),
            "medium": manifest.medium,
        }
    )


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Arrow to pandas with nullable integers, so that a missing size doesn't turn into floats."""
    for name in _SOUND_COLUMNS:  # files of before there were sounds
        if name not in table.column_names:
            field = MANIFEST_SCHEMA.field(name)
            table = table.append_column(field, pa.nulls(len(table), field.type))
    frame = table.select(list(MANIFEST_COLUMNS)).to_pandas(
        types_mapper=lambda kind: pd.Int64Dtype() if pa.types.is_int64(kind) else None,
        ignore_metadata=True,
    )
    assert isinstance(frame, pd.DataFrame)
    return frame
