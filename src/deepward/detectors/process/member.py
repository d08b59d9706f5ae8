"""The closed-form member: heads per family of fakes on one bank, joined by certainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.process.bank import Bank
from deepward.detectors.process.families import choose_family, family_by_name
from deepward.detectors.process.frame import Frame, fit_frame
from deepward.detectors.process.head import Head, fit_head, leave_groups_out
from deepward.detectors.process.joint import Voice, fit_voice, join
from deepward.detectors.process.kernel import Kernel, fit_kernel
from deepward.detectors.protocol import Judgement, Samples, Stage, Unseen
from deepward.errors import TrainingError, UsageError
from deepward.pictures.launder import LaunderedImages
from deepward.progress import Advance, Progress

__all__ = ["ProcessConfig", "ProcessMember"]

FAMILIAR = 0.95  # share of what was learned that counts as familiar, judged unseen
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class ProcessConfig:
    """Gaussian-process heads over statistics.

    Attributes:
        name: the member's name inside its detector.
        statistics: names of `deepward.detectors.STATISTICS`, or "timm/<model>".
        radial, linear: amplitude of each kernel, by statistic; 1 and 0 where none is given.
        noise: variance of a row of weight 1.
        most: largest weight of a row, relative to the mean: a few rows are not believed blindly.
        directions: principal directions kept of each part of a description.
        apart: one head per family of fakes; otherwise one for all.
        looks: ways a head may look, each a choice of the statistics; every head takes the one
            that tells its fakes best when they are left out. Without any, all look at everything.
        share: of the training time; closed forms need none.
        kind: "process".
        medium: what it takes.
    """

    name: str = "process"
    statistics: tuple[str, ...] = ("encoder",)
    radial: Mapping[str, float] = field(default_factory=dict)
    linear: Mapping[str, float] = field(default_factory=dict)
    noise: float = 0.2
    most: float = 8.0
    directions: int = 512
    apart: bool = True
    looks: tuple[tuple[str, ...], ...] = ()
    share: float = 0.0
    kind: str = "process"
    medium: str = "image"


@dataclass(frozen=True)
class Settled:
    """What leaving groups out tells.

    Attributes:
        looks: of each head, an index of the ways to look.
        voices: of each head.
        bound: share of variance left that is still familiar.
    """

    looks: tuple[int, ...]
    voices: tuple[Voice, ...]
    bound: float

    def tensor(self) -> Tensor:
        """(F + 1, 5): look, slope, offset, auc and prior of each head; the bound first."""
        rows = [[float(look), v.slope, v.offset, v.auc, v.prior] for look, v in self._pairs()]
        return torch.tensor([[self.bound, 0, 0, 0, 0], *rows], dtype=torch.float64)

    def _pairs(self) -> list[tuple[int, Voice]]:
        return list(zip(self.looks, self.voices, strict=True))

    @classmethod
    def of(cls, tensor: Tensor) -> "Settled":
        """Reads what `tensor` gave."""
        bound, *rows = tensor.tolist()
        return cls(
            tuple(int(row[0]) for row in rows), tuple(Voice(*row[1:]) for row in rows), bound[0]
        )


@dataclass(frozen=True, eq=False)
class ProcessMember:
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

    @classmethod
    def fit(cls, config: ProcessConfig, stage: Stage, tell: Progress) -> Self:
        """Fits frame and kernel on the stage's samples, then learns domain by domain.

        Raises:
            TrainingError: the samples hold no real, or no fake.
        """
        samples = [*stage.train.pixels, *stage.val.pixels]
        twins = LaunderedImages(samples)
        tell(Advance(f"{config.name}: describing", 0, len(samples), "sample"))
        frame = fit_frame(
            config.statistics,
            samples,
            twins,
            config.directions,
            stage.descriptions,
            seed=stage.seed,
            device=stage.device,
        )
        rows = describe_stage(config, frame, stage, tell)
        if len(set(rows.labels.tolist())) < 2:
            raise TrainingError("A first stage needs reals and fakes; it has no fakes or no reals.")
        owner = [frame.statistics[part.statistic].name for part in frame.parts]
        kernel = fit_kernel(
            rows.rows.astype(np.float32),
            frame.widths,
            tuple(config.radial.get(name, 1.0) for name in owner),
            tuple(config.linear.get(name, 0.0) for name in owner),
            seed=stage.seed,
        )
        member = cls(config, frame, kernel, rows[:0], {}, stage.descriptions)
        return member.learned(rows, stage.families)

    def update(self, stage: Stage, tell: Progress) -> Self:
        """Adds the stage's rows; exact: the same as having fitted on all of them."""
        member = replace(self, descriptions=stage.descriptions)
        return member.learned(describe_stage(self.config, self.frame, stage, tell), stage.families)

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> Self:
        """A few samples are a small stage: their fakes become a head, or join one."""
        return self.update(replace(stage, train=support, val=_none_of(support)), tell)

    def forget(self, domain: str) -> Self:
        """Takes a domain's rows out of the bank: as if it had never been learned.

        The frame, which the first stage fixed without labels, stays.

        Raises:
            UsageError: the bank does not know the domain, or nothing would be left to tell.
        """
        mine = self.bank.domains == domain
        if not mine.any():
            known = ", ".join(sorted(set(self.bank.domains.tolist())))
            raise UsageError(f"{domain!r} was never learned; the bank knows {known}.")
        left = self.bank[~mine]
        if len(set(left.labels.tolist())) < 2:
            raise UsageError(f"Without {domain!r} the bank has no reals or no fakes left.")
        families = {key: name for key, name in self.families.items() if key[0] != domain}
        return replace(self, bank=left, families=families, stored=None)

    def learned(self, rows: Bank, given: Mapping[str, str]) -> Self:
        """Adds rows domain by domain, in the order of names; each fake class finds its family."""
        member = self
        for domain in sorted(set(rows.domains.tolist())):
            part = rows[rows.domains == domain]
            families = dict(member.families)
            for _, technique in part.source_classes():
                fakes = part[(part.labels == 1) & (part.techniques == technique)]
                reals = part[part.labels == 0]
                families[domain, technique] = member._family(domain, technique, fakes, reals, given)
            kept = member.bank[member.bank.domains != domain]
            member = replace(member, bank=Bank.join([kept, part]), families=families, stored=None)
        return member

    def _family(
        self, domain: str, technique: str, fakes: Bank, reals: Bank, given: Mapping[str, str]
    ) -> str:
        if not self.config.apart:
            return "fake"
        name = family_by_name(domain, technique, given)
        if name is not None:
            return name
        if not self.names:
            return technique or domain
        if not len(reals):
            reals = self.bank[self.bank.labels == 0]
        heads = [self._fitted(name, self.kernel) for name in self.names]
        said = []
        for part in (fakes, reals):
            rows = part.rows.astype(np.float32)
            seen = self.kernel(rows, self._support), self.kernel.informative(rows)
            said.append(np.array([head.predict(*seen)[0] for head in heads]))
        return choose_family(domain, technique, said[0], said[1], self.names)

    # -- what follows from bank and families ------------------------------------------------------

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
            self._held[family, look] = self._fitted(family, self._kernels[look])
        return self._held[family, look]

    def _fitted(self, family: str, kernel: Kernel) -> Head:
        return fit_head(
            family,
            self.bank,
            self._among(kernel),
            self._rows_of(family),
            self.config.noise,
            self.config.most,
            kernel,
        )

    def _rows_of(self, family: str) -> NDArray[np.int64]:
        """A family's fakes and all reals, as indices of the bank."""
        classes = zip(self.bank.domains.tolist(), self.bank.techniques.tolist(), strict=True)
        mine = np.array([self.families.get(key) == family for key in classes])
        return np.flatnonzero(np.where(self.bank.labels == 1, mine, True))

    def _among(self, kernel: Kernel) -> Doubles:
        """(B, B) kernel among all rows; kept while the heads are fitted."""
        if kernel not in self._grams:
            rows = self.bank.rows.astype(np.float64)
            self._grams[kernel] = np.asarray(kernel(rows, rows), np.float64)
        return self._grams[kernel]

    @cached_property
    def _grams(self) -> dict[Kernel, Doubles]:
        return {}

    def _try(self, family: str, look: int) -> tuple[Voice, Doubles]:
        """A head's voice through one way to look, and what is left of each row's variance."""
        mean, left, chosen = self._leave_out(self._head(family, look))
        part = self.bank[chosen]
        cells = np.char.add(part.domains, np.where(part.twin, " laundered", ""))
        return fit_voice(mean[chosen], part.labels, cells), left

    def _leave_out(self, head: Head) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        """(B,) means and shares of variance left, left out where the head has the row; its rows."""
        informative = head.kernel.informative(self._support)
        mean, left = np.empty(len(self.bank)), np.empty(len(self.bank))
        rows = head.chosen
        others = np.setdiff1d(np.arange(len(self.bank)), rows)
        if len(others):
            similar = self._among(head.kernel)[others]
            mean[others], left[others] = head.predict(similar, informative[others])
        targets = 2.0 * self.bank.labels[rows].astype(np.float64) - 1.0
        found = leave_groups_out(head, self.bank.groups[rows].tolist(), targets, informative[rows])
        mean[rows], left[rows] = found.mean, found.left
        return mean, left, rows

    # -- judging ----------------------------------------------------------------------------------

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """All that the heads say of the samples."""
        return self.judge_rows(self.frame.rows(samples, self.descriptions))

    def judge_rows(self, rows: NDArray[np.float32]) -> Judgement:
        """`judge` for samples that are described already, (N, D)."""
        means, left = self.say(rows)
        logits, firm, speaking = self._joined(means, left)
        domains = sorted(set(self.bank.domains.tolist()))
        near = self.kernel(rows, self._support).argmax(1)
        return Judgement(
            logits=logits,
            unfamiliarity=left.min(0) / self.bound,
            families=tuple(head.family for head in self.heads),
            speaking=speaking,
            firm=firm,
            nearest=np.searchsorted(domains, self.bank.domains[near]).astype(np.int64),
            domains=tuple(domains),
        )

    def _joined(self, means: Doubles, left: Doubles) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        ratios = np.array(
            [voice.ratio(m, v) for voice, m, v in zip(self.voices, means, left, strict=True)]
        )
        priors = np.array([voice.prior for voice in self.voices])
        firm = np.array([voice.firm for voice in self.voices])
        speaking = np.where(ratios.max(0) > 0, ratios.argmax(0), -1)
        # Families that are not firm stay out of the other sum at their neutral word.
        muted = np.where(firm[:, None], ratios, np.minimum(ratios, 0.0))
        return join(ratios, priors), join(muted, priors), speaking.astype(np.int64)

    def say(self, rows: NDArray[np.float32]) -> tuple[Doubles, Doubles]:
        """Means and shares of variance left of every head, (F, N) each."""
        seen: dict[Kernel, tuple[NDArray[Any], Doubles]] = {}
        said = []
        for head in self.heads:
            kernel = head.kernel
            if kernel not in seen:
                seen[kernel] = kernel(rows, self._support), kernel.informative(rows)
            said.append(head.predict(*seen[kernel]))
        means, left = zip(*said, strict=True)
        return np.array(means), np.array(left)

    @cached_property
    def _support(self) -> NDArray[np.float32]:
        return self.bank.rows.astype(np.float32)

    def logits(self, samples: Sequence[NDArray[Any]]) -> Doubles:
        """Log-odds of fake, (N,)."""
        return self.judge(samples).logits

    def embed(self, samples: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Rows, (N, D)."""
        return self.frame.rows(samples, self.descriptions)

    def unseen(self) -> Unseen:
        """Leave-one-group-out log-odds of every row of the bank."""
        found = [self._leave_out(head) for head in self.heads]
        logits, firm, _ = self._joined(*(np.array([part[i] for part in found]) for i in (0, 1)))
        bank = self.bank
        return Unseen(bank.keys, logits, firm, bank.labels, bank.domains, bank.groups, bank.twin)

    def places(self, sample: NDArray[Any]) -> NDArray[np.float32]:
        """What each place adds to the log-odds of the family that speaks loudest: (h, w).

        Integrated gradients from the first stage's mean sample, exact per statistic and place.
        """
        from deepward.detectors.process.evidence import evidence_map

        return evidence_map(self, sample)

    # -- storing ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """Frame, kernel widths, families and bank; heads follow from them."""
        named = {f"frame.{name}": tensor for name, tensor in self.frame.tensors().items()}
        named["kernel.widths"] = torch.tensor(self.kernel.widths, dtype=torch.float64)
        classes = "\n".join(f"{d}\t{t}\t{f}" for (d, t), f in sorted(self.families.items()))
        named["families"] = torch.from_numpy(np.frombuffer(classes.encode(), np.uint8).copy())
        named["settled"] = self.settled.tensor()
        return named | self.bank.tensors()

    @classmethod
    def restore(
        cls,
        config: ProcessConfig,
        state: Mapping[str, Tensor],
        device: str,
        descriptions: Descriptions,
    ) -> Self:
        """Reads what `state_dict` gave."""
        start = "frame."
        inner = {k.removeprefix(start): t for k, t in state.items() if k.startswith(start)}
        frame = Frame.restore(config.statistics, inner, device)
        owner = [frame.statistics[part.statistic].name for part in frame.parts]
        kernel = Kernel(
            frame.widths,
            tuple(float(v) for v in state["kernel.widths"]),
            tuple(config.radial.get(name, 1.0) for name in owner),
            tuple(config.linear.get(name, 0.0) for name in owner),
        )
        text = bytes(state["families"].numpy()).decode()
        classes = [line.split("\t") for line in text.splitlines()]
        families = {(d, t): f for d, t, f in classes}
        stored = Settled.of(state["settled"])
        bank = Bank.restore(state)
        return cls(config, frame, kernel, bank, families, descriptions, stored)


def describe_stage(config: ProcessConfig, frame: Frame, stage: Stage, tell: Progress) -> Bank:
    """Rows of all samples of a stage and of their laundered twins."""
    banks = []
    total = 2 * (len(stage.train) + len(stage.val))
    done = 0
    for samples in (stage.train, stage.val):
        for twin in (False, True):
            pixels = LaunderedImages(samples.pixels) if twin else samples.pixels
            rows = []
            for start in range(0, len(samples), 64):
                block = pixels[start : start + 64]
                rows.append(frame.rows(block, stage.descriptions))
                done += len(rows[-1])
                tell(Advance(f"{config.name}: describing", done, total, "sample"))
            if rows:
                banks.append(_bank_of(samples, np.concatenate(rows), twin))
    if not banks:
        raise TrainingError("A stage without samples teaches nothing.")
    return Bank.join(banks)


def _bank_of(samples: Samples, rows: NDArray[np.float32], twin: bool) -> Bank:
    fake = samples.labels == 1
    return Bank(
        rows=rows.astype(np.float16),
        labels=samples.labels,
        twin=np.full(len(samples), twin),
        domains=samples.domains.astype(np.str_),
        techniques=np.where(fake, samples.techniques.astype(np.str_), ""),
        groups=samples.groups.astype(np.str_),
        keys=np.array(samples.hashes, dtype=np.str_),
    )


def _none_of(samples: Samples) -> Samples:
    chosen: Any = samples
    nothing: Samples = chosen.subset(np.zeros(0, np.int64))
    return nothing
