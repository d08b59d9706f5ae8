"""What a hit must be, the same for both parts of the index."""

import datetime
from dataclasses import dataclass
from functools import cached_property

from deepward.errors import UsageError
from deepward.knowledge.dates import Days

__all__ = ["EVERYTHING", "Filters"]


@dataclass(frozen=True)
class Filters:
    """What a hit must be; empty fields allow everything.

    Attributes:
        techniques: slugs; a document that names one of them.
        kinds: kinds of source.
        since, until: ISO dates of publication (a day, a month or a year), inclusive: a document
            must have been published, as far as its own date tells, on one of the days from the
            first of `since` to the last of `until`. Documents without a date are left out.
    """

    techniques: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    since: str | None = None
    until: str | None = None

    def __post_init__(self) -> None:
        if self.days is not None and self.days.first > self.days.last:
            raise UsageError(f"since {self.since} is later than until {self.until}.")

    @cached_property
    def days(self) -> Days | None:
        """Between which days a document must have been published; None where any will do."""
        if self.since is None and self.until is None:
            return None
        first = self._days("since", self.since).first if self.since is not None else None
        last = self._days("until", self.until).last if self.until is not None else None
        return Days(first or datetime.date.min, last or datetime.date.max)

    @staticmethod
    def _days(name: str, value: str) -> Days:
        try:
            return Days.parse(value)
        except ValueError as error:
            raise UsageError(f"{name} is no date: {error}") from None


EVERYTHING = Filters()
