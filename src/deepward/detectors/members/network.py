"""The member that is trained by gradient descent: representation, backbone, pooled linear head."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepward.detectors.backbones import build_backbone
from deepward.detectors.config import NetworkConfig
from deepward.detectors.representations import build_representation
from deepward.pictures.crops import scoring_crops

__all__ = ["Network"]


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
        """Maps (B, 3, crop, crop) uint8 crops to (B, width, h, w)."""
        x = self.representation(crops.float() / 255.0)
        features: Tensor = self.backbone(x.contiguous(memory_format=torch.channels_last))
        return features

    def forward(self, crops: Tensor) -> Tensor:  # (B, 3, crop, crop) uint8 -> (B,)
        pooled = self.feature_map(crops).mean((2, 3))
        logits: Tensor = self.head(self.dropout(pooled)).squeeze(1)
        return logits

    @torch.inference_mode()
    def logits(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        """Mean logit over each picture's crops and their mirror images, (N,)."""
        crops = [scoring_crops(image, self.config.crop) for image in images]
        counts = [len(group) for group in crops]
        device = next(self.parameters()).device
        flat = [crop for group in crops for crop in group]
        values: list[Tensor] = []
        for start in range(0, len(flat), 64):
            stacked = np.stack(flat[start : start + 64])
            batch = torch.from_numpy(stacked).to(device).permute(0, 3, 1, 2)
            values.append((self(batch) + self(batch.flip(3))).double().cpu() / 2)
        ends = np.cumsum(counts)[:-1]
        parts = np.split(torch.cat(values).numpy(), ends) if values else []
        return np.array([float(part.mean()) for part in parts])

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
