"""Training speed of the residual network, beside bare forward-backward and the machine's GEMM rate.

    python benchmarks/training.py [--steps 40]

All in one run, interleaved: `fit` on pictures that are augmented as they come; the same network and
optimizer on one batch that already lies in memory; and a large matrix product.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parents[1]))

from deepward.detectors.members.network import Network, NetworkConfig
from deepward.detectors.members.network_member import look
from deepward.learning.batches import CropBatches, CropConfig
from deepward.learning.terms import cross_entropy
from deepward.loop import Batch, LoopConfig, Shared, fit
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


def loss_of(network: Network, batch: Batch) -> torch.Tensor:
    """What a training step minimises."""
    return cross_entropy(Shared(network, batch, look(network, batch), 0))


def bare_rate(network: Network, batch: Batch, steps: int) -> float:
    """Images per second of forward, backward and AdamW on one batch in memory."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    network.train()
    begun = time.perf_counter()
    for _ in range(steps):
        loss = loss_of(network, batch)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return steps * len(batch["targets"]) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=40, help="training steps in each round")
    steps = parser.parse_args().steps
    member = NetworkConfig(name="residual")
    data = striped_images(400, side=member.crop)
    crops = CropConfig(member.crop, member.jitter, member.batch_size)
    with CropBatches(data, crops, 0) as batches:
        measure(member, batches, steps)


def measure(member: NetworkConfig, batches: CropBatches, steps: int) -> None:
    """Prints the table."""
    batch = batches(0)
    network = Network(member)
    with FlopCounterMode(display=False) as counter:
        loss_of(network, batch).backward()
    per_image = counter.get_total_flops() / member.batch_size
    bare_rate(network, batch, 3)  # warm up
    loop, bare, gemm = [], [], []
    for _ in range(ROUNDS):
        gemm.append(gemm_rate())
        bare.append(bare_rate(network, batch, steps))
        config = LoopConfig(steps=steps)
        begun = time.perf_counter()
        fit(network, batches, {"loss": cross_entropy}, config, forward=look)
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
