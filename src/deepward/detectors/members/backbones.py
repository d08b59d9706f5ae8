"""Backbones: from feature planes (B, C, H, W) to a map (B, width, h, w) that the head pools."""

from functools import partial
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from deepward.errors import UsageError

__all__ = ["Backbone", "build_backbone"]


class Backbone(nn.Module):
    """A network without its head; `width` is the number of channels of its map."""

    width: int


class _Block(nn.Module):
    """Pre-activation residual block of two 3 x 3 convolutions (He et al., 2016)."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or inputs != width:
            self.skip = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, width, 1, bias=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(x))
        y = self.conv1(y)
        y = self.conv2(F.relu(self.norm2(y)))
        return cast(Tensor, self.skip(x) + y)


class SmallResNet(Backbone):
    """Three residual stages after a stem; trains from scratch on two cores in minutes.

    On a folded 256 px crop (48 planes of 64 x 64) it costs about 0.1 GMAC.
    """

    def __init__(self, inputs: int, widths: tuple[int, int, int] = (48, 96, 160)) -> None:
        super().__init__()
        first, second, third = widths
        self.stem = nn.Conv2d(inputs, first, 3, 1, 1, bias=False)
        self.stages = nn.Sequential(
            _Block(first, first, 2), _Block(first, second, 2), _Block(second, third, 2)
        )
        self.norm = nn.BatchNorm2d(third)
        self.width = third

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, width, H/8, W/8)
        return F.relu(self.norm(self.stages(self.stem(x))))


class TruncatedResNet(Backbone):
    """ResNet-50 cut after its second stage, as the NPR detector uses it (Tan et al., CVPR 2024).

    The stem is a 3 x 3 convolution of stride 2 followed by max pooling.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        import timm

        whole: Any = timm.create_model("resnet50", pretrained=False)
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, 64, 3, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.width = 512

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, 512, H/8, W/8)
        return cast(Tensor, self.layer2(self.layer1(self.stem(x))))


class PackagedBackbone(Backbone):
    """EfficientNet-Lite0, whose ImageNet weights come with a package: nothing is downloaded.

    It takes pixels as the representation "raw" gives them, without folding.
    """

    def __init__(self, inputs: int, pretrained: bool) -> None:
        super().__init__()
        import timm

        from deepward.detectors.statistics.encoder import packaged_model

        if inputs != 3:
            raise UsageError(
                f"The backbone 'packaged' takes 3 planes, not {inputs}: set representation to raw "
                "and fold to 1."
            )
        body: Any = packaged_model() if pretrained else timm.create_model("tf_efficientnet_lite0")
        body.classifier = nn.Identity()
        self.body: Any = body
        self.width = int(body.num_features)

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) in [-2, 2] -> (B, 1280, H/32, W/32)
        return cast(Tensor, self.body.forward_features(x / 2.0))


class TimmBackbone(Backbone):
    """Any timm model by name, without its pooling and classifier."""

    def __init__(self, name: str, inputs: int, pretrained: bool, size: int) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            similar = ", ".join(timm.list_models(f"*{name[:6]}*")[:5]) or "timm.list_models()"
            raise UsageError(f"timm has no model {name!r}; near it: {similar}.")
        try:
            self.body: Any = _create(name, inputs, pretrained, size)
        except (OSError, RuntimeError) as error:
            raise UsageError(
                f"The pretrained weights of timm's {name!r} are not at hand ({error}). "
                "Set HF_HOME to a cache that holds them, or train from scratch."
            ) from error
        self.width = int(self.body.num_features)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, width, h, w)
        features = cast(Tensor, self.body.forward_features(x))
        if features.ndim == 3:  # tokens (B, T, width) of a transformer
            features = features.transpose(1, 2).unsqueeze(-1)
        elif features.ndim == 4 and features.shape[1] != self.width:  # channels last
            features = features.permute(0, 3, 1, 2)
        return features


def _create(name: str, inputs: int, pretrained: bool, size: int) -> Any:
    import timm

    create = partial(timm.create_model, name, pretrained=pretrained, in_chans=inputs, num_classes=0)
    try:  # transformers must be told the size of their input
        return create(img_size=size)
    except TypeError:
        return create()


def build_backbone(name: str, inputs: int, *, pretrained: bool, size: int) -> Backbone:
    """Builds a backbone for `inputs` planes of `size` pixels.

    Raises:
        UsageError: timm does not know the name, or its weights are not at hand.
    """
    if name == "small":
        return SmallResNet(inputs)
    if name == "packaged":
        return PackagedBackbone(inputs, pretrained)
    if name == "npr":
        return TruncatedResNet(inputs)
    return TimmBackbone(name, inputs, pretrained, size)
