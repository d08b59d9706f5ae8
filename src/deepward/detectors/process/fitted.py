"""Heads as they follow from a bank and its families: fitted, heard, and judged unseen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.process.bank import Bank
from deepward.detectors.process.config import ProcessConfig, Settled
from deepward.detectors.process.dense import DenseBank
from deepward.detectors.process.frame import Frame
from deepward.detectors.process.head import Head
from deepward.detectors.process.joint import Voice, fit_voice, join
from deepward.detectors.process.kernel import Kernel
from deepward.detectors.process.lift import LiftedBank

__all__ = ["FittedHeads"]

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

    @cached_property
    def settled(self) -> Settled:
        """How each head looks and is heard, and what is familiar: from leaving groups out."""
        if self.stored is not None:
            return self.stored
        looks, voices, lefts = [], [], []
        for family in self.names:
            tried = [self._try(family, look) for look in range(len(self._kernels))]
            best = int(np.argmax([voice.auc for voice, _ in tried]))
            looks.append(best)
            voices.append(tried[best][0])
            lefts.append(tried[best][1])
        left = np.min(lefts, axis=0)[~self.bank.twin]
        bound = max(float(np.quantile(left, FAMILIAR)), 1e-9)
        return Settled(tuple(looks), tuple(voices), bound)

    @property
    def names(self) -> tuple[str, ...]:
        """Families, in order."""
        return tuple(sorted(set(self.families.values())))

    @property
    def voices(self) -> tuple[Voice, ...]:
        """How each head is heard."""
        return self.settled.voices

    @property
    def bound(self) -> float:
        """Share of variance left that 95 % of what it has learned stays below, left out."""
        return self.settled.bound

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One per family, in the order of names."""
        return tuple(
            self._head(family, look)
            for family, look in zip(self.names, self.settled.looks, strict=True)
        )

    @cached_property
    def _kernels(self) -> tuple[Kernel, ...]:
        """The ways a head may look."""
        if not self.config.looks:
            return (self.kernel,)
        owner = [self.frame.statistics[part.statistic].name for part in self.frame.parts]
        return tuple(self.kernel.only([n in look for n in owner]) for look in self.config.looks)

    @cached_property
    def _held(self) -> dict[tuple[str, int], Head]:
        return {}

    def _head(self, family: str, look: int) -> Head:
        if (family, look) not in self._held:
            self._held[family, look] = self.fitted(family, self._kernels[look])
        return self._held[family, look]

    def fitted(self, family: str, kernel: Kernel) -> Head:
        config = self.config
        return self._rows.fit(family, self._rows_of(family), config.noise, config.most, kernel)

    @cached_property
    def _rows(self) -> DenseBank | LiftedBank:
        """The bank as heads are fitted on it: exactly, or on landmarks where it is large."""
        if len(self.bank) > self.config.exact:
            return LiftedBank(self.bank, self.config.landmarks)
        return DenseBank(self.bank, self._kernels)

    def _rows_of(self, family: str) -> NDArray[np.int64]:
        """A family's fakes and all reals, as indices of the bank."""
        classes = zip(self.bank.domains.tolist(), self.bank.techniques.tolist(), strict=True)
        mine = np.array([self.families.get(key) == family for key in classes])
        return np.flatnonzero(np.where(self.bank.labels == 1, mine, True))

    def _try(self, family: str, look: int) -> tuple[Voice, Doubles]:
        """A head's voice through one way to look, and what is left of each row's variance."""
        mean, left, chosen = self.leave_out(self._head(family, look))
        part = self.bank[chosen]
        cells = np.char.add(part.domains, np.where(part.twin, " laundered", ""))
        return fit_voice(mean[chosen], part.labels, cells), left

    def leave_out(self, head: Head) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        """(B,) means and shares of variance left, left out where the head has the row; its rows."""
        rows = self.bank.rows.astype(np.float32)
        mean, left = self._rows.leave_out(head, head.kernel.informative(rows))
        return mean, left, head.chosen

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

    def joined(self, means: Doubles, left: Doubles) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        power = self.config.certainty
        heard = zip(self.voices, means, left, strict=True)
        ratios = np.array([voice.ratio(m, v, power) for voice, m, v in heard])
        priors = np.array([voice.prior for voice in self.voices])
        firm = np.array([voice.firm for voice in self.voices])
        speaking = np.where(ratios.max(0) > 0, ratios.argmax(0), -1)
        # Families that are not firm stay out of the other sum at their neutral word.
        muted = np.where(firm[:, None], ratios, np.minimum(ratios, 0.0))
        return join(ratios, priors), join(muted, priors), speaking.astype(np.int64)

    @cached_property
    def support(self) -> NDArray[np.float32]:
        """Rows that similarities are taken with: the bank's, or its landmarks."""
        return self.bank.rows[self._rows.landmarks].astype(np.float32)
