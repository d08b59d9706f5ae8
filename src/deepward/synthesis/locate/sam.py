"""Segment Anything turns a box into the mask of what it holds.

Source: Kirillov et al., Segment Anything, ICCV 2023. Both ways to run it: the transformers port
from a folder, and segment-anything's own predictor from a checkpoint and the name of a model.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from deepward.errors import SynthesisError
from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.interfaces import Box, Mask, Pixels, Segmenter
from deepward.synthesis.models import device_of, loading

__all__ = ["SamPredictorSegmenter", "SamTransformersSegmenter", "load_sam"]


def load_sam(config: SynthesisConfig) -> Segmenter:
    """Loads what `config.sam` names: a folder of the port, or a checkpoint file.

    Raises:
        SynthesisError: it cannot be loaded.
    """
    place = str(config.sam)
    with loading("sam", place):
        if os.path.isdir(place):
            return SamTransformersSegmenter.load(config)
        return SamPredictorSegmenter.load(config)


class SamTransformersSegmenter:
    """The transformers port, in batches; one mask per box."""

    name = "sam"

    def __init__(self, model: Any, processor: Any, batch_size: int = 4) -> None:
        self.model = model
        self.processor = processor
        self.batch_size = batch_size

    @classmethod
    def load(cls, config: SynthesisConfig) -> "SamTransformersSegmenter":
        """Loads a folder as `from_pretrained` takes it."""
        import transformers

        place = str(config.sam)
        port: Any = transformers  # its own types say less than its documentation
        processor = port.SamProcessor.from_pretrained(place, local_files_only=True)
        model = port.SamModel.from_pretrained(place, local_files_only=True, use_safetensors=True)
        return cls(model.to(device_of(config)).eval(), processor, config.batch_size)

    def segment(self, images: Sequence[Pixels], boxes: Sequence[Box]) -> list[Mask]:
        """For each picture the mask (H, W) of what its box holds."""
        masks: list[Mask] = []
        for start in range(0, len(images), self.batch_size):
            part = slice(start, start + self.batch_size)
            # One picture size at a time: the port scales every box by the first picture's size.
            masks += self._segment(images[part], boxes[part])
        return masks

    def _segment(self, images: Sequence[Pixels], boxes: Sequence[Box]) -> list[Mask]:
        import torch

        masks: dict[int, Mask] = {}
        sizes = [image.shape[:2] for image in images]
        for size in dict.fromkeys(sizes):
            members = [index for index, other in enumerate(sizes) if other == size]
            inputs = self.processor(
                images=[np.array(images[index]) for index in members],
                input_boxes=[[_corners(boxes[index])] for index in members],
                return_tensors="pt",
            )
            original, reshaped = inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes")
            inputs = inputs.to(self.model.device, self.model.dtype)
            with torch.inference_mode():
                outputs = self.model(**inputs, multimask_output=False)
            found = self.processor.post_process_masks(
                outputs.pred_masks.float().cpu(), original, reshaped
            )  # per picture (boxes, masks, H, W)
            for index, mask in zip(members, found, strict=True):
                masks[index] = np.asarray(mask[0, 0].numpy(), np.bool_)
        return [masks[index] for index in range(len(images))]


class SamPredictorSegmenter:
    """segment-anything's predictor, picture by picture."""

    name = "sam"

    def __init__(self, predictor: Any) -> None:
        self.predictor = predictor

    @classmethod
    def load(cls, config: SynthesisConfig) -> "SamPredictorSegmenter":
        """Builds the model that the registry knows by name and loads a checkpoint's tensors.

        The registry's own way would unpickle the file; here nothing but tensors is taken from it.
        """
        from segment_anything import (  # type: ignore[import-untyped]
            SamPredictor,
            sam_model_registry,
        )

        if config.sam_model not in sam_model_registry:
            there = ", ".join(sorted(sam_model_registry))
            raise SynthesisError(f"sam_model is {config.sam_model!r}; there are: {there}.")
        model = sam_model_registry[config.sam_model](checkpoint=None)
        model.load_state_dict(_tensors(str(config.sam)))
        return cls(SamPredictor(model.to(device_of(config)).eval()))

    def segment(self, images: Sequence[Pixels], boxes: Sequence[Box]) -> list[Mask]:
        """For each picture the mask (H, W) of what its box holds."""
        masks: list[Mask] = []
        for image, box in zip(images, boxes, strict=True):
            self.predictor.set_image(np.ascontiguousarray(image), "RGB")
            found, _, _ = self.predictor.predict(
                box=np.array(_corners(box)), multimask_output=False
            )  # (1, H, W)
            masks.append(np.asarray(found[0], np.bool_))
        return masks


def _corners(box: Box) -> list[float]:
    return [box.left, box.top, box.right, box.bottom]


def _tensors(place: str) -> Any:
    if place.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(place)
    import torch

    return torch.load(place, map_location="cpu", weights_only=True)
