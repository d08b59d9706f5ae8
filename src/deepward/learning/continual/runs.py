"""A whole sequence learned stage by stage, each measured on every domain."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from deepward.domains import ImageSet
from deepward.errors import UsageError
from deepward.learning.continual.chain import Chain, Workshop
from deepward.learning.continual.rows import StageRow, measure_stage
from deepward.learning.continual.stages import StageConfig

if TYPE_CHECKING:
    from deepward.learning.continual.ledger import Entry

__all__ = ["run_sequence", "stage_row"]

Splits = Mapping[str, ImageSet]


def run_sequence(
    chain: Chain,
    groups: Sequence[Sequence[str]],
    sets: Mapping[str, Splits],
    versions: Mapping[str, str],
    config: StageConfig,
    workshop: Workshop,
) -> Iterator[StageRow]:
    """Yields the row of each stage as soon as it was learned; stages that are there are kept.

    Args:
        chain: empty, or begun with the same sequence.
        groups: the domains of each stage.
        sets: domain -> "train", "val" and "test"; also domains that are never learned.
        versions: domain -> version of its data.
        config, workshop: of every stage.

    Raises:
        UsageError: the chain holds stages of another sequence.
    """
    there = [entry.domains for entry in chain.ledger.chain()]
    wanted = [tuple(sorted(group)) for group in groups]
    if there != wanted[: len(there)]:
        raise UsageError(
            f"{chain.detectors} holds stages of another sequence "
            f"({', '.join('+'.join(names) for names in there)}); name another folder, or remove it."
        )

    def data(names: Sequence[str]) -> tuple[ImageSet, ImageSet]:
        train, val = (
            reduce(ImageSet.joined, [sets[n][split] for n in names]) for split in ("train", "val")
        )
        return train, val

    tests = {name: splits["test"] for name, splits in sets.items() if len(splits["test"])}
    for group in wanted:
        own = {name: versions[name] for name in group}
        entry, _ = chain.learn(own, data, config, workshop)
        yield stage_row(chain, entry, tests, workshop)


def stage_row(
    chain: Chain, entry: "Entry", tests: Mapping[str, ImageSet], workshop: Workshop
) -> StageRow:
    """What a stage shows on every domain, and its parent on the stage's own."""
    from deepward.detectors import load_detector

    load = (workshop.device, workshop.descriptions)
    place = chain.detectors / entry.detector
    cells = measure_stage(load_detector(place, *load), tests, progress=workshop.progress)
    before = {}
    if entry.parent and (chain.detectors / entry.parent / "detector.json").is_file():
        own = {name: tests[name] for name in entry.domains if name in tests}
        before = measure_stage(load_detector(chain.detectors / entry.parent, *load), own)
    return StageRow(
        stage=entry.stage,
        detector=entry.detector,
        content_hash=entry.content_hash,
        domains=() if entry.forgot else entry.domains,
        known=tuple(chain.ledger.known(entry)),
        cells=cells,
        before=before,
        seconds=entry.seconds,
        size=sum(file.stat().st_size for file in place.iterdir() if file.is_file()),
    )
