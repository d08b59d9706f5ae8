"""What trains and scores: the device and how many threads it may take."""

from typing import Literal

import dagster as dg

from deepward.errors import UsageError

GPU_POOL = "gpu"  # one step of this pool at a time, see dagster.yaml


class Compute(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The device that networks run on.

    Attributes:
        device: `auto` takes a CUDA device where there is one; `cuda` demands it.
        precision: of the arithmetic in training; `bf16` pays on recent GPUs only.
        threads: CPU threads for one step; 0 leaves the choice to PyTorch.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = 0

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """A missing device is an error before any work, not in the middle of it."""
        if self.device == "cuda":
            self.open()

    def open(self) -> str:
        """Sets the threads and returns the device's name for PyTorch.

        Raises:
            UsageError: `cuda` was asked for and there is none.
        """
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)
        if self.device == "cpu":
            return "cpu"
        if torch.cuda.is_available():
            return "cuda"
        if self.device == "cuda":
            raise UsageError(
                "The resource `compute` asks for device `cuda`, as DEEPWARD_PROFILE=full does, but "
                "PyTorch finds no CUDA device here. Use DEEPWARD_PROFILE=embedded, or set "
                "`compute.device` to `cpu`."
            )
        return "cpu"
