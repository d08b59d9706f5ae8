"""From fitted members to a detector: weigh them, calibrate, set the threshold.

Everything rests on predictions by fits that had not seen the sample, clean and laundered; fitting,
adapting, updating and forgetting all end here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from deepward.detectors import (
    Combination,
    Decision,
    Detector,
    DetectorConfig,
    Familiarity,
    Member,
    Unseen,
    shared_rows,
)
from deepward.errors import EvaluationError, TrainingError
from deepward.metrics.binary import binary_metrics
from deepward.metrics.calibration import fit_temperature
from deepward.metrics.thresholds import domain_levels, domain_thresholds

__all__ = ["assemble", "can_be_weighed", "combine", "importance"]

Doubles = NDArray[np.float64]


def assemble(
    config: DetectorConfig,
    members: Mapping[str, Member],
    control: Member,
    *,
    false_positive_rate: float,
    lineage: Mapping[str, Any],
    familiarity: Familiarity | None = None,
    unseen: Mapping[str, Unseen] | None = None,
) -> Detector:
    """Joins members into a detector.

    Log-odds are taken relative to what reals near the same known domain reach, so that one
    threshold holds the stated rate of false alarms on each of them, clean or laundered. The lineage
    keeps each domain's need and the metrics on samples that no fit had seen; what members say of
    these is asked of them, where `unseen` does not tell it.

    Raises:
        TrainingError: no member can say what it makes of samples it has not seen, or there are too
            few reals for the rate.
    """
    found = {
        name: member.unseen() if unseen is None else unseen[name]
        for name, member in members.items()
    }
    judged = {name: said for name, said in found.items() if said is not None}
    if len(judged) < len(members):
        missing = ", ".join(sorted(set(members) - set(judged)))
        raise TrainingError(f"No predictions of unseen samples are known of {missing}.")
    shared = shared_rows(judged)
    first = next(iter(shared.values()))
    _refuse_one_label(first.labels)
    weights = importance(first.labels, first.domains)
    logits = {name: unseen.logits for name, unseen in shared.items()}
    combination = combine(logits, first.labels, weights)
    levels = _levels(combination.logit(logits), first, false_positive_rate)
    combination = replace(combination, levels=levels)
    clean = ~first.twin
    joined = combination.logit(logits, first.nearest)
    calibration = fit_temperature(joined[clean], first.labels[clean], balanced=True)
    combination = Combination(
        {name: w / calibration.temperature for name, w in combination.weights.items()},
        combination.bias / calibration.temperature + calibration.bias,
        {name: level / calibration.temperature for name, level in levels.items()},
    )
    joined = combination.logit(logits, first.nearest)
    meet = calibration.bias if levels else None
    decision, needs = _decide_on(joined, first, false_positive_rate, meet)
    metrics = binary_metrics(
        first.labels[clean], expit(joined[clean]), decision.threshold, first.groups[clean]
    )
    return Detector(
        config=config,
        members=members,
        control=control,
        combination=combination,
        decision=decision,
        familiarity=familiarity,
        lineage={
            **lineage,
            "thresholds": needs,
            "validation": {
                name: {"value": estimate.value, "interval": estimate.interval}
                for name, estimate in metrics.items()
            },
        },
    )


def can_be_weighed(members: Mapping[str, Member]) -> bool:
    """Whether all members say what they make of unseen samples of every domain that one knows."""
    known = []
    for member in members.values():
        unseen = member.unseen()
        if unseen is None:
            return False
        names = zip(unseen.domains.tolist(), unseen.keys.tolist(), strict=True)
        known.append(set(names))
    shared = {domain for domain, _ in set.intersection(*known)}
    return shared == {domain for domain, _ in set.union(*known)}


def importance(labels: NDArray[np.int64], domains: NDArray[Any]) -> Doubles:
    """Weights of mean 1 under which labels, and domains within a label, count alike."""
    weights = np.zeros(len(labels))
    for label in (0, 1):
        names = sorted(set(domains[labels == label].tolist()))
        for name in names:
            cell = (labels == label) & (domains == name)
            weights[cell] = len(labels) / (2 * len(names) * cell.sum())
    return weights


def combine(
    outputs: Mapping[str, Doubles], labels: NDArray[np.int64], importance: Doubles
) -> Combination:
    """Weighs members by logistic regression on unseen logits; no weight is negative.

    Logits are standardised first, and the weights are drawn towards each other, so that few
    samples cannot throw a member out by chance. A single member keeps its logits as they are.
    """
    names = list(outputs)
    if len(names) == 1:
        return Combination({names[0]: 1.0}, 0.0)
    spreads = np.array([float(outputs[name].std()) or 1.0 for name in names])
    x = np.stack([outputs[name] for name in names], 1) / spreads
    signs = 2.0 * labels - 1.0

    def loss(values: Doubles) -> float:
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


def _refuse_one_label(labels: NDArray[np.int64]) -> None:
    counts = [int((labels == label).sum()) for label in (0, 1)]
    if min(counts) < 1:
        raise TrainingError(
            f"{counts[0]} real and {counts[1]} fake samples were held out: both are needed to "
            "calibrate a detector."
        )


def _cells(rows: Unseen, chosen: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Domain of each row, clean and laundered apart."""
    twins = np.where(rows.twin[chosen], " laundered", "")
    return np.char.add(rows.domains[chosen].astype(str), twins)


def _levels(logits: Doubles, rows: Unseen, rate: float) -> dict[str, float]:
    """What reals near each domain reach; nothing where no member tells what is near."""
    real = rows.labels == 0
    if not (rows.nearest[real] != "").any():
        return {}
    try:
        found = domain_levels(
            logits[real], rows.domains[real], _cells(rows, real), rows.nearest[real], rate
        )
    except EvaluationError as error:
        raise TrainingError(str(error)) from None
    highest = max(found.values())  # of those that have fakes alone, and none is near to
    return {
        name: found.get(name, highest) for name in sorted(set(rows.domains.astype(str).tolist()))
    }


def _decide_on(
    logits: Doubles, rows: Unseen, rate: float, meet: float | None
) -> tuple[Decision, dict[str, float]]:
    """The threshold, and what reals of each cell need.

    It is where the levels meet; without levels, the highest need.
    """
    real = rows.labels == 0
    scores, cells = expit(logits[real]), _cells(rows, real)
    try:
        needs = dict(domain_thresholds(scores, cells, rate))
        low = domain_thresholds(scores, cells, min(2 * rate, 0.5))
    except EvaluationError as error:
        raise TrainingError(str(error)) from None
    threshold = min(max(needs.values()), 1.0) if meet is None else float(expit(meet))
    return Decision(threshold, rate, min(max(low.values()), threshold)), needs
