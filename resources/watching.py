"""When sensors look at traffic and feeds, and where they may tell of a failure."""

import os

import dagster as dg
from pydantic import Field

from deepward.errors import UsageError

EVERY = 100
FEED_MINUTES = 60
LAUNDERED = "DEEPWARD_TRAFFIC_LAUNDERED"
_YES_OR_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class Watching(dg.ConfigurableResource):  # type: ignore[type-arg]
    """How often traffic is looked at, and where word of failures may go.

    Attributes:
        every: rows that are new in the traffic log before `drift_report` is asked for; 0: as
            `DEEPWARD_DRIFT_EVERY` says, or 100.
        private_hosts: hosts that `DEEPWARD_FAILURE_WEBHOOK` may name though they are not public.
    """

    every: int = 0
    private_hosts: list[str] = Field(default_factory=list)

    @property
    def laundered(self) -> bool:
        """Whether traffic is scaled or compressed on its way: `DEEPWARD_TRAFFIC_LAUNDERED`.

        Raises:
            UsageError: the setting is neither 1 nor 0.
        """
        text = os.environ.get(LAUNDERED) or "0"
        if text.lower() not in _YES_OR_NO:
            raise UsageError(f"{LAUNDERED} is {text!r}: give 1 or 0.")
        return _YES_OR_NO[text.lower()]

    @property
    def feed_minutes(self) -> int:
        """Between two readings of the feeds that may be read: `DEEPWARD_FEED_MINUTES`, or 60.

        Raises:
            UsageError: the setting is no number from 1 on.
        """
        text = os.environ.get("DEEPWARD_FEED_MINUTES") or str(FEED_MINUTES)
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(
                f"DEEPWARD_FEED_MINUTES is {text!r}: give the minutes, from 1 on, between two "
                "readings of the feeds."
            )
        return int(text)

    @property
    def rows(self) -> int:
        """`every`, or the setting.

        Raises:
            UsageError: the setting is no number from 1 on.
        """
        if self.every > 0:
            return self.every
        text = os.environ.get("DEEPWARD_DRIFT_EVERY") or str(EVERY)
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(
                f"DEEPWARD_DRIFT_EVERY is {text!r}: give the number of new rows, from 1 on, after "
                "which the drift report is made again."
            )
        return int(text)
