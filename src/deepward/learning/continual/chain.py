"""The chain of stages on disk: where a stage stands, what it is learned from, and its entry.

A stage that is there already keeps its place: learned again it starts from the parent that the
ledger recorded, so the same data and settings give the same bytes. A new one goes on from the head.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.errors import DetectorFileError, WorkError
from deepward.learning.continual.ledger import FORGOT, LEARNED, Entry, Ledger, stage_name
from deepward.steps import Artefact, Step, ensure, resume

if TYPE_CHECKING:
    from deepward.detectors import Descriptions, Detector
    from deepward.domains import ImageSet
    from deepward.learning.continual.stages import StageConfig
    from deepward.progress import Progress

    # Train and val of the named domains.
    DataOf = Callable[[Sequence[str]], tuple[ImageSet, ImageSet]]

__all__ = ["STANDS_ON", "Chain", "Workshop", "stored_hash"]

# What the bytes of a stage follow from; see `deepward.versions.code_version`.
STANDS_ON = (
    "deepward.learning.continual.learn_stage",
    "deepward.detectors.save_detector",
    "deepward.domains.load_images",
)


@dataclass(frozen=True)
class Workshop:
    """What learning a stage needs beside its data.

    Attributes:
        device: of networks and encoders.
        descriptions: what samples were described as before.
        progress: told of each part of the work.
        summarize: what the card of a detector says of it.
    """

    device: str
    descriptions: "Descriptions"
    progress: "Progress"
    summarize: "Callable[[Detector], Mapping[str, Any]]" = lambda detector: {}


@dataclass(frozen=True)
class Chain:
    """Stages of one ledger and their detectors.

    Attributes:
        ledger: of the stages.
        detectors: the folder that holds a folder per detector.
        work: a folder for checkpoints of unfinished stages.
        start: name of the detector that the first stage goes on from; "" to fit from nothing.
        code: version of the code that learns a stage.
    """

    ledger: Ledger
    detectors: Path
    work: Path
    start: str = ""
    code: str = ""

    def learn(
        self,
        versions: Mapping[str, str],
        data: "DataOf",
        config: "StageConfig",
        workshop: Workshop,
        *,
        rebase: bool = False,
        refresh: bool = False,
    ) -> tuple[Entry, Artefact]:
        """Learns one stage, unless it is there; others that want to wait.

        Args:
            versions: domain -> version of its data, of the stage's domains.
            data: gives train and val of some domains when they are needed.
            config: how it is learned.
            workshop: device, descriptions, progress.
            rebase: start from the head, also where the stage was learned before.
            refresh: learn it anew even if nothing changed.

        Raises:
            WorkError: the recorded parent is gone, or is no longer what it was.
        """
        from deepward.learning.continual.stages import learn_stage

        domains = tuple(sorted(versions))
        with self.ledger.writing():
            self._forget_again(workshop, data)
            number, parent, parent_hash = self._place(domains, rebase)

            def learn(detector: "Detector | None", checkpoints: Path) -> "Detector":
                # Joint learning starts over, with all that was known.
                before = [e for e in self.ledger.chain() if e.number < number]
                past = self.ledger.known(before[-1]) if before and config.keeping().joint else []
                return learn_stage(
                    detector,
                    *data([*(name for name in past if name not in domains), *domains]),
                    config,
                    checkpoints=checkpoints,
                    device=workshop.device,
                    descriptions=workshop.descriptions,
                    progress=workshop.progress,
                )

            inputs = {f"domain_manifest/{name}": version for name, version in versions.items()}
            stage = "+".join(domains)
            entry = Entry(
                stage=stage,
                number=number,
                how=LEARNED,
                domains=domains,
                detector=stage_name(number, stage),
                content_hash="",
                parent=parent,
                parent_hash=parent_hash,
                config=config.as_dict(),
                data=dict(versions),
            )
            return self._made(entry, inputs, learn, workshop, refresh)

    def forget(
        self, domain: str, workshop: Workshop, data: "DataOf | None" = None
    ) -> tuple[Entry, Artefact]:
        """One more stage, which takes a domain out of the head, unless that happened before.

        Exact where every member can unlearn. Where one cannot, the chain goes back to the stage
        before the domain was learned, and learns the later ones again without it.

        Args:
            domain: to forget.
            workshop: device, descriptions, progress.
            data: train and val of some domains, for stages that must be learned again.

        Raises:
            WorkError: the chain does not know the domain, or cannot go back before it.
        """
        with self.ledger.writing():
            if there := self.ledger.forgotten(domain):
                return self._forgotten(there, workshop, data)
            head = self.ledger.head()
            if head is None or domain not in self.ledger.known():
                known = ", ".join(self.ledger.known()) or "nothing"
                raise WorkError(f"The stages never learned {domain!r}; they know {known}.")
            stage = f"forgot-{domain}"
            entry = Entry(
                stage=stage,
                number=head.number + 1,
                how=FORGOT,
                domains=(domain,),
                detector=stage_name(head.number + 1, stage),
                content_hash="",
                parent=head.detector,
                parent_hash=head.content_hash,
            )
            return self._forgotten(entry, workshop, data)

    def _forgotten(
        self, entry: Entry, workshop: Workshop, data: "DataOf | None"
    ) -> tuple[Entry, Artefact]:
        def forget(detector: "Detector | None", checkpoints: Path) -> "Detector":
            from deepward.learning.continual.unlearning import forgotten

            assert detector is not None
            return forgotten(detector, entry, self, workshop, data)

        return self._made(entry, {}, forget, workshop, False)

    def _forget_again(self, workshop: Workshop, data: "DataOf | None") -> None:
        """Stages that forgot follow by themselves when what they stand on was learned anew."""
        for entry in self.ledger.chain():
            parent = next((e for e in self.ledger.chain() if e.detector == entry.parent), None)
            if entry.forgot and parent and parent.content_hash != entry.parent_hash:
                self._forgotten(replace(entry, parent_hash=parent.content_hash), workshop, data)

    def _place(self, domains: Sequence[str], rebase: bool) -> tuple[int, str, str]:
        """Number, parent and the parent's hash of the stage that learns these domains."""
        chain = {entry.detector: entry for entry in self.ledger.chain()}
        stage = "+".join(domains)
        there = [e for e in chain.values() if e.stage == stage and not e.forgot]
        if there and not rebase:
            recorded = there[-1]
            now = chain.get(recorded.parent)  # a parent that was learned anew is the parent still
            return (
                recorded.number,
                recorded.parent,
                now.content_hash if now else recorded.parent_hash,
            )
        head = self.ledger.head()
        if head is not None:
            return head.number + 1, head.detector, head.content_hash
        if not self.start:
            return 0, "", ""
        return 0, self.start, stored_hash(self.detectors / self.start)

    def _made(
        self,
        entry: Entry,
        inputs: Mapping[str, str],
        learn: "Callable[[Detector | None, Path], Detector]",
        workshop: Workshop,
        refresh: bool,
    ) -> tuple[Entry, Artefact]:
        config = {**entry.config, "number": entry.number, "domains": list(entry.domains)}
        step = Step(
            "continual_checkpoints" if not entry.forgot else "forget",
            {**inputs, f"detector/{entry.parent or 'none'}": entry.parent_hash},
            config,
            self.code,
        )
        checkpoints = self.work / step.key

        def make(folder: Path) -> Mapping[str, Any]:
            from deepward.detectors import save_detector

            detector = learn(self.parent(entry, workshop), resume(checkpoints, step))
            save_detector(detector, folder)
            return {"content_hash": detector.content_hash, **workshop.summarize(detector)}

        path = self.detectors / entry.detector
        made = ensure(path, step, make, folder=True, refresh=refresh)
        shutil.rmtree(checkpoints, ignore_errors=True)  # nothing left to resume
        facts = vars(entry) | {"content_hash": stored_hash(path), "seconds": made.card.made_in}
        return self.ledger.append(Entry(**facts)), made

    def parent(self, entry: Entry, workshop: Workshop) -> "Detector | None":
        """The detector that a stage goes on from; None where it was fitted from nothing.

        Raises:
            WorkError: it is gone, or no longer what it was.
        """
        if not entry.parent:
            return None
        from deepward.detectors import load_detector

        try:
            parent = load_detector(
                self.detectors / entry.parent, workshop.device, workshop.descriptions
            )
        except DetectorFileError as error:
            raise WorkError(
                f"{entry.detector} was learned from {entry.parent}, which cannot be read: {error} "
                "Materialize that stage first, or learn this one again from the head (rebase)."
            ) from None
        if parent.content_hash != entry.parent_hash:
            raise WorkError(
                f"{entry.detector} goes on from {entry.parent} as it was "
                f"({entry.parent_hash[:12]}), but {self.detectors / entry.parent} holds another "
                f"detector now ({parent.content_hash[:12]}): put the old one back, or learn the "
                "stage again from the head (rebase)."
            )
        return parent


def stored_hash(folder: Path) -> str:
    """Content hash of a stored detector, as its file says, without loading it.

    Raises:
        DetectorFileError: there is none.
    """
    import json

    try:
        found = json.loads((folder / "detector.json").read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DetectorFileError(f"There is no detector in {folder} ({error}).") from None
    return str(found)
