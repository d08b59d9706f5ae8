"""Tiny labelled pictures with a real trace, for tests that train something."""

import cv2
import numpy as np

from deepward.domains import ImageSet
from deepward.files import sha256_bytes


def striped_images(
    count: int, *, side: int = 96, seed: int = 0, factor: int = 2, domain: str = "stripes"
) -> ImageSet:
    """Smooth random pictures with sensor noise; the fakes went through an up-sampling.

    A factor of two leaves a trace at native resolution alone, six one that survives rescaling.
    """
    random = np.random.default_rng(seed)
    pixels, labels = [], []
    for index in range(count):
        coarse = random.uniform(0, 255, (6, 6, 3)).astype(np.float32)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        image += random.normal(0, 6, image.shape)
        if label := index % 2:
            small = cv2.resize(
                image, (side // factor, side // factor), interpolation=cv2.INTER_AREA
            )
            image = cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST)
            image += random.normal(0, 3, image.shape)
        pixels.append(np.clip(image, 0, 255).astype(np.uint8))
        labels.append(label)
    names = [f"{domain}/{index}.png" for index in range(count)]
    return ImageSet(
        pixels=pixels,
        labels=np.array(labels, np.int64),
        domains=np.array([domain] * count),
        techniques=np.array(["" if not label else "upsampling" for label in labels]),
        groups=np.array(names),
        paths=tuple(names),
        hashes=tuple(sha256_bytes(picture.tobytes()) for picture in pixels),
        splits=("train",) * count,
    )
