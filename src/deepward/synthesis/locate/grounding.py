"""Grounding DINO finds a phrase in a picture.

Source: Liu et al., Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object
Detection, ECCV 2024; the transformers port. Thresholds and default phrase as in the reference.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deepward.synthesis.config import SynthesisConfig
from deepward.synthesis.interfaces import Box, Pixels
from deepward.synthesis.models import device_of, loading

__all__ = ["FACE_PHRASE", "GroundingDinoLocator"]

BOX_THRESHOLD, TEXT_THRESHOLD = 0.3, 0.25
FACE_PHRASE = "person face"  # finds more than "face" alone, which is on clocks and cliffs too


class GroundingDinoLocator:
    """Boxes of any phrase, best first."""

    name = "grounding_dino"

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        batch_size: int = 4,
    ) -> None:
        self.model = model
        self.processor = processor
        self.batch_size = batch_size

    @classmethod
    def load(cls, config: SynthesisConfig) -> "GroundingDinoLocator":
        """Loads the folder that the configuration names.

        Raises:
            SynthesisError: it cannot be loaded.
        """
        import transformers

        place = str(config.grounding_dino)
        port: Any = transformers  # its own types say less than its documentation
        with loading("grounding_dino", place):
            processor = port.AutoProcessor.from_pretrained(place, local_files_only=True)
            model = port.AutoModelForZeroShotObjectDetection.from_pretrained(
                place, local_files_only=True, use_safetensors=True
            )
            model = model.to(device_of(config)).eval()
        return cls(
            model,
            processor,
            batch_size=config.batch_size,
        )

    def locate(self, images: Sequence[Pixels], phrases: Sequence[str]) -> list[list[Box]]:
        """For each picture the boxes of its phrase; an empty list for nothing found."""
        found: list[list[Box]] = []
        for start in range(0, len(images), self.batch_size):
            part = slice(start, start + self.batch_size)
            found += self._locate(images[part], phrases[part])
        return found

    def _locate(self, images: Sequence[Pixels], phrases: Sequence[str]) -> list[list[Box]]:
        import torch

        # A list per picture, since a plain list of texts would be read as labels of one picture.
        texts = [[_text(phrase)] for phrase in phrases]
        copies = [np.array(image) for image in images]  # torch wants to be able to write
        inputs = self.processor(images=copies, text=texts, padding=True, return_tensors="pt")
        inputs = inputs.to(self.model.device)
        with torch.inference_mode():
            outputs = self.model(**inputs)
        results = self.processor.post_process_grounded_object_detection(
            outputs,
            inputs["input_ids"],
            threshold=BOX_THRESHOLD,
            text_threshold=TEXT_THRESHOLD,
            target_sizes=[image.shape[:2] for image in images],
        )
        return [
            _boxes(result, image, phrase)
            for result, image, phrase in zip(results, images, phrases, strict=True)
        ]


def _text(phrase: str) -> str:
    """Lower case without stops, which the model reads as the end of one label."""
    plain = " ".join(phrase.lower().replace(".", " ").split())
    return FACE_PHRASE if plain in ("", "face") else plain


def _boxes(result: Any, image: Pixels, phrase: str) -> list[Box]:
    height, width = image.shape[:2]
    boxes = []
    scores = result["scores"].float().tolist()
    for score, (x0, y0, x1, y1) in zip(scores, result["boxes"].float().tolist(), strict=True):
        left, top = max(0.0, x0), max(0.0, y0)
        right, bottom = min(float(width), x1), min(float(height), y1)
        if right - left >= 1 and bottom - top >= 1:
            boxes.append(Box(left, top, right, bottom, score, phrase))
    return sorted(boxes, key=lambda box: (-box.score, box.left, box.top))
