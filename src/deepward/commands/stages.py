"""The ledger of stages below `DEEPWARD_HOME`, as commands add to it."""

from pathlib import Path
from typing import TYPE_CHECKING

from deepward.commands.options import detector_at
from deepward.home import descriptions_file, home, stages_folder

if TYPE_CHECKING:
    from deepward.learning.continual.chain import Chain, Workshop
    from deepward.progress import Progress

__all__ = ["ledger_of"]


def ledger_of(
    detector: Path | None, medium: str, progress: "Progress"
) -> "tuple[Chain, Workshop] | None":
    """The chain that a detector is the newest stage of; None where it is not in the ledger.

    Args:
        detector: its folder; None: the one that is used by default.
        medium: that it judges.
        progress: told of what is done with the chain.
    """
    from deepward.learning.continual.ledger import Ledger

    ledger, place = Ledger(stages_folder(medium)), home() / "detectors"
    head, asked = ledger.head(), detector_at(detector, medium)
    if head is None or (place / head.detector).resolve() != asked.resolve():
        return None
    from deepward.detectors import Descriptions
    from deepward.learning.continual.chain import STANDS_ON, Chain, Workshop
    from deepward.versions import code_version

    chain = Chain(ledger, place, home() / "training", "", code_version(*STANDS_ON))
    return chain, Workshop("cpu", Descriptions(descriptions_file()), progress)
