"""Settings of synthesis, and which engine carries out which operation."""

import os
from dataclasses import dataclass
from typing import Literal

from deepward.errors import SynthesisError

__all__ = ["CARRIED_OUT_BY", "SynthesisConfig", "check_config", "engine_for"]

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


@dataclass(frozen=True)
class SynthesisConfig:
    """How a few-shot set is made. Paths are text, so that a config is plain JSON.

    Attributes:
        locator: finds the region: `cascade` needs no weights, `grounding_dino` a folder of them.
        segmenter: makes the mask: `grabcut` needs no weights, `sam` a checkpoint.
        engine: makes all fakes; None lets the operation of each edit spec decide.
        max: fakes wanted; None makes one of every base picture (or spec, if there are more).
        seed: of the order of the bases and of every engine.
        mask_mode: `normal` changes the region, `inverted` all but the region.
        grounding_dino: folder as `from_pretrained` takes it.
        sam: folder of the transformers port, or a segment-anything checkpoint (a file).
        sam_model: name in segment-anything's registry; only for a checkpoint file.
        inpainting: folder of a diffusers inpainting pipeline; with it `inpaint` is carried out.
        box_threshold, text_threshold: of Grounding DINO, (0, 1).
        device: `auto`, `cpu`, `cuda` …
        dtype: `auto` is bfloat16 on a GPU, else float32.
        batch_size: pictures that a model takes at a time.
        diffusion_side: pixels of the square that is inpainted; a multiple of 8.
        diffusion_steps, guidance: of the inpainting pipeline.
        feather: pixels over which an inpainted region fades in, inside the mask.
        attention_slicing, offload: save GPU memory at the price of speed.
        quality: of every JPEG file, real or fake.
        shortest_side, longest_side: smaller bases are refused, larger ones scaled down.
        least_mask, most_mask: share of the picture that a mask may cover.
        least_change: mean absolute difference inside the mask, of 255, below which a fake counts
            as unchanged.
        attempts: with `max`, samples tried per fake wanted before giving up.
        chunk: base pictures that a worker takes at a time; donors come from the same chunk.
    """

    locator: str = "cascade"
    segmenter: str = "grabcut"
    engine: str | None = None
    max: int | None = None
    seed: int = 0
    mask_mode: Literal["normal", "inverted"] = "normal"
    grounding_dino: str | None = None
    sam: str | None = None
    sam_model: str = "vit_h"
    inpainting: str | None = None
    box_threshold: float = 0.3
    text_threshold: float = 0.25
    device: str = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    batch_size: int = 4
    diffusion_side: int = 512
    diffusion_steps: int = 50
    guidance: float = 7.5
    feather: int = 8
    attention_slicing: bool = False
    offload: bool = False
    quality: int = 95
    shortest_side: int = 64
    longest_side: int = 1024
    least_mask: float = 0.001
    most_mask: float = 0.98
    least_change: float = 2.0
    attempts: int = 4
    chunk: int = 8

    @property
    def uses_models(self) -> bool:
        """Whether pretrained weights take part; then one process does all the work."""
        return (
            self.locator == "grounding_dino"
            or self.segmenter == "sam"
            or self.inpainting is not None
            or self.engine == "inpaint"
        )


def engine_for(operation: str, config: SynthesisConfig) -> str:
    """The name of the engine that carries out `operation` in this configuration."""
    if config.engine is not None:
        return config.engine
    if operation == "inpaint" and config.inpainting is not None:
        return "inpaint"
    return CARRIED_OUT_BY[operation]


def check_config(config: SynthesisConfig) -> None:
    """Finds what is wrong with a configuration before any work.

    Raises:
        SynthesisError: a value is out of range, or weights that are needed are not there.
    """
    from deepward.synthesis.engines import ENGINES

    engines = sorted({*ENGINES, "inpaint"})
    choices = {
        "locator": (config.locator, ("cascade", "grounding_dino")),
        "segmenter": (config.segmenter, ("grabcut", "sam")),
        "mask_mode": (config.mask_mode, ("normal", "inverted")),
        "engine": (config.engine, (None, *engines)),
        "dtype": (config.dtype, ("auto", "float32", "bfloat16", "float16")),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            there = ", ".join(str(choice) for choice in allowed if choice is not None)
            raise SynthesisError(f"{name} is {value!r}; there are: {there}.")
    ranges = {
        "max": (config.max, 1, 10_000_000),
        "seed": (config.seed, 0, 2**63 - 1),
        "quality": (config.quality, 1, 100),
        "box_threshold": (config.box_threshold, 0, 1),
        "text_threshold": (config.text_threshold, 0, 1),
        "batch_size": (config.batch_size, 1, 1024),
        "diffusion_side": (config.diffusion_side, 8, 4096),
        "diffusion_steps": (config.diffusion_steps, 1, 1000),
        "feather": (config.feather, 0, 1024),
        "shortest_side": (config.shortest_side, 32, 8000),
        "longest_side": (config.longest_side, config.shortest_side, 8000),
        "least_mask": (config.least_mask, 0, 1),
        "most_mask": (config.most_mask, config.least_mask, 1),
        "least_change": (config.least_change, 0, 255),
        "attempts": (config.attempts, 1, 1000),
        "chunk": (config.chunk, 1, 1024),
    }
    for name, (number, low, high) in ranges.items():
        if number is not None and not low <= number <= high:
            raise SynthesisError(f"{name} is {number}; it must be from {low} to {high}.")
    if config.diffusion_side % 8:
        raise SynthesisError(
            f"diffusion_side is {config.diffusion_side}; inpainting needs a multiple of 8."
        )
    _check_weights(config)


def _check_weights(config: SynthesisConfig) -> None:
    needed = {
        "grounding_dino": (config.locator == "grounding_dino", config.grounding_dino),
        "sam": (config.segmenter == "sam", config.sam),
        "inpainting": (
            config.engine == "inpaint" or config.inpainting is not None,
            config.inpainting,
        ),
    }
    what = {
        "grounding_dino": "a folder with Grounding DINO (config.json, *.safetensors)",
        "sam": "a folder with SAM, or a segment-anything checkpoint",
        "inpainting": "a folder with a diffusers inpainting pipeline (model_index.json)",
    }
    for name, (is_needed, place) in needed.items():
        if not is_needed:
            continue
        if place is None:
            raise SynthesisError(f"Weights are missing: set {name} to {what[name]}.")
        if not os.path.exists(place):
            raise SynthesisError(f"{name} is {place}, which does not exist; give {what[name]}.")
        marker = {"grounding_dino": "config.json", "inpainting": "model_index.json"}.get(
            name, "config.json" if os.path.isdir(place) else ""
        )
        if not os.path.exists(os.path.join(place, marker) if marker else place):
            raise SynthesisError(f"{name} is {place}, which has no {marker}; give {what[name]}.")
