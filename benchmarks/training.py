"""Training speed of the default network, beside bare forward-backward and the machine's GEMM rate.

    python benchmarks/training.py [--steps 40]

All in one run, interleaved: `fit` on pictures that are augmented as they come; the same network and
optimizer on one batch that already lies in memory; and a large matrix product.
"""

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))

from deepward.detectors import DETECTORS, Network, NetworkConfig
from deepward.learning import BalancedSampler
from deepward.learning.training import crop_batches, mixed_cross_entropy
from deepward.loop import LoopConfig, fit
from tests.drawn import striped_images

ROUNDS = 5


def gemm_rate(side: int = 2048) -> float:
    """Floating-point operations per second of a float32 matrix product."""
    a, b = torch.randn(side, side), torch.randn(side, side)
    a @ b
    begun = time.perf_counter()
    for _ in range(4):
        a @ b
    return 4 * 2 * side**3 / (time.perf_counter() - begun)


def bare_rate(network: nn.Module, batch: dict[str, torch.Tensor], steps: int) -> float:
    """Images per second of forward, backward and AdamW on one batch in memory."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    network.train()
    begun = time.perf_counter()
    for _ in range(steps):
        loss = mixed_cross_entropy(network, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return steps * len(batch["labels"]) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40, help="training steps in each round")
    steps = parser.parse_args().steps
    member = next(m for m in DETECTORS["default"].members if isinstance(m, NetworkConfig))
    data = striped_images(400, side=member.crop)
    batches = crop_batches(data, BalancedSampler(data, 0), member, 0)
    batch = dict(batches(0))
    network = Network(member)
    with FlopCounterMode(display=False) as counter:
        mixed_cross_entropy(network, batch).backward()
    per_image = counter.get_total_flops() / member.batch_size
    bare_rate(network, batch, 3)  # warm up
    loop, bare, gemm = [], [], []
    for _ in range(ROUNDS):
        gemm.append(gemm_rate())
        bare.append(bare_rate(network, batch, steps))
        config = replace(LoopConfig(), steps=steps)
        begun = time.perf_counter()
        fit(network, batches, {"loss": mixed_cross_entropy}, config)
        loop.append(steps * member.batch_size / (time.perf_counter() - begun))
    trained, bared, rate = map(statistics.median, (loop, bare, gemm))
    print(f"training loop, augmented pictures   {trained:8.1f} images/s")
    print(f"bare forward-backward               {bared:8.1f} images/s")
    print(f"ratio                               {trained / bared:8.2f}   (wanted: 0.85)")
    print(f"operations per image                {per_image / 1e9:8.2f} GFLOP (with backward)")
    print(f"matrix product, float32             {rate / 1e9:8.1f} GFLOP/s")
    print(f"training's share of that            {trained * per_image / rate:8.1%}")


if __name__ == "__main__":
    main()
