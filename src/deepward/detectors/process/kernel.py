"""Similarity of rows: for each part of a description a radial and a linear kernel, summed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kernel", "fit_kernel", "grams"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
_STEPS = 16  # on the way from zero, for mean gradients


@dataclass(frozen=True)
class Kernel:
    """k(x, y) = constant + sum over parts of radial exp(-|x - y|² / width) + linear x·y.

    Attributes:
        sizes: numbers of a row that belong to each part.
        widths: of the radial kernels, one per part, in squared distance.
        radial, linear: amplitudes, one per part.
        constant: variance of the level that all rows share.
    """

    sizes: tuple[int, ...]
    widths: tuple[float, ...]
    radial: tuple[float, ...]
    linear: tuple[float, ...]
    constant: float = 1.0

    def only(self, parts: Sequence[bool]) -> "Kernel":
        """The same kernel, blind to all parts but these."""

        def kept(values: tuple[float, ...]) -> tuple[float, ...]:
            return tuple(v if keep else 0.0 for v, keep in zip(values, parts, strict=True))

        return replace(self, radial=kept(self.radial), linear=kept(self.linear))

    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        """(N, M), in the precision of `a`."""
        total = np.full((len(a), len(b)), self.constant, a.dtype)
        for x, y, width, radial, linear in self._parts(a, b):
            if not radial and not linear:
                continue
            products = x @ y.T
            if radial:
                apart = (x * x).sum(1)[:, None] + (y * y).sum(1)[None] - 2 * products
                np.maximum(apart, 0, out=apart)
                apart *= -1 / width
                np.exp(apart, out=apart)
                apart *= radial
                total += apart
            if linear:
                products *= linear
                total += products
        return total

    def informative(self, a: NDArray[Any]) -> Doubles:
        """Prior variance of each row, (N,), less that of the shared level."""
        total = np.full(len(a), float(sum(self.radial)))
        for x, _, _, _, linear in self._parts(a, a[:0]):
            total += linear * (x.astype(np.float64) ** 2).sum(1)
        return total

    def mean_gradient(self, row: Floats, support: Floats, weights: Doubles) -> Floats:
        """Gradient of weights @ k(support, x), averaged over x from 0 to `row`: (D,).

        Its product with `row` sums to what the kernel's sum gains from zero to the row: integrated
        gradients (Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML 2017).
        """
        slopes = []
        for x, y, width, radial, linear in self._parts(row[None], support):
            slope = linear * (weights @ y)
            if radial:
                squares, own, products = (y * y).sum(1), float((x * x).sum()), (y @ x[0])
                pull = 0.0
                push = np.zeros(len(y))
                for t in (np.arange(_STEPS) + 0.5) / _STEPS:
                    apart = np.maximum(t * t * own - 2 * t * products + squares, 0)
                    share = weights * radial * np.exp(-apart / width) * (-2 / width) / _STEPS
                    pull += t * float(share.sum())
                    push += share
                slope = slope + pull * x[0] - push @ y
            slopes.append(slope)
        return np.concatenate(slopes).astype(np.float32)

    def _parts(
        self, a: NDArray[Any], b: NDArray[Any]
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any], float, float, float]]:
        ends = np.cumsum(self.sizes)
        for end, size, *numbers in zip(
            ends, self.sizes, self.widths, self.radial, self.linear, strict=True
        ):
            place = np.s_[:, end - size : end]
            yield a[place], b[place], *numbers  # type: ignore[misc]


def grams(kernels: Sequence[Kernel], rows: Doubles) -> list[Doubles]:
    """Each kernel among all rows, (B, B): to the bit what it gives when called.

    What kernels of the same parts and widths share is computed once.

    Args:
        kernels: that differ in amplitudes alone, as by `Kernel.only`.
        rows: (B, D).
    """
    totals = [np.full((len(rows), len(rows)), kernel.constant) for kernel in kernels]
    ends = np.cumsum(kernels[0].sizes)
    for number, (end, size) in enumerate(zip(ends, kernels[0].sizes, strict=True)):
        x = rows[:, end - size : end]
        products = x @ x.T
        if any(kernel.radial[number] for kernel in kernels):
            squares = (x * x).sum(1)
            apart = squares[:, None] + squares[None] - 2 * products
            np.maximum(apart, 0, out=apart)
            apart *= -1 / kernels[0].widths[number]
            np.exp(apart, out=apart)
            for total, kernel in zip(totals, kernels, strict=True):
                if kernel.radial[number]:
                    total += apart * kernel.radial[number]
        for total, kernel in zip(totals, kernels, strict=True):
            if kernel.linear[number]:
                total += products * kernel.linear[number]
    return totals


def fit_kernel(
    rows: Floats,
    sizes: tuple[int, ...],
    radial: tuple[float, ...],
    linear: tuple[float, ...],
    *,
    seed: int,
) -> Kernel:
    """Sets each width to the median squared distance of (at most 512 of the) rows, over 1.5."""
    chosen = np.random.default_rng(seed).permutation(len(rows))[:512]
    widths = []
    for part in np.split(rows[np.sort(chosen)].astype(np.float64), np.cumsum(sizes)[:-1], axis=1):
        squares = (part * part).sum(1)
        apart = squares[:, None] + squares[None] - 2 * part @ part.T
        above = apart[np.triu_indices(len(part), 1)]
        widths.append(max(float(np.median(above)) / 1.5, 1e-9))
    return Kernel(sizes, tuple(widths), radial, linear)
