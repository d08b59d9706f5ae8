"""Which source classes of fakes share a head: those that help each other.

Edits by the synthesis engines are one family. Any other class joins the family that finds it
best already, if that one finds it well (transfer, measured on samples before they are
learned); else it begins a family of its own. What a caller names goes before both.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

__all__ = ["EDITS", "TRANSFER", "choose_family", "family_by_name"]

# What the synthesis engines do to a part of a photograph helps each other to be found.
EDITS = "edited part"
_EDITING = frozenset({"resynthesize", "retouch", "self_blend", "splice", "swap"})

TRANSFER = 0.85  # AUC from which a class is taken to be of a family's kind


def family_by_name(domain: str, technique: str, given: Mapping[str, str]) -> str | None:
    """The family of a source class where it is given or known; None: to be measured."""
    known = EDITS if technique.replace("-", "_") in _EDITING else None
    return given.get(technique) or given.get(domain) or known


def choose_family(
    domain: str,
    technique: str,
    fakes: NDArray[np.float64],
    reals: NDArray[np.float64],
    families: tuple[str, ...],
) -> str:
    """The family whose head ranks these fakes best over reals, or a new one.

    Args:
        domain, technique: of the source class; they name a new family.
        fakes: (F, N) what each family's head says of the class's fakes.
        reals: (F, M) what they say of the reals it came with, or of known ones.
        families: names, in the order of the heads.
    """
    if len(families) and reals.shape[1] and fakes.shape[1]:
        pairs = fakes.shape[1] * reals.shape[1]
        found = [
            float(mannwhitneyu(a, b).statistic / pairs) for a, b in zip(fakes, reals, strict=True)
        ]
        best = int(np.argmax(found))
        if found[best] >= TRANSFER:
            return families[best]
    return technique or domain
