"""Numbers in the sentences of the gate."""

import math

from deepward.metrics.intervals import Estimate

__all__ = ["gain_text", "number_text", "percent_text"]


def number_text(estimate: Estimate) -> str:
    """ "0.912 [0.880, 0.941]"."""
    if estimate.value is None:
        return "unknown"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def gain_text(estimate: Estimate) -> str:
    """ "difference +0.012 [-0.003, +0.030]"."""
    value = 0.0 if estimate.value is None else estimate.value
    if estimate.low is None or estimate.high is None:
        return f"difference {value:+.3f}"
    return f"difference {value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def percent_text(estimate: Estimate) -> str:
    """ "4.5 % [2.0, 8.1]"."""
    value, low, high = (
        math.nan if v is None else 100 * v for v in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"
