"""Dates as documents and people give them: a day, a month or a year, each an interval of days."""

import datetime
import re
from calendar import monthrange
from dataclasses import dataclass

__all__ = ["Days", "iso_date"]

_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?")


@dataclass(frozen=True)
class Days:
    """The days from `first` to `last`, both included."""

    first: datetime.date
    last: datetime.date

    @classmethod
    def parse(cls, text: str) -> "Days":
        """Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`: all days of that year or month, or the one.

        Raises:
            ValueError: it is written in another way, or no calendar has such a day.
        """
        match = _DATE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not written like 2024, 2024-05 or 2024-05-31.")
        year, month, day = (int(part) if part else None for part in match.groups())
        assert year is not None
        try:
            first = datetime.date(year, 1 if month is None else month, 1 if day is None else day)
        except ValueError as error:
            raise ValueError(f"{text!r} is in no calendar: {error}.") from None
        if day is not None:
            return cls(first, first)
        ends = 12 if month is None else month
        return cls(first, first.replace(month=ends, day=monthrange(year, ends)[1]))

    def meets(self, other: "Days") -> bool:
        """Whether the two have a day in common."""
        return self.first <= other.last and other.first <= self.last


def iso_date(value: object) -> str | None:
    """A date as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`, from a date or from text that begins with one.

    None for anything else, and for days that no calendar has.
    """
    if isinstance(value, datetime.date):  # or its subclass datetime
        return value.isoformat()[:10]
    match = re.match(rf"\s*({_DATE.pattern})(?!\d)", str(value or "")[:40])
    if match is None:
        return None
    try:
        Days.parse(match[1])
    except ValueError:
        return None
    return match[1]
