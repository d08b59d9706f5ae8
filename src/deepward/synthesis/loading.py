"""The parts of one run, loaded as its configuration names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.parts import Engine, Locator, Segmenter

__all__ = ["Parts", "load_parts"]


@dataclass(frozen=True)
class Parts:
    """The three exchangeable parts of one run; engines by name."""

    locator: Locator
    segmenter: Segmenter
    engines: Mapping[str, Engine]


def load_parts(config: SynthesisConfig, names: Sequence[str], folder: Path) -> Parts:
    """Loads what the configuration names, models included.

    Args:
        config: of the run.
        names: of the engines that are needed.
        folder: of what engines learned from the run's bases (`prepare_engines`).

    Raises:
        SynthesisError: weights cannot be loaded.
    """
    from deepward.synthesis.engines import ENGINES

    locator: Locator
    segmenter: Segmenter
    if config.locator == "grounding_dino":
        from deepward.synthesis.grounding import GroundingDinoLocator

        locator = GroundingDinoLocator.load(config)
    else:
        from deepward.synthesis.faces import CascadeLocator

        locator = CascadeLocator()
    if config.segmenter == "sam":
        from deepward.synthesis.sam import load_sam

        segmenter = load_sam(config)
    else:
        from deepward.synthesis.grabcut import GrabCutSegmenter

        segmenter = GrabCutSegmenter()
    engines: dict[str, Engine] = {}
    for name in names:
        if name == "inpaint":
            from deepward.synthesis.inpaint import InpaintEngine

            engines[name] = InpaintEngine.load(config)
        else:
            engines[name] = ENGINES[name](folder)
    return Parts(locator, segmenter, engines)
