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
    share: float = 0.0
    kind: str = "process"
    medium: str = "image"


@dataclass(frozen=True)
class ProcessMember:
    """Frame, kernel, bank and the family of each source class; the rest follows from them.

    Attributes:
        config: what it is made of.
        frame, kernel: frozen at the first stage.
        bank: all described rows.
        families: (domain, technique) of fakes to the name of the family.
        descriptions: of samples that were described before.
    """

    config: ProcessConfig
    frame: Frame
    kernel: Kernel
    bank: Bank
    families: Mapping[tuple[str, str], str]
    descriptions: Descriptions = field(default_factory=Descriptions)

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
        return member.learned(
            describe_stage(self.config, self.frame, stage, tell), stage.families
        )

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
        return replace(self, bank=left, families=families)

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
            member = replace(member, bank=Bank.join([kept, part]), families=families)
        return member

    def _family(
        self, domain: str, technique: str, fakes: Bank, reals: Bank, given: Mapping[str, str]
    ) -> str:
        if not self.config.apart:
            return "fake"
        name = family_by_name(domain, technique, given)
        if name is not None:
            return name
        heads = self.heads if len(self.bank) else ()
        if not len(reals):
            reals = self.bank[self.bank.labels == 0]
        values = []
        for rows in (fakes, reals):
            similar, informative = self._similar(rows.rows.astype(np.float32))
            values.append(
                np.array([head.predict(similar, informative)[0] for head in heads]).reshape(
                    len(heads), len(rows)
                )
            )
        return choose_family(
            domain, technique, values[0], values[1], tuple(head.family for head in heads)
        )

    # -- what follows from bank and families ------------------------------------------------------

    @cached_property
    def _among(self) -> Doubles:
        rows = self.bank.rows.astype(np.float64)
        return np.asarray(self.kernel(rows, rows), np.float64)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One per family, in the order of names."""
        mine = np.array(
            [
                self.families.get((d, t), "") if label else ""
                for d, t, label in zip(
                    self.bank.domains.tolist(),
                    self.bank.techniques.tolist(),
                    self.bank.labels.tolist(),
                    strict=True,
                )
            ]
        )
        real = self.bank.labels == 0
        if not real.any():
            raise TrainingError("The bank holds no reals: there is nothing to tell fakes from.")
        return tuple(
            fit_head(
                family,
                self.bank,
                self._among,
                np.flatnonzero(real | (mine == family)),
                self.config.noise,
                self.config.most,
                self.kernel.constant,
            )
            for family in sorted(set(self.families.values()))
        )

    @cached_property
    def _left_out(self) -> tuple[Doubles, Doubles]:
        """(F, B) means and shares of variance left: leave-one-group-out where a head has the row."""
        informative = self.kernel.informative(self.bank.rows.astype(np.float32))
        means, lefts = [], []
        for head in self.heads:
            mean, left = head.predict(self._among, informative)
            rows = head.chosen
            found = leave_groups_out(
                head,
                self.bank.groups[rows].tolist(),
                2.0 * self.bank.labels[rows] - 1.0,
                informative[rows],
            )
            mean[rows], left[rows] = found.mean, found.left
            means.append(mean)
            lefts.append(left)
        return np.array(means), np.array(lefts)

    @cached_property
    def voices(self) -> tuple[Voice, ...]:
        """How each head is heard, from its leave-one-out means."""
        means, _ = self._left_out
        return tuple(
            fit_voice(mean[head.chosen], self.bank.labels[head.chosen], 1.0)
            for head, mean in zip(self.heads, means, strict=True)
        )

    @cached_property
    def bound(self) -> float:
        """Share of variance left that 95 % of what it has learned stays below, left out."""
        _, left = self._left_out
        return max(float(np.quantile(left.min(0)[~self.bank.twin], 0.95)), 1e-9)

    # -- judging ----------------------------------------------------------------------------------

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """All that the heads say of the samples."""
        rows = self.frame.rows(samples, self.descriptions)
        return self.judge_rows(rows)

    def judge_rows(self, rows: NDArray[np.float32]) -> Judgement:
        """`judge` for samples that are described already, (N, D)."""
        similar, informative = self._similar(rows)
        said = [head.predict(similar, informative) for head in self.heads]
        means, left = (np.array([pair[i] for pair in said]) for i in (0, 1))
        logits, firm, speaking = self._joined(means, left)
        domains = sorted(set(self.bank.domains.tolist()))
        near = similar.argmax(1)
        return Judgement(
            logits=logits,
            unfamiliarity=left.min(0) / self.bound,
            families=tuple(head.family for head in self.heads),
            speaking=speaking,
            firm=firm,
            nearest=np.searchsorted(domains, self.bank.domains[near]).astype(np.int64),
            domains=tuple(domains),
        )

    def _joined(
        self, means: Doubles, left: Doubles
    ) -> tuple[Doubles, Doubles, NDArray[np.int64]]:
        ratios = np.array(
            [voice.ratio(m, v) for voice, m, v in zip(self.voices, means, left, strict=True)]
        )
        priors = np.array([voice.prior for voice in self.voices])
        firm = np.array([voice.firm for voice in self.voices])
        speaking = np.where(ratios.max(0) > 0, ratios.argmax(0), -1)
        # Families that are not firm stay out of the other sum at their neutral word.
        muted = np.where(firm[:, None], ratios, np.minimum(ratios, 0.0))
        return join(ratios, priors), join(muted, priors), speaking.astype(np.int64)

    def _similar(self, rows: NDArray[np.float32]) -> tuple[NDArray[Any], Doubles]:
        support = self._support
        return self.kernel(rows, support), self.kernel.informative(rows)

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
        logits, firm, _ = self._joined(*self._left_out)
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
        return named | self.bank.tensors()

    @classmethod
    def restore(
        cls, config: ProcessConfig, state: Mapping[str, Tensor], device: str
    ) -> "ProcessMember":
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
        return cls(config, frame, kernel, Bank.restore(state), families)


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
