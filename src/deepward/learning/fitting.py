"""What is fitted in closed form on few pictures: members by cross-fitting, and their weights."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from deepward.detectors import ClosedForm, Combination, StatisticsConfig, describe_training
from deepward.domains import ImageSet
from deepward.progress import Progress

__all__ = ["combine", "cross_fit", "importance"]

_FOLDS = 5


def importance(data: ImageSet) -> NDArray[np.float64]:
    """Weights of mean 1 under which classes, and domains within a class, count alike."""
    weights = np.zeros(len(data))
    for label in (0, 1):
        domains = sorted(set(data.domains[data.labels == label].tolist()))
        for domain in domains:
            cell = (data.labels == label) & (data.domains == domain)
            weights[cell] = len(data) / (2 * len(domains) * cell.sum())
    return weights


def cross_fit(
    member: StatisticsConfig,
    train: ImageSet,
    val: ImageSet,
    laundered: Sequence[NDArray[np.uint8]],
    seed: int,
    progress: Progress,
) -> tuple[ClosedForm, list[NDArray[np.float64]]]:
    """Fits a closed form on train and val, and says what val gets from fits that did not see it.

    Refitting is cheap, so validation pictures need not be lost to training: each fifth of them
    (whole groups) is judged by a fit on everything else.

    Returns:
        The member, and the logits of val as it is and laundered, (V,) each.
    """
    both = train.joined(val)
    weights = importance(both)
    described = describe_training(member, both.pixels, seed=seed, progress=progress)
    last = len(train)
    after = described.more(laundered) if laundered else None
    outputs = [np.zeros(len(val)) for _ in range(2 if laundered else 1)]
    names = sorted(set(val.groups.tolist()))
    order = np.random.default_rng([seed, len(names)]).permutation(len(names))
    fold_of = {names[position]: rank % _FOLDS for rank, position in enumerate(order)}
    folds = np.array([fold_of[group] for group in val.groups.tolist()])
    for fold in sorted(set(folds.tolist())) if laundered else []:
        held = folds == fold
        seen = np.append(np.ones(last, bool), ~held)
        head = described.fit(both.labels, weights, seen, seed=seed)
        outputs[0][held] = head.score(described.vectors[last:][held])
        if after is not None:
            outputs[1][held] = head.score(after[held])
    return described.fit(both.labels, weights, seed=seed), outputs


def combine(
    outputs: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.int64],
    importance: NDArray[np.float64],
) -> Combination:
    """Weighs members by logistic regression on validation logits; no weight is negative.

    Logits are standardised first, and the weights are drawn towards each other, so that few
    validation pictures cannot throw a member out by chance.
    """
    names = list(outputs)
    spreads = np.array([float(outputs[name].std()) or 1.0 for name in names])
    x = np.stack([outputs[name] for name in names], 1) / spreads
    signs = 2.0 * labels - 1.0

    def loss(values: NDArray[np.float64]) -> float:
        weights, bias = values[:-1], values[-1]
        losses = np.logaddexp(0.0, -signs * (x @ weights + bias))
        apart = float(np.sum((weights - weights.mean()) ** 2))
        return (
            float(np.average(losses, weights=importance))
            + 0.02 * apart
            + 1e-4 * float(np.sum(weights**2))
        )

    start = np.append(np.full(len(names), 1.0 / len(names)), 0.0)
    bounds = [(0.0, None)] * len(names) + [(None, None)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    weights = {name: float(found[i] / spreads[i]) for i, name in enumerate(names)}
    return Combination(weights, float(found[-1]))
