"""What a hit must be, the same for both parts of the index."""

import re
from dataclasses import dataclass

from deepward.errors import UsageError

__all__ = ["EVERYTHING", "Filters"]

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True)
class Filters:
    """What a hit must be; empty fields allow everything.

    Attributes:
        techniques: slugs; a document that names one of them.
        kinds: kinds of source.
        since, until: ISO dates of publication, inclusive; documents without a date are left out.
    """

    techniques: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None and not _DATE.fullmatch(value):
                raise UsageError(f"{name} is {value!r}; a date looks like 2024-05-31.")


EVERYTHING = Filters()
