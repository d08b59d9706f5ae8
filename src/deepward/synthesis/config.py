"""Settings of synthesis, and which engine carries out which operation."""

import os
from dataclasses import dataclass, replace

from deepward.errors import SynthesisError
from deepward.media import NOUNS

__all__ = [
    "CARRIED_OUT_BY",
    "SynthesisConfig",
    "check_config",
    "engine_for",
    "of_bases",
    "stand_in_for",
]

# Without an inpainting model, a region is made anew by the encoder-decoder: it leaves the
# up-sampling traces that the decoder of a diffusion model leaves too.
CARRIED_OUT_BY: dict[str, str] = {
    "self_blend": "self_blend",
    "swap": "swap",
    "resynthesize": "resynthesize",
    "splice": "splice",
    "retouch": "retouch",
    "inpaint": "resynthesize",
}
# Of voices: words are kept and spoken anew by a signal model.
_VOICED_BY: dict[str, str] = {
    **dict.fromkeys(CARRIED_OUT_BY, "griffin-lim"),
    "splice": "source-filter",
}
_DONE = {
    "griffin-lim": "copied whole, through mel bands and back",
    "source-filter": "copied whole, by a source and a filter",
    "self_blend": "blended with themselves",
    "swap": "swapped",
    "resynthesize": "resynthesized",
    "splice": "spliced",
    "retouch": "retouched",
    "inpaint": "inpainted",
}


@dataclass(frozen=True)
class SynthesisConfig:
    """How a few-shot set is made. Paths are text, so that a config is plain JSON.

    Attributes:
        medium: of the bases, "image" or "audio"; `synthesize` sets it.
        engine: makes all fakes; None lets the operation of each edit spec decide.
        max: fakes wanted; None makes one of every base picture (or spec, if there are more).
        seed: of the order of the bases and of every engine.
        inverted: change all but the region.
        longest_side: larger bases are scaled down to it.
        grounding_dino: folder as `from_pretrained` takes it; None locates with cascades.
        sam: folder of the transformers port, or a segment-anything checkpoint (a file); None
            segments by GrabCut.
        sam_model: name in segment-anything's registry; only for a checkpoint file.
        inpainting: folder of a diffusers inpainting pipeline; with it `inpaint` is carried out.
        diffusion_steps: of the inpainting pipeline.
        device: of models: `auto`, `cpu`, `cuda` …
        batch_size: pictures that a model takes at a time.
    """

    medium: str = "image"
    engine: str | None = None
    max: int | None = None
    seed: int = 0
    inverted: bool = False
    longest_side: int = 1024
    grounding_dino: str | None = None
    sam: str | None = None
    sam_model: str = "vit_h"
    inpainting: str | None = None
    diffusion_steps: int = 50
    device: str = "auto"
    batch_size: int = 4

    @property
    def locator(self) -> str:
        """What finds the regions."""
        return "grounding_dino" if self.grounding_dino is not None else "cascade"

    @property
    def segmenter(self) -> str:
        """What makes the masks."""
        return "sam" if self.sam is not None else "grabcut"

    @property
    def uses_models(self) -> bool:
        """Whether pretrained weights take part; then one process does all the work."""
        return any(place is not None for place in (self.grounding_dino, self.sam, self.inpainting))


def engine_for(operation: str, config: SynthesisConfig) -> str:
    """The name of the engine that carries out `operation` in this configuration."""
    if config.engine is not None:
        return config.engine
    if config.medium == "audio":
        return _VOICED_BY[operation]
    if operation == "inpaint" and config.inpainting is not None:
        return "inpaint"
    return CARRIED_OUT_BY[operation]


def of_bases(config: SynthesisConfig, medium: str) -> SynthesisConfig:
    """The configuration for bases of a medium.

    Raises:
        SynthesisError: its one engine makes nothing of that medium.
    """
    of_voices = set(_VOICED_BY.values())
    named = config.engine
    if named is not None and (named in of_voices) != (medium == "audio"):
        fitting = of_voices if medium == "audio" else set(_DONE) - of_voices
        raise SynthesisError(
            f"The engine {named!r} makes nothing of {NOUNS[medium]}s; there are: "
            f"{', '.join(sorted(fitting))}."
        )
    return replace(config, medium=medium)


def stand_in_for(operation: str, config: SynthesisConfig) -> str | None:
    """Why something else than `operation` is done, and what; None where it is done itself."""
    engine = engine_for(operation, config)
    if engine == operation:
        return None
    why = "no inpainting weights"
    if config.medium == "audio":
        why = f"{operation} was asked for, voices are copied"
    if config.engine is not None:
        why = f"{operation} was asked for, {engine} was set for all"
    return f"{why}; {'regions' if config.medium == 'image' else 'they'} were {_DONE[engine]}"


def check_config(config: SynthesisConfig) -> None:
    """Finds what is wrong with a configuration before any work.

    Raises:
        SynthesisError: a value is out of range, or weights that are needed are not there.
    """
    if config.engine is not None and config.engine not in _DONE:
        there = ", ".join(sorted(_DONE))
        raise SynthesisError(f"engine is {config.engine!r}; there are: {there}.")
    ranges = {
        "max": (config.max, 1, 10_000_000),
        "seed": (config.seed, 0, 2**63 - 1),
        "longest_side": (config.longest_side, 64, 8000),
        "diffusion_steps": (config.diffusion_steps, 1, 1000),
        "batch_size": (config.batch_size, 1, 1024),
    }
    for name, (number, low, high) in ranges.items():
        if number is not None and not low <= number <= high:
            raise SynthesisError(f"{name} is {number}; it must be from {low} to {high}.")
    inpainting = "a folder with a diffusers inpainting pipeline (model_index.json)"
    if config.engine == "inpaint" and config.inpainting is None:
        raise SynthesisError(f"Weights are missing: set inpainting to {inpainting}.")
    dino = "a folder with Grounding DINO (config.json, *.safetensors)"
    sam = "a folder with SAM, or a segment-anything checkpoint"
    _check_place("grounding_dino", config.grounding_dino, "config.json", dino)
    _check_place("inpainting", config.inpainting, "model_index.json", inpainting)
    is_folder = config.sam is not None and os.path.isdir(config.sam)
    _check_place("sam", config.sam, "config.json" if is_folder else "", sam)


def _check_place(setting: str, place: str | None, marker: str, what: str) -> None:
    if place is None:
        return
    if not os.path.exists(place):
        raise SynthesisError(f"{setting} is {place}, which does not exist; give {what}.")
    if marker and not os.path.exists(os.path.join(place, marker)):
        raise SynthesisError(f"{setting} is {place}, which has no {marker}; give {what}.")
