"""From raw logits to probabilities."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from deepward.errors import EvaluationError
from deepward.metrics.intervals import checked_samples

__all__ = ["Calibration", "fit_temperature"]

_LEAST_SCALE = 1e-4  # per standard deviation of the logits: flat, but still in the same order


class Calibration(NamedTuple):
    """Straight line from logit to log-odds: `P(fake) = sigmoid(logit / temperature + bias)`."""

    temperature: float
    bias: float

    def probability(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Calibrated P(fake), in the order of the logits."""
        values = np.asarray(logits, dtype=np.float64)
        return np.asarray(expit(values / self.temperature + self.bias), dtype=np.float64)


def fit_temperature(logits: ArrayLike, labels: ArrayLike, *, balanced: bool = False) -> Calibration:
    """Fits temperature and bias by log loss on validation data.

    Targets are Platt's: `(n₁ + 1) / (n₁ + 2)` for fakes and `1 / (n₀ + 2)` for reals, so that
    perfectly separated data still give a finite temperature. The temperature is positive: the
    order of the samples, and with it every AUC, stays as it was.

    Args:
        logits: raw scores (N,), higher means fake.
        labels: 0 real, 1 fake (N,); both must occur.
        balanced: weigh the classes alike, for a probability at even odds instead of at the
            share of fakes that this data happens to have.

    Raises:
        EvaluationError: for NaN, lengths that differ, or a class that is missing.

    Source: Platt, Probabilistic Outputs for Support Vector Machines (1999).
    """
    truth, values = checked_samples(labels, logits)
    fakes, reals = int((truth == 1).sum()), int((truth == 0).sum())
    if not fakes or not reals:
        raise EvaluationError(
            f"Calibration needs both classes; found {reals} real and {fakes} fake samples."
        )
    center, spread = float(values.mean()), float(values.std()) or 1.0
    unit = (values - center) / spread
    target = np.where(truth == 1, (fakes + 1) / (fakes + 2), 1 / (reals + 2))
    weight = np.where(truth == 1, 0.5 / fakes, 0.5 / reals) if balanced else 1 / len(values)

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = line[0] * unit + line[1]
        error = weight * (expit(odds) - target)
        value = float((weight * (np.logaddexp(0, odds) - target * odds)).sum())
        return value, np.array([(error * unit).sum(), error.sum()])

    found = minimize(
        loss,
        np.array([1.0, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=[(_LEAST_SCALE, None), (None, None)],
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000},
    )
    scale = float(found.x[0]) / spread
    return Calibration(1 / scale, float(found.x[1]) - scale * center)
