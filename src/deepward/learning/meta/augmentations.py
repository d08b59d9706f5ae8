"""The augmentation ensemble: 19 transforms, of which a random subset is chained for each use."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["TRANSFORMS", "augment_ensemble", "build_transforms"]

TRANSFORMS = (
    "horizontal_flip",
    "vertical_flip",
    "rotation",
    "colour_jitter",
    "grayscale",
    "resize",
    "crop",
    "equalize",
    "solarize",
    "perspective",
    "augmix",
    "autocontrast",
    "sharpness",
    "invert",
    "elastic",
    "blur",
    "resized_crop",
    "random_grayscale",
    "random_erasing",
)


def build_transforms(side: int) -> Mapping[str, Any]:
    """The transforms by name, of (B, 3, side, side) uint8 crops to the same shape."""
    from torchvision.transforms import v2

    smaller = max(side * 3 // 4, 1)
    made: dict[str, Any] = {
        "horizontal_flip": v2.RandomHorizontalFlip(1.0),
        "vertical_flip": v2.RandomVerticalFlip(1.0),
        "rotation": v2.RandomRotation(15),
        "colour_jitter": v2.ColorJitter(0.2, 0.2, 0.2, 0.05),
        "grayscale": v2.Grayscale(3),
        "resize": v2.Compose([v2.Resize(smaller, antialias=True), v2.Resize(side, antialias=True)]),
        "crop": v2.RandomCrop(side, padding=max(side // 8, 1), padding_mode="reflect"),
        "equalize": v2.RandomEqualize(1.0),
        "solarize": v2.RandomSolarize(192, 1.0),
        "perspective": v2.RandomPerspective(0.2, 1.0),
        "augmix": v2.AugMix(severity=2, mixture_width=2),
        "autocontrast": v2.RandomAutocontrast(1.0),
        "sharpness": v2.RandomAdjustSharpness(2.0, 1.0),
        "invert": v2.RandomInvert(1.0),
        "elastic": v2.ElasticTransform(20.0),
        "blur": v2.GaussianBlur(5, (0.3, 1.5)),
        "resized_crop": v2.RandomResizedCrop(side, (0.6, 1.0), antialias=True),
        "random_grayscale": v2.RandomGrayscale(0.5),
        "random_erasing": v2.RandomErasing(1.0, (0.02, 0.2)),
    }
    return {name: made[name] for name in TRANSFORMS}


def augment_ensemble(crops: Tensor, transforms: Mapping[str, Any]) -> Tensor:
    """A random non-empty subset in random order, one draw for all: (B, 3, S, S) in [0, 255].

    Draws from PyTorch's global generator, which the loop seeds by step.
    """
    names = list(transforms)
    count = int(torch.randint(1, len(names) + 1, ()))
    made = crops.round().clamp(0, 255).to(torch.uint8)
    for place in torch.randperm(len(names))[:count].tolist():
        made = transforms[names[place]](made)
    return made.to(crops.dtype)
