"""The member that is trained by gradient descent: representation, backbone, pooled linear head."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepward.detectors.members.backbones import build_backbone
from deepward.detectors.members.representations import build_representation
from deepward.pictures.crops import scoring_crops

__all__ = ["Network", "NetworkConfig"]

_BLOCK = 32  # pictures, and then crops, that are held at once


@dataclass(frozen=True)
class NetworkConfig:
    """A network trained by gradient descent on native-resolution crops.

    Attributes:
        name: the member's name inside its detector.
        representation: names of `deepward.detectors.REPRESENTATIONS`, concatenated on channels.
        backbone: "small", "npr", "packaged" (EfficientNet-Lite0), or any timm model name.
        pretrained: start from pretrained weights: those of a package for "packaged"; timm's must
            be at hand.
        crop: side of the square crop in pixels; smaller pictures are padded by reflection.
        jitter: how far a training crop may lie from the centre, in pixels.
        fold: space-to-depth factor before the backbone; keeps every pixel at less cost.
        learning_rate: peak of the schedule.
        optimizer: "adamw" or "sgd"; momentum: of "sgd".
        batch_size: crops in a training step.
        consistency: weight of holding degraded twins to their originals; 0 is off. Half of the
            crops of a step are twins then.
        noised: weight of the KL divergence between predictions on twins with noise and on their
            originals; 0 is off. Twins are then noisy and not degraded.
        contrast: weight of InfoNCE, which pulls reals together and pushes fakes away; 0 is off.
        reversal: how much of a domain head's gradient reaches the backbone, reversed: "ganin",
            or a number ("0" only watches); "" has no such head.
        warp: share of training pictures whose grid is distorted.
        ema: decay of the weights' moving average.
        looks: how often the held-out samples are looked at in a training of so many steps: the
            weights that tell them best are kept; 0 keeps the last ones.
        adapt_steps, adapt_rate: plain gradient steps over all of a few samples, as a meta-trained
            network adapts; 0 steps: by fine-tuning.
        share: this member's part of the training time, relative to the other networks.
        kind: "network".
        medium: what it takes.
    """

    name: str = "network"
    representation: tuple[str, ...] = ("residual",)
    backbone: str = "small"
    pretrained: bool = False
    crop: int = 256
    jitter: int = 16
    fold: int = 4
    learning_rate: float = 2e-3
    optimizer: str = "adamw"
    momentum: float = 0.9
    batch_size: int = 32
    consistency: float = 0.0
    noised: float = 0.0
    contrast: float = 0.0
    reversal: str = ""
    warp: float = 0.0
    ema: float = 0.98
    looks: int = 0
    adapt_steps: int = 0
    adapt_rate: float = 0.01
    share: float = 1.0
    kind: str = "network"
    medium: str = "image"


class Network(nn.Module):
    """Crops of native pixels to one logit each, higher for fake.

    Args:
        config: representation, backbone and crop.
        seed: of the initial weights.
    """

    def __init__(self, config: NetworkConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.representation = build_representation(config.representation, config.fold)
            self.backbone = build_backbone(
                config.backbone,
                self.representation.channels,
                pretrained=config.pretrained,
                size=config.crop // config.fold,
            )
            self.dropout = nn.Dropout(0.2)
            self.head = nn.Linear(self.backbone.width, 1)
        self.to(memory_format=torch.channels_last)

    def feature_map(self, crops: Tensor) -> Tensor:
        """Maps (B, 3, crop, crop) crops in [0, 255] to (B, width, h, w)."""
        x = self.representation(crops.float() / 255.0)
        features: Tensor = self.backbone(x.contiguous(memory_format=torch.channels_last))
        return features

    def embed(self, crops: Tensor) -> Tensor:
        """The pooled feature, before dropout: (B, 3, crop, crop) to (B, width)."""
        return self.feature_map(crops).mean((2, 3))

    def classify(self, embeddings: Tensor) -> Tensor:
        """Logits of pooled features: (B, width) to (B,)."""
        logits: Tensor = self.head(self.dropout(embeddings)).squeeze(1)
        return logits

    def forward(self, crops: Tensor) -> Tensor:  # (B, 3, crop, crop) -> (B,)
        return self.classify(self.embed(crops))

    @torch.inference_mode()
    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Mean pooled feature over each picture's crops and their mirror images, (N, width)."""
        device = next(self.parameters()).device
        means: list[Tensor] = []
        for start in range(0, len(images), _BLOCK):
            stop = min(start + _BLOCK, len(images))
            crops = [scoring_crops(images[i], self.config.crop) for i in range(start, stop)]
            flat = np.stack([crop for group in crops for crop in group])
            parts = []
            for batch in torch.split(torch.from_numpy(flat).permute(0, 3, 1, 2), _BLOCK):
                seen = batch.to(device)
                parts.append((self.embed(seen) + self.embed(seen.flip(3))) / 2)
            groups = torch.split(torch.cat(parts), [len(group) for group in crops])
            means += [group.mean(0) for group in groups]
        return torch.stack(means) if means else torch.zeros(0, self.backbone.width, device=device)

    def logits(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Logit of each picture's mean feature, which is the mean logit of its crops, (N,)."""
        return self.judged(images)[0]

    def judged(
        self, images: Sequence[NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """`logits`, (N,), and the mean features that they rest on, (N, width)."""
        with torch.inference_mode():
            embedded = self.embed_images(images)
            logits = self.classify(embedded)
        return logits.double().cpu().numpy(), embedded.float().cpu().numpy()

    @torch.inference_mode()
    def activation_map(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Each place's share in the logit, over the whole picture: (h, w) float32, signed.

        The head is linear on a mean, so the class activation map is exact (Zhou et al., CVPR
        2016). The network is convolutional and sees the picture at its native size.
        """
        side = self.config.crop
        pads = [(max(0, side - n), (-max(n, side)) % 32) for n in image.shape[:2]]
        widths = [(small // 2, small - small // 2 + extra) for small, extra in pads]
        padded = np.pad(image, (*widths, (0, 0)), mode="symmetric")
        device = next(self.parameters()).device
        features = self.feature_map(
            torch.from_numpy(padded).to(device).permute(2, 0, 1).unsqueeze(0)
        )
        shares = (features * self.head.weight[0][None, :, None, None]).sum(1)[0].cpu().numpy()
        scale = [shares.shape[axis] / padded.shape[axis] for axis in (0, 1)]
        rows, columns = (
            slice(
                round(width[0] * scale[axis]),
                max(
                    round((width[0] + image.shape[axis]) * scale[axis]),
                    round(width[0] * scale[axis]) + 1,
                ),
            )
            for axis, width in enumerate(widths)
        )
        return np.asarray(shares[rows, columns], dtype=np.float32)
