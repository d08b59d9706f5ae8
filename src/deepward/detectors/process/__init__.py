"""Gaussian-process heads over statistics, one per family of fakes, on a bank of described samples.

frame    statistics to compact rows, frozen at the first stage
bank     the rows, with what is known of each
kernel   similarity of rows
head     one family's fakes against the reals of all domains, with leave-one-out
solver   fits heads on a bank
fitted   all heads of a bank, and how they are heard
joint    heads joined into one log-odds
families which source classes share a head
member   all of it as one member
"""

from deepward.detectors.process.member import ProcessConfig, ProcessMember

__all__ = ["ProcessConfig", "ProcessMember"]
