"""Input representations: what a network sees instead of pixels.

Each maps RGB crops (B, 3, H, W) in [0, 1] to (B, channels, H, W) of about unit variance.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deepward.errors import UsageError

__all__ = ["REPRESENTATIONS", "Representation", "build_representation"]


class Representation(nn.Module):
    """A fixed map of crops to feature planes; `channels` says how many planes come out."""

    channels: int


class Raw(Representation):
    """The pixels themselves, scaled to [-2, 2]."""

    channels = 3

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, 3, H, W)
        return x * 4.0 - 2.0


class UpsamplingResidual(Representation):
    """The picture less its own nearest-neighbour down- and up-sampling.

    Generators end in an up-sampling layer, which ties neighbouring pixels together; this shows
    the ties (NPR: Tan et al., Rethinking the Up-Sampling Operations in CNN-based Generative
    Network for Generalizable Deepfake Detection, CVPR 2024).
    """

    channels = 3

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, 3, H, W)
        return (x - F.interpolate(x[..., ::2, ::2], size=x.shape[-2:], mode="nearest")) * 16.0


class HighPass(Representation):
    """Four fixed high-pass filters on luma, and one on each colour difference.

    First and second differences, and the square kernels of the spatial rich model (Fridrich and
    Kodovsky, Rich Models for Steganalysis of Digital Images, TIFS 2012), clipped to +-2.
    """

    channels = 6
    kernels: Tensor
    to_ycc: Tensor

    def __init__(self) -> None:
        super().__init__()
        bank = torch.zeros(4, 1, 5, 5)
        bank[0, 0, 2, 1:4] = torch.tensor([1.0, -2.0, 1.0]) / 2
        bank[1, 0, 1:4, 2] = torch.tensor([1.0, -2.0, 1.0]) / 2
        bank[2, 0, 1:4, 1:4] = torch.tensor([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]) / 4
        bank[3, 0] = (
            torch.tensor(
                [
                    [-1, 2, -2, 2, -1],
                    [2, -6, 8, -6, 2],
                    [-2, 8, -12, 8, -2],
                    [2, -6, 8, -6, 2],
                    [-1, 2, -2, 2, -1],
                ]
            )
            / 12
        )
        ycc = torch.tensor([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
        self.register_buffer("kernels", bank, persistent=False)
        self.register_buffer("to_ycc", ycc, persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, 6, H, W)
        ycc = torch.einsum("oc,bchw->bohw", self.to_ycc, x) * 32.0
        luma = F.conv2d(F.pad(ycc[:, :1], (2, 2, 2, 2), mode="reflect"), self.kernels)
        chroma = F.pad(ycc[:, 1:].flatten(0, 1).unsqueeze(1), (2, 2, 2, 2), mode="reflect")
        chroma = F.conv2d(chroma, self.kernels[3:]).reshape(x.shape[0], 2, *x.shape[-2:])
        return torch.cat([luma, chroma], 1).clamp(-2.0, 2.0)


class Spectrum(Representation):
    """Log magnitude of the centred Fourier transform of the high-pass residual, per channel."""

    channels = 3

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, 3, H, W)
        residual = x - F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        magnitude = torch.fft.fftshift(torch.fft.fft2(residual, norm="ortho").abs(), dim=(-2, -1))
        return torch.log(magnitude * 255.0 + 1e-2) / 2.0


REPRESENTATIONS: dict[str, type[Representation]] = {
    "highpass": HighPass,
    "raw": Raw,
    "residual": UpsamplingResidual,
    "spectrum": Spectrum,
}


class _Stack(Representation):
    def __init__(self, parts: Sequence[Representation], fold: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.fold = fold
        self.channels = sum(part.channels for part in parts) * fold * fold

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, channels, H/fold, W/fold)
        planes = torch.cat([part(x) for part in self.parts], 1)
        return F.pixel_unshuffle(planes, self.fold) if self.fold > 1 else planes


def build_representation(names: Sequence[str], fold: int = 1) -> Representation:
    """Concatenates named representations on channels, then folds space into depth.

    Raises:
        UsageError: a name is not in `REPRESENTATIONS`.
    """
    unknown = [name for name in names if name not in REPRESENTATIONS]
    if unknown or not names:
        raise UsageError(
            f"Unknown input representation {', '.join(unknown) or '(none given)'}; "
            f"choose among {', '.join(REPRESENTATIONS)}."
        )
    return _Stack([REPRESENTATIONS[name]() for name in names], fold)
