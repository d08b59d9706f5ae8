"""Co-occurrence of residuals: the finest statistics of a picture at its native resolution."""

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.statistics.base import Floats
from deepward.detectors.statistics.per_picture import PerPicture
from deepward.detectors.statistics.residuals import luma_chroma, shares, triples

__all__ = ["Cooccurrence", "cooccurrence"]


def cooccurrence(image: NDArray[np.uint8]) -> Floats:
    """Root frequencies of residual triples, per colour plane and filter.

    Residuals of three high-pass filters are quantized to five levels; runs of three along and
    across are counted, with sign and direction merged (SPAM: Pevny et al., TIFS 2010; on colour
    planes for generated pictures: Li et al., Signal Processing 2020). Length 1,125.
    """
    return shares(triples(luma_chroma(image))[:, 0]).ravel()


class Cooccurrence(PerPicture):
    """`cooccurrence` of each picture; mirrored pictures have the same."""

    name = "cooccurrence"
    version = "cooccurrence-1"

    def of_one(self, image: NDArray[np.uint8]) -> Floats:
        return cooccurrence(image)
