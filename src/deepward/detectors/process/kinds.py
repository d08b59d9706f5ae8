"""Of which known domain's kind a sample is, and so which families of fakes are to be expected.

A head that was fitted on portraits says something of a landscape too, and its noise would join what
the head for landscapes says. So the priors of the families depend on the sample: those whose fakes
came with pictures of its kind are heard first, and a share of the priors stays with all of them,
for a known technique may be used on another kind of picture.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

__all__ = ["families_of_domains", "nearness", "priors_by_kind"]

Doubles = NDArray[np.float64]


def nearness(
    similar: NDArray[np.floating], own: Doubles, domains: NDArray[np.str_], names: Sequence[str]
) -> Doubles:
    """Largest similarity to a row of each domain, as a share of a sample's own: (N, D), at most 1.

    Args:
        similar: (N, B) kernel between samples and rows; rows to be left out have -1.
        own: (N,) kernel of each sample with itself.
        domains: (B,) domain of each row.
        names: of the D domains.
    """
    near = [similar[:, domains == name].max(1) for name in names]
    return np.asarray(np.stack(near, 1) / own[:, None], np.float64)


def families_of_domains(
    classes: Mapping[tuple[str, str], str], domains: Sequence[str], families: Sequence[str]
) -> NDArray[np.bool_]:
    """Whether each domain holds fakes of each family, (D, F).

    Args:
        classes: (domain, technique) of fakes to the name of the family.
        domains, families: names, in order.
    """
    held = np.zeros((len(domains), len(families)), np.bool_)
    for (domain, _), family in classes.items():
        held[domains.index(domain), families.index(family)] = True
    return held


def priors_by_kind(
    near: Doubles, held: NDArray[np.bool_], priors: Doubles, stray: float, sharpness: float
) -> Doubles:
    """The share of fakes of each family that is expected of each sample, (F, N), columns of sum 1.

    Args:
        near: (N, D) as `nearness` gives it.
        held: (D, F) as `families_of_domains` gives it; a domain of reals expects all families.
        priors: (F,) of the families, whatever the kind; positive.
        stray: share of the priors that does not depend on the kind, in (0, 1].
        sharpness: of the weights of the domains, by their nearness.
    """
    shares = np.where(held | ~held.any(1, keepdims=True), priors, 0.0)
    shares /= shares.sum(1, keepdims=True)
    weights = softmax(sharpness * near, axis=1)
    found = (1 - stray) * weights @ shares + stray * priors / priors.sum()
    return np.asarray(found.T, np.float64)
