"""Through an encoder and back: what every channel of the web does to a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["recompress"]

Pixels = NDArray[np.uint8]

_SUBSAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}


def recompress(
    image: Pixels, quality: int, container: str = "jpeg", subsampling: str = "4:2:0"
) -> Pixels:
    """What is left of an (H, W, 3) RGB picture after an encoder; always the same result.

    Args:
        image: uint8 RGB.
        quality: 1 to 100.
        container: "jpeg" or "webp".
        subsampling: of JPEG's colours, "4:2:0" or "4:4:4".
    """
    if container == "jpeg":
        factor = _SUBSAMPLING[subsampling]
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    else:
        options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    # The channel order matters to both encoders: they store luma and colour differences.
    written, data = cv2.imencode(f".{container}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert written, "OpenCV encodes every 8-bit RGB picture"
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None, "OpenCV decodes what it encoded"
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), dtype=np.uint8)
