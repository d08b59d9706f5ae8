"""How a meta-trained network adapts: the plain gradient steps that it was made for."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F

from deepward.detectors.members.network import Network
from deepward.detectors.protocol import Samples
from deepward.errors import TrainingError
from deepward.pictures.crops import take_crop

__all__ = ["adapted_network"]


def adapted_network(network: Network, support: Samples, device: str) -> Network:
    """A copy after `adapt_steps` plain gradient steps, each over centre crops of all the support.

    Both classes weigh alike. Normalization layers keep their statistics: a few samples say too
    little of them.

    Raises:
        TrainingError: the loss became infinite or NaN.
    """
    config = network.config
    crops = np.stack([take_crop(pixels, config.crop, (0.0, 0.0)) for pixels in support.pixels])
    inputs = torch.from_numpy(crops).permute(0, 3, 1, 2)
    targets = torch.from_numpy(support.labels).float()
    counts = torch.bincount(targets.long(), minlength=2).float()
    weights = 0.5 / counts[targets.long()]  # (N,), of sum 1
    moved = copy.deepcopy(network).to(device).eval()
    learned = [p for p in moved.parameters() if p.requires_grad]
    for number in range(config.adapt_steps):
        moved.zero_grad(set_to_none=True)
        total = 0.0
        for rows in torch.split(torch.arange(len(inputs)), config.batch_size):
            said = moved(inputs[rows].to(device))
            losses = F.binary_cross_entropy_with_logits(
                said, targets[rows].to(device), weights[rows].to(device), reduction="sum"
            )
            losses.backward()  # type: ignore[no-untyped-call]
            total += float(losses.detach())
        if not math.isfinite(total):
            raise TrainingError(
                f"{config.name} diverged while adapting, in step {number} of "
                f"{config.adapt_steps}: the loss is {total}. Its adapt_rate is {config.adapt_rate}."
            )
        with torch.no_grad():
            for parameter in learned:
                if parameter.grad is not None:
                    parameter.sub_(config.adapt_rate * parameter.grad)
    return moved
