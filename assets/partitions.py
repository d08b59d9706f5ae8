"""Dynamic partitions: a domain is one folder of pictures of one origin, a technique one way of
making fakes."""

import warnings

import dagster as dg

# One of the things that this project needs is marked beta; everything else stays loud.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", category=dg.BetaWarning)

# Dagster reads "a...b" as a range of partitions, and control characters break its pages.
_FORBIDDEN = ("...", "\a", "\b", "\f", "\n", "\r", "\t", "\v", "\0")

domain_partitions = dg.DynamicPartitionsDefinition(name="domain")
technique_partitions = dg.DynamicPartitionsDefinition(name="technique")

# One run for any number of domains: PyTorch and the detector are loaded once.
every_domain_at_once = dg.BackfillPolicy.single_run()


def can_be_partition(name: str) -> bool:
    """Whether Dagster takes a folder's name as a partition; undecodable names it does not."""
    return name.isprintable() and not any(bad in name for bad in _FORBIDDEN)
