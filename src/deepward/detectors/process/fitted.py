"""Heads as they follow from a bank and its families: fitted, heard, and judged unseen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.process.bank import Bank
from deepward.detectors.process.config import ProcessConfig, Settled
from deepward.detectors.process.frame import Frame
from deepward.detectors.process.head import Head
from deepward.detectors.process.joint import Voice, fit_voice, join
from deepward.detectors.process.kernel import Kernel
from deepward.detectors.process.kinds import families_of_domains, nearness, priors_by_kind
from deepward.detectors.process.solver import Fit, Solver, Weighed

__all__ = ["FittedHeads"]

_BLOCK = 1024  # rows that are compared with all others at once
_CHANCE = 0.25  # of a leave-one-out AUC, times the root of the number of samples
FAMILIAR = 0.95  # share of what was learned that counts as familiar, judged unseen
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedHeads:
    """Frame, kernel, bank and the family of each source class; the rest follows from them.

    Attributes:
        config: what it is made of.
        frame, kernel: frozen at the first stage.
        bank: all described rows.
        families: (domain, technique) of fakes to the name of the family.
        descriptions: of samples that were described before.
        stored: what leaving groups out told of this very bank, where that was kept.
    """

    config: ProcessConfig
    frame: Frame
    kernel: Kernel
    bank: Bank
    families: Mapping[tuple[str, str], str]
    descriptions: Descriptions = field(default_factory=Descriptions)
    stored: Settled | None = None

    # -- learning ---------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Families, in order."""
        return tuple(sorted(set(self.families.values())))

    @cached_property
    def settled(self) -> Settled:
        """How each head looks, weighs its rows and is heard, and what is familiar."""
        if self.stored is not None and self.stored.alphas is not None:
            return self.stored
        alphas = np.zeros((len(self.names), len(self.bank)))
        for row, fit in zip(alphas, self.fits, strict=True):
            row[fit.head.chosen] = fit.head.alpha
        if self.stored is not None:  # of an older file: heard as it was calibrated
            return replace(self.stored, alphas=alphas)
        voices = tuple(_voice_of(self.bank, fit.weighed) for fit in self.fits)
        left = np.min([fit.left for fit in self.fits], axis=0)[~self.bank.twin]
        bound = max(float(np.quantile(left, FAMILIAR)), 1e-9)
        return Settled(self.looks, voices, bound, alphas)

    @cached_property
    def looks(self) -> tuple[int, ...]:
        """Of each family, the way to look that tells its fakes best when they are left out."""
        if self.stored is not None:
            return self.stored.looks
        return tuple(self._best_look(family) for family in self.names)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """How each head is heard."""
        return self.settled.voices

    @property
    def bound(self) -> float:
        """Share of variance left that 95 % of what it has learned stays below, left out."""
        return self.settled.bound

    @cached_property
    def fits(self) -> tuple[Fit, ...]:
        """Of each family, its head and what is said of the bank without each row's group."""
        pairs = [(f, self._kernels[i]) for f, i in zip(self.names, self.looks, strict=True)]
        self._solver.prepare([kernel for _, kernel in pairs])
        return tuple(self._solver.fit(f, self._rows_of(f), kernel) for f, kernel in pairs)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One per family, in the order of names."""
        if self.stored is None or self.stored.alphas is None:
            return tuple(fit.head for fit in self.fits)
        return tuple(
            self._solver.recalled(family, self._rows_of(family), self._kernels[look], alphas)
            for family, look, alphas in zip(self.names, self.looks, self.stored.alphas, strict=True)
        )

    def tried(self, family: str, new: NDArray[np.float32]) -> Doubles:
        """What a head on a few rows, looking at everything, says of new rows: (N,) means."""
        solver, rows = self._solver.few(self._rows_of(family))
        found = solver.weigh(family, rows, self.kernel)
        known = solver.bank.rows[found.chosen].astype(np.float32)
        return self.kernel(new, known).astype(np.float64) @ found.alpha

    def _best_look(self, family: str) -> int:
        if len(self._kernels) == 1:
            return 0
        solver, rows = self._solver.few(self._rows_of(family))
        solver.prepare(self._kernels)
        found = np.array(
            [
                _voice_of(solver.bank, solver.weigh(family, rows, kernel)).auc
                for kernel in self._kernels
            ]
        )
        # The first is the usual one: few samples must not choose another by chance.
        found[1:] -= _CHANCE / np.sqrt(_fakes(solver.bank[rows]))
        return int(np.argmax(found))

    @cached_property
    def _kernels(self) -> tuple[Kernel, ...]:
        """The ways a head may look."""
        if not self.config.looks:
            return (self.kernel,)
        owner = [self.frame.statistics[part.statistic].name for part in self.frame.parts]
        return tuple(self.kernel.only([n in look for n in owner]) for look in self.config.looks)

    @cached_property
    def _solver(self) -> Solver:
        return Solver(self.bank, self._kernels, self.config)

    def _rows_of(self, family: str) -> NDArray[np.int64]:
        """A family's fakes and all reals, as indices of the bank."""
        classes = zip(self.bank.domains.tolist(), self.bank.techniques.tolist(), strict=True)
        mine = np.array([self.families.get(key) == family for key in classes])
        return np.flatnonzero(np.where(self.bank.labels == 1, mine, True))

    def say(self, rows: NDArray[np.float32]) -> tuple[Doubles, Doubles]:
        """Means and shares of variance left of every head, (F, N) each."""
        seen: dict[Kernel, tuple[NDArray[Any], Doubles]] = {}
        said = []
        for head in self.heads:
            kernel = head.kernel
            if kernel not in seen:
                seen[kernel] = kernel(rows, self.support), kernel.informative(rows)
            said.append(head.predict(*seen[kernel]))
        means, left = zip(*said, strict=True)
        return np.array(means), np.array(left)

    def joined(
        self, means: Doubles, left: Doubles, near: Doubles
    ) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        """Log-odds, those without families that are not firm, and the loudest family: (N,) each.

        Args:
            means, left: (F, N) as `say` gives them.
            near: (N, D) as `nearness` gives it.
        """
        config = self.config
        heard = zip(self.voices, means, left, strict=True)
        ratios = np.array([voice.ratio(m, v, config.certainty) for voice, m, v in heard])
        priors = priors_by_kind(
            near,
            families_of_domains(self.families, self.domains, self.names),
            np.array([voice.prior for voice in self.voices]),
            config.stray,
            config.sharpness,
        )
        firm = np.array([voice.firm for voice in self.voices])
        speaking = np.where(ratios.max(0) > 0, ratios.argmax(0), -1)
        # Families that are not firm stay out of the other sum at their neutral word.
        muted = np.where(firm[:, None], ratios, np.minimum(ratios, 0.0))
        return join(ratios, priors), join(muted, priors), speaking.astype(np.int64)

    def near(self, rows: NDArray[np.float32]) -> Doubles:
        """How near each known domain is to new rows, (N, D)."""
        own = self.kernel.constant + self.kernel.informative(rows)
        return nearness(self.kernel(rows, self.support), own, self.bank.domains, self.domains)

    def near_known(self) -> Doubles:
        """`near` of every row of the bank, its own group left out: (B, D)."""
        bank, found = self.bank, []
        for start in range(0, len(bank), _BLOCK):
            part = slice(start, start + _BLOCK)
            similar = self.kernel(self.support[part], self.support)
            similar[bank.groups[part, None] == bank.groups[None]] = -1.0  # below any similarity
            own = self.kernel.constant + self.kernel.informative(self.support[part])
            found.append(nearness(similar, own, bank.domains, self.domains))
        return np.concatenate(found)

    @cached_property
    def domains(self) -> tuple[str, ...]:
        """Those that the bank knows, in order."""
        return tuple(sorted(set(self.bank.domains.tolist())))

    @cached_property
    def support(self) -> NDArray[np.float32]:
        """Rows that similarities are taken with: the bank's."""
        return self.bank.rows.astype(np.float32)


def _voice_of(bank: Bank, found: Weighed) -> Voice:
    """How a head is heard, from what it says of its own rows when they are left out."""
    part = bank[found.chosen]
    cells = np.char.add(part.domains, np.where(part.twin, " laundered", ""))
    return fit_voice(found.mean[found.chosen], part.labels, cells, _fakes(part))


def _fakes(bank: Bank) -> int:
    """How many samples of fakes the rows are of, whatever their twins."""
    return len(set(bank.groups[bank.labels == 1].tolist()))
