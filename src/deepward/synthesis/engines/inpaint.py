"""Inpainting by a diffusion model: the change wanted is painted into the region.

Any diffusers inpainting pipeline (Stable Diffusion 1.5, 2, XL …) from a folder. The picture and
its mask are scaled to one square, painted, scaled back, and faded in inside the mask, so that the
model's encoder and decoder leave no trace outside it.

Source: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, CVPR 2022.
"""

import os
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.parts import Job, Mask, Pixels, Rejected
from deepward.synthesis.weights import device_of, dtype_of, loading, weights_hash

__all__ = ["InpaintEngine", "fade"]


class InpaintEngine:
    """Paints an edit spec's positive prompt into the mask.

    Attributes:
        model: name of the folder that the pipeline came from.
        model_sha256: of all its files.
    """

    name = "inpaint"
    operations = frozenset({"inpaint", "swap", "resynthesize", "retouch", "splice"})
    needs_donor = False

    def __init__(
        self,
        pipeline: Any,
        *,
        model: str,
        model_sha256: str,
        device: str = "cpu",
        side: int = 512,
        steps: int = 50,
        guidance: float = 7.5,
        feather: int = 8,
        batch_size: int = 4,
    ) -> None:
        self.pipeline = pipeline
        self.model = model
        self.model_sha256 = model_sha256
        self.device = device
        self.side = side
        self.steps = steps
        self.guidance = guidance
        self.feather = feather
        self.batch_size = batch_size

    @classmethod
    def load(cls, config: SynthesisConfig) -> "InpaintEngine":
        """Loads the folder that the configuration names.

        Raises:
            SynthesisError: it cannot be loaded.
        """
        import diffusers

        automatic: Any = diffusers.AutoPipelineForInpainting
        place = str(config.inpainting)
        device = device_of(config)
        with loading("inpainting", place):
            pipeline = automatic.from_pretrained(
                place, dtype=dtype_of(config), use_safetensors=True, local_files_only=True
            )
            pipeline.set_progress_bar_config(disable=True)
            if config.attention_slicing:
                pipeline.enable_attention_slicing()
            if config.offload and device != "cpu":
                pipeline.enable_model_cpu_offload(device=device)
            else:
                pipeline.to(device)
        return cls(
            pipeline,
            model=os.path.basename(os.path.abspath(place)),
            model_sha256=weights_hash(place),
            device=device,
            side=config.diffusion_side,
            steps=config.diffusion_steps,
            guidance=config.guidance,
            feather=config.feather,
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
            prompt=[job.spec.positive_prompt for job in jobs],
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
            guidance_scale=self.guidance,
            generator=generators,
            output_type="pil",
        )
        flagged = getattr(output, "nsfw_content_detected", None) or [False] * len(jobs)
        results: list[Pixels | Rejected] = []
        for job, image, is_flagged in zip(jobs, output.images, flagged, strict=True):
            if is_flagged:
                results.append(Rejected("refused_by_model", "The model's safety check refused it."))
                continue
            height, width = job.base.shape[:2]
            painted = np.asarray(
                image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
            )
            results.append(fade(job.base, painted, job.mask, self.feather))
        return results


def fade(base: Pixels, painted: Pixels, mask: Mask, feather: int) -> Pixels:
    """The base outside the mask; inside, the painted picture fades in over `feather` pixels.

    The picture's sides are no seam: there, nothing fades.
    """
    share: NDArray[np.float32] = mask.astype(np.float32)
    if feather > 0:
        framed = np.pad(mask.astype(np.uint8), 1, mode="edge")
        distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
        share = np.clip(distance / (feather + 1), 0, 1).astype(np.float32)
    mixed = base + share[..., None] * (painted.astype(np.float32) - base)
    return np.where(mask[..., None], np.clip(np.rint(mixed), 0, 255), base).astype(np.uint8)


def _mask_image(mask: Mask) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * 255)
