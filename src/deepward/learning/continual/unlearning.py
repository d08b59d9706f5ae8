"""A domain taken out of a chain: exactly where that is possible, else by learning again."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from deepward.detectors import Detector
from deepward.errors import CannotUnlearn, TrainingError, WorkError
from deepward.learning.continual.ledger import Entry
from deepward.learning.continual.stages import StageConfig, learn_stage
from deepward.learning.training import forget_domain

if TYPE_CHECKING:
    from deepward.domains import ImageSet
    from deepward.learning.continual.chain import Chain, Workshop

__all__ = ["forgotten"]


def forgotten(
    detector: Detector,
    entry: Entry,
    chain: "Chain",
    workshop: "Workshop",
    data: "Callable[[Sequence[str]], tuple[ImageSet, ImageSet]] | None",
) -> Detector:
    """The detector without the entry's domain.

    Args:
        detector: the entry's parent, which knows the domain.
        entry: of the stage that forgets.
        chain: that the entry ends.
        workshop: device, descriptions, progress.
        data: train and val of some domains, where stages must be learned again.

    Raises:
        WorkError: stages must be learned again and cannot be.
    """
    (domain,) = entry.domains
    try:
        return forget_domain(detector, domain)
    except CannotUnlearn as error:
        if data is None:
            raise WorkError(f"{error} Their files are needed for that.") from None
        return _learned_again(entry, chain, workshop, data, str(error))


def _learned_again(
    entry: Entry,
    chain: "Chain",
    workshop: "Workshop",
    data: "Callable[[Sequence[str]], tuple[ImageSet, ImageSet]]",
    why: str,
) -> Detector:
    """Back to the stage before any forgotten domain was learned, then forward without them."""
    past = [each for each in chain.ledger.chain() if each.number < entry.number]
    gone = {name for each in [*past, entry] if each.forgot for name in each.domains}
    gone -= {n for n in chain.ledger.known(past[-1]) if n not in entry.domains}
    first = next(each for each in past if not each.forgot and gone & set(each.domains))
    now = chain.parent(first, workshop)
    if now is not None and gone & set(now.lineage.get("domains", {})):
        raise WorkError(
            f"{why} But {first.parent}, which the chain started from, has learned it too: start "
            "a chain from a detector that has not."
        )
    later = [each for each in past if each.number >= first.number and not each.forgot]
    for each in later:
        names = [name for name in each.domains if name not in gone]
        if names:
            config = StageConfig(**each.config)
            now = learn_stage(
                now,
                *data(names),
                config,
                device=workshop.device,
                descriptions=workshop.descriptions,
                progress=workshop.progress,
            )
    if now is None:
        raise TrainingError("Nothing else was ever learned: there is no detector without it.")
    history = [
        *now.lineage.get("history", []),
        {"parent": entry.parent_hash, "how": f"forgot {entry.domains[0]}, learned again"},
    ]
    now.lineage = {**now.lineage, "history": history}
    return now
