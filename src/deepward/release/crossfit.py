"""Few specimens, all of them used: what a challenger says of samples that it was fitted on, unseen.

A domain of twenty specimens has four to test on. The champion has met none of the twenty, and the
challenger's closed forms say of each what the fit without it would: so all can be compared.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from deepward.detectors import Detector
from deepward.domains import ImageSet
from deepward.pictures.launder import LaunderedImages

__all__ = ["FEW", "cross_fitted"]

FEW = 100  # test pictures from which a domain is measured on these alone


def cross_fitted(challenger: Detector, champion: Detector, data: ImageSet) -> pd.DataFrame | None:
    """Scores of both on all pictures of a domain, clean and laundered, none seen by a fit.

    Args:
        challenger: has learned from some of the pictures.
        champion: has learned from none.
        data: all usable pictures of the domain.

    Returns:
        A row per picture: path, label, group, `probability_old`, `probability_new` and the same
        `laundered_`; None where a member of the challenger cannot say.
    """
    found = {name: member.unseen() for name, member in challenger.members.items()}
    known: list[dict[tuple[str, bool], float]] = []
    for unseen in found.values():
        if unseen is None:
            return None
        mine = np.flatnonzero(np.isin(unseen.domains, data.domains))
        rows = zip(unseen.keys[mine].tolist(), unseen.twin[mine].tolist(), strict=True)
        known.append(dict(zip(rows, unseen.logits[mine].tolist(), strict=True)))
    table = pd.DataFrame(
        {"path": data.paths, "label": data.labels, "group": data.groups.astype(str)}
    )
    for side, twin in (("", False), ("laundered_", True)):
        pixels = LaunderedImages(data.pixels) if twin else data.pixels
        table[f"{side}probability_old"] = champion.predict(pixels).probability
        new = challenger.predict(pixels).logit
        places = [(key, twin) for key in data.hashes]
        left_out = np.array([all(place in each for each in known) for place in places])
        unseen_logits = {
            name: np.array([each.get(place, 0.0) for place in places])
            for name, each in zip(found, known, strict=True)
        }
        joined: NDArray[np.float64] = challenger.combination.logit(unseen_logits)
        table[f"{side}probability_new"] = expit(np.where(left_out, joined, new))
    return table
