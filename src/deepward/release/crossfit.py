"""Few pictures, all of them used: what a detector says of each by fits that had not seen it.

A domain of twenty specimens has four to test on, too few to tell a gain from chance. Closed forms
say of every picture that they were fitted on what the fit without its group would; of the others
the detector itself has seen none. So two detectors can be compared on all pictures of a domain.

What is left out is a picture's group in the fit of each head. Scale, choice of statistics and
calibration rest on these very predictions, which favours a detector that learned the domain a
little over one that did not.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from deepward.detectors import Detector
from deepward.domains import ImageSet
from deepward.media import Laundered

__all__ = ["FEW", "cross_fitted"]

FEW = 100  # test pictures from which a domain is measured on these alone


def cross_fitted(challenger: Detector, champion: Detector, data: ImageSet) -> pd.DataFrame | None:
    """Scores of both on all pictures of a domain, clean and laundered, none seen by a fit.

    Args:
        challenger, champion: either may have learned from some of the pictures.
        data: all usable pictures of the domain.

    Returns:
        A row per picture: path, label, group, `probability_old`, `probability_new` and the same
        `laundered_`; None where a member of one of them cannot say.
    """
    table = pd.DataFrame(
        {"path": data.paths, "label": data.labels, "group": data.groups.astype(str)}
    )
    for age, detector in (("old", champion), ("new", challenger)):
        for side in ("", "laundered_"):
            said = _unseen(detector, data, twin=bool(side))
            if said is None:
                return None
            table[f"{side}probability_{age}"] = said
    return table


def _unseen(detector: Detector, data: ImageSet, *, twin: bool) -> NDArray[np.float64] | None:
    """Probabilities (N,), by fits without the picture's group where it was fitted on."""
    unseen = detector.unseen()
    if unseen is None:
        return None
    mine = np.flatnonzero(np.isin(unseen.domains, data.domains) & (unseen.twin == twin))
    known = dict(zip(unseen.keys[mine].tolist(), unseen.logits[mine].tolist(), strict=True))
    left_out = np.array([known.get(key, np.nan) for key in data.hashes])
    whole = detector.predict(Laundered(data.pixels) if twin else data.pixels).logit
    return np.asarray(expit(np.where(np.isnan(left_out), whole, left_out)))
