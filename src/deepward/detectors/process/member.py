"""The closed-form member: it learns rows, unlearns them, and judges by the heads they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepward.detectors.descriptions import Descriptions
from deepward.detectors.process.bank import Bank
from deepward.detectors.process.config import ProcessConfig, Settled
from deepward.detectors.process.describing import describe_stage
from deepward.detectors.process.families import choose_family, family_by_name
from deepward.detectors.process.fitted import FittedHeads
from deepward.detectors.process.frame import Frame, fit_frame
from deepward.detectors.process.kernel import Kernel, fit_kernel
from deepward.detectors.protocol import Judgement, Samples, Stage, Unseen
from deepward.errors import TrainingError, UsageError
from deepward.media import VARIED, Laundered
from deepward.progress import Advance, Progress

__all__ = ["ProcessConfig", "ProcessMember"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ProcessMember(FittedHeads):
    """Frame, kernel, bank and the family of each source class; heads follow from them."""

    # -- learning ---------------------------------------------------------------------------------

    @classmethod
    def fit(cls, config: ProcessConfig, stage: Stage, tell: Progress) -> Self:
        """Fits frame and kernel on the stage's samples, then learns domain by domain.

        Raises:
            TrainingError: the samples hold no real, or no fake.
        """
        samples = [*stage.train.pixels, *stage.val.pixels]
        twins = Laundered(samples, VARIED)
        tell(Advance(f"{config.name}: describing", 0, len(samples), "sample"))
        frame = fit_frame(
            config.statistics,
            samples,
            twins,
            config.directions,
            config.hashed,
            stage.descriptions,
            seed=stage.seed,
            device=stage.device,
        )
        rows = describe_stage(config.name, frame, stage, tell)
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
            describe_stage(self.config.name, self.frame, stage, tell), stage.families
        )

    def adapt(self, support: Samples, stage: Stage, tell: Progress) -> Self:
        """A few samples are a small stage: their fakes become a head, or join one.

        Of a domain that is known already they join what is known of it.
        """
        small = replace(stage, train=support, val=_none_of(support))
        rows = describe_stage(self.config.name, self.frame, small, tell)
        known = self.bank[np.isin(self.bank.domains, rows.domains)]
        member = replace(self, descriptions=stage.descriptions)
        grown = member.learned(Bank.join([known, rows]), stage.families)
        return replace(grown, families={**grown.families, **self.families}, stored=None)

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
        both = np.concatenate([fakes.rows, reals.rows]).astype(np.float32)
        said = np.array([self.tried(name, both) for name in self.names])
        apart = (said[:, : len(fakes)], said[:, len(fakes) :])
        return choose_family(domain, technique, *apart, self.names)

    # -- judging ----------------------------------------------------------------------------------

    def judge(self, samples: Sequence[NDArray[Any]]) -> Judgement:
        """All that the heads say of the samples."""
        return self.judge_rows(self.frame.rows(samples, self.descriptions))

    def judge_rows(self, rows: NDArray[np.float32]) -> Judgement:
        """`judge` for samples that are described already, (N, D)."""
        means, left = self.say(rows)
        near = self.near(rows)
        logits, firm, speaking = self.joined(means, left, near)
        return Judgement(
            logits=logits,
            unfamiliarity=left.min(0) / self.bound,
            families=tuple(head.family for head in self.heads),
            speaking=speaking,
            firm=firm,
            nearest=near.argmax(1).astype(np.int64),
            domains=self.domains,
            rows=rows,
        )

    def logits(self, samples: Sequence[NDArray[Any]]) -> Doubles:
        """Log-odds of fake, (N,)."""
        return self.judge(samples).logits

    def embed(self, samples: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Rows, (N, D)."""
        return self.frame.rows(samples, self.descriptions)

    def unseen(self) -> Unseen:
        """Leave-one-group-out log-odds of every row of the bank."""
        near = self.near_known()
        logits, firm, _ = self.joined(
            np.array([fit.mean for fit in self.fits]),
            np.array([fit.left for fit in self.fits]),
            near,
        )
        bank = self.bank
        columns = (bank.labels, bank.domains, bank.groups, bank.twin)
        nearest = np.array(self.domains)[near.argmax(1)].astype(np.str_)
        return Unseen(bank.keys, logits, firm, *columns, nearest=nearest)

    def places(self, sample: NDArray[Any]) -> NDArray[np.float32]:
        """What each place adds to the log-odds of the family that speaks loudest: (h, w).

        Integrated gradients from the first stage's mean sample, exact per statistic and place.
        """
        from deepward.detectors.process.evidence import evidence_map

        return evidence_map(self, sample)

    def networks(self) -> Mapping[str, Any]:
        """None: nothing here has a gradient by the pixels."""
        return {}

    def curves(self) -> Mapping[str, Any]:
        """None: closed forms have no training to watch."""
        return {}

    # -- storing ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tensor]:
        """Frame, kernel widths, families and bank; heads follow from them."""
        named = {f"frame.{name}": tensor for name, tensor in self.frame.tensors().items()}
        named["kernel.widths"] = torch.tensor(self.kernel.widths, dtype=torch.float64)
        classes = "\n".join(f"{d}\t{t}\t{f}" for (d, t), f in sorted(self.families.items()))
        named["families"] = torch.from_numpy(np.frombuffer(classes.encode(), np.uint8).copy())
        named["settled"] = self.settled.tensor()
        if self.settled.alphas is not None:
            named["alphas"] = torch.from_numpy(self.settled.alphas)
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
        stored = Settled.of(state["settled"], state.get("alphas"))
        bank = Bank.restore(state)
        return cls(config, frame, kernel, bank, families, descriptions, stored)


def _none_of(samples: Samples) -> Samples:
    chosen: Any = samples
    nothing: Samples = chosen.subset(np.zeros(0, np.int64))
    return nothing
