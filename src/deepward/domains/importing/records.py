"""What an importer is: it finds records in files from elsewhere, and says where each came from."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Fields", "Importer", "Record", "Span", "meaning_of"]

_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Fields:
    """Which fields of a record say what; each format has its own names for them.

    Attributes:
        image: of the picture's bytes; "" for what is usual in the format.
        label: of the class; "" for what is usual in the format.
        fake, real: values of it, compared as text without regard to case.
        constant: 0 real or 1 fake: the label of all records, whatever they say; None to read it.
        technique, group, split: "" where no field says so; a split may stand in a file's name.
    """

    image: str = ""
    label: str = ""
    fake: tuple[str, ...] = ("1", "fake", "true", "1_fake")
    real: tuple[str, ...] = ("0", "real", "false", "0_real", "original")
    constant: int | None = None
    technique: str = ""
    group: str = ""
    split: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Fit for JSON; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Fields":
        """Reads what `as_dict` gave, also after a journey as JSON."""
        lists = {name: tuple(values[name]) for name in ("fake", "real")}
        return cls(**{**values, **lists})

    def label_of(self, value: Any) -> int | None:
        """0 real, 1 fake, None where the value means neither."""
        if self.constant is not None:
            return self.constant
        word = as_text(value).strip().lower()
        if word in {each.lower() for each in self.fake}:
            return 1
        return 0 if word in {each.lower() for each in self.real} else None


@dataclass(frozen=True)
class Span:
    """Records that are read together.

    Attributes:
        first: number of the first of them in its file, from 0.
        count: of records; None where that is known only after reading.
        place: where they lie, as the format counts: a byte, or a batch.
        end: the byte after them, or the number of the batch after; 0 for the end of the file.
    """

    first: int
    count: int | None
    place: int
    end: int = 0


@dataclass(frozen=True)
class Record:
    """One record of a file, or why it gives nothing.

    Attributes:
        number: in its file, from 0.
        data: bytes of the picture's file.
        values: label, technique, group, split: what the fields say, as the file has it.
        reason: short code; "" where there are data.
        detail: a sentence for it.
    """

    number: int
    data: bytes = b""
    values: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""


class Importer(Protocol):
    """A format. Both functions run in a watched process: what they read is from outside."""

    def spans(self, source: Path, fields: Fields) -> Iterator[Span]:
        """Cuts a file into parts of some megabytes, without reading what is in them.

        Raises:
            UnreadableFile: it is no file of this format.
        """
        ...

    def records(self, source: Path, span: Span, fields: Fields) -> Iterator[Record]:
        """The records of a part, in order, each with data or a reason."""
        ...


def meaning_of(value: str) -> str | None:
    """train, val or test for the usual names of splits; None for any other."""
    return _SPLITS.get(value.strip().lower())


def as_text(value: Any) -> str:
    """A value of a field as text: bytes are decoded, 1.0 is 1."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)
