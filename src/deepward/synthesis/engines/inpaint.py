"""Inpainting by a diffusion model: the change wanted is painted into the region.

Any diffusers inpainting pipeline (Stable Diffusion 1.5, 2, XL …) from a folder. The picture and
its mask are scaled to the square that the model was trained on, painted, scaled back, and faded in
inside the mask, so that the model's encoder and decoder leave no trace outside it.

Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, CVPR 2022.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.engines.blending import Floats, blend, feathered
from deepward.synthesis.interfaces import Job, Mask, Pixels, Rejected
from deepward.synthesis.models import device_of, loading, weights_hash

__all__ = ["InpaintEngine", "fade"]

_GUIDANCE = 7.5
_FEATHER = 8  # pixels over which the region fades in


class InpaintEngine:
    """Paints an edit spec's positive prompt into the mask.

    Args:
        pipeline: of diffusers, on its device.
        model: name of the folder that it came from.
        model_sha256: of all its files.
        steps: of denoising, at full strength.
        batch_size: pictures at a time.
    """

    name = "inpaint"
    is_composite = False
    needs_donor = False
    follows_prompt = True

    def __init__(
        self, pipeline: Any, *, model: str, model_sha256: str, steps: int = 50, batch_size: int = 4
    ) -> None:
        self.pipeline = pipeline
        self.model = model
        self.model_sha256 = model_sha256
        self.steps = steps
        self.batch_size = batch_size
        network = getattr(pipeline, "unet", None) or pipeline.transformer
        self.side = int(network.config.sample_size * pipeline.vae_scale_factor)

    @classmethod
    def load(cls, config: SynthesisConfig) -> "InpaintEngine":
        """Loads the folder that the configuration names; bfloat16 on a GPU, else float32.

        Raises:
            SynthesisError: it cannot be loaded.
        """
        import diffusers
        import torch

        automatic: Any = diffusers.AutoPipelineForInpainting
        place = str(config.inpainting)
        device = device_of(config)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        with loading("inpainting", place):
            pipeline = automatic.from_pretrained(
                place, dtype=dtype, use_safetensors=True, local_files_only=True
            )
            pipeline.set_progress_bar_config(disable=True)
            pipeline.to(device)
        return cls(
            pipeline,
            model=os.path.basename(os.path.abspath(place)),
            model_sha256=weights_hash(place),
            steps=config.diffusion_steps,
            batch_size=config.batch_size,
        )

    def make(self, jobs: Sequence[Job]) -> list[Pixels | Rejected]:
        """One picture per job; jobs of one strength go through the model together."""
        made: dict[int, Pixels | Rejected] = {}
        for strength in dict.fromkeys(job.spec.strength for job in jobs):
            members = [index for index, job in enumerate(jobs) if job.spec.strength == strength]
            results = self._paint([jobs[index] for index in members], strength)
            made |= dict(zip(members, results, strict=True))
        return [made[index] for index in range(len(jobs))]

    def _paint(self, jobs: Sequence[Job], strength: float) -> list[Pixels | Rejected]:
        import torch

        square = (self.side, self.side)
        # On the CPU, whatever the device, so that a seed means the same noise everywhere.
        generators = [torch.Generator("cpu").manual_seed(job.seed % 2**63) for job in jobs]
        output = self.pipeline(
            prompt=[job.prompt for job in jobs],
            negative_prompt=[job.spec.negative_prompt for job in jobs],
            image=[
                Image.fromarray(job.base).resize(square, Image.Resampling.LANCZOS) for job in jobs
            ],
            mask_image=[
                _mask_image(job.mask).resize(square, Image.Resampling.NEAREST) for job in jobs
            ],
            height=self.side,
            width=self.side,
            strength=max(strength, 1.0 / self.steps),  # fewer than one step is an error
            num_inference_steps=self.steps,
            guidance_scale=_GUIDANCE,
            generator=generators,
            output_type="np",  # a picture would turn what is no number to black
        )
        flagged = getattr(output, "nsfw_content_detected", None) or [False] * len(jobs)
        return [
            Rejected("refused_by_model", "The model's safety check refused it.")
            if is_flagged
            else _faded_in(job, image)
            for job, image, is_flagged in zip(jobs, output.images, flagged, strict=True)
        ]


def _faded_in(job: Job, painted: Floats) -> Pixels | Rejected:
    """What the model painted, (side, side, 3) in [0, 1], in the picture; or what is wrong with it.

    Decoders in half precision overflow now and then: to values that are no numbers, or to black.
    """
    if not np.isfinite(painted).all():
        return Rejected("not_finite", "The model's picture holds values that are no numbers.")
    levels = (painted * 255).round().astype(np.uint8)
    if not levels.any():
        return Rejected("black", "The model's picture is black.")
    height, width = job.base.shape[:2]
    scaled = Image.fromarray(levels).resize((width, height), Image.Resampling.LANCZOS)
    return fade(job.base, np.asarray(scaled), job.mask, _FEATHER)


def fade(base: Pixels, painted: Pixels, mask: Mask, feather: int) -> Pixels:
    """The base outside the mask; inside, the painted picture fades in over `feather` pixels."""
    alpha = feathered(mask, feather)
    mixed = blend(base.astype(np.float32), painted.astype(np.float32), alpha)
    return np.rint(mixed).astype(np.uint8)


def _mask_image(mask: Mask) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)
