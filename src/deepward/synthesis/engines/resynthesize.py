"""Resynthesis: a region leaves an encoder-decoder that was trained on the run's base pictures."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from deepward.errors import SynthesisError
from deepward.files import atomic_file, sha256_file
from deepward.synthesis.engines.attempts import PixelEngine
from deepward.synthesis.engines.blending import Floats, Window, blend, feathered
from deepward.synthesis.interfaces import Job, Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from deepward.synthesis.engines.resampler import Resampler

__all__ = ["WEIGHTS", "resynthesize_engine", "train_resynthesizer"]

WEIGHTS = "resampler.safetensors"
_MOST_BASES = 64
_SMALLEST_BASE = 64  # pixels of the shorter side


def train_resynthesizer(bases: Sequence[Pixels], folder: Path, *, seed: int = 0) -> Path:
    """Trains the networks on up to 64 bases and keeps them; does nothing where they are kept.

    Raises:
        SynthesisError: no base has sides of 64 pixels or more.
    """
    from safetensors.torch import save_file

    from deepward.synthesis.engines.resampler import STYLES, train_resampler

    file = folder / WEIGHTS
    if file.exists():
        return file
    step = max(1, -(-len(bases) // _MOST_BASES))
    chosen = [bases[i] for i in range(0, len(bases), step)]
    chosen = [base for base in chosen if min(base.shape[:2]) >= _SMALLEST_BASE]
    if not chosen:
        raise SynthesisError(
            f"None of {len(bases)} base pictures has sides of {_SMALLEST_BASE} pixels or more; "
            "resynthesis has nothing to learn from. Give larger pictures or another engine."
        )
    weights: dict[str, Tensor] = {}
    for style in STYLES:
        network = train_resampler(style, chosen, seed)
        weights |= {f"{style}.{name}": value for name, value in network.state_dict().items()}
    with atomic_file(file) as partial:
        save_file(weights, partial)
    return file


def resynthesize_engine(folder: Path | None) -> PixelEngine:
    """Makes a region anew by up-sampling.

    Args:
        folder: into which `prepare_engines` wrote what was learned from the run's bases.

    Raises:
        SynthesisError: the folder does not hold the networks; without a folder, the first job.
    """
    networks: dict[str, Resampler] = {}
    sha256 = None
    if folder is not None:
        networks, sha256 = _load(folder / WEIGHTS), sha256_file(folder / WEIGHTS)
    attempt = partial(_resynthesize, networks)
    return PixelEngine(
        "resynthesize", attempt, is_composite=False, model="resampler", model_sha256=sha256
    )


def _load(file: Path) -> "dict[str, Resampler]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from deepward.synthesis.engines.resampler import STYLES, Resampler

    networks = {style: Resampler(style).eval() for style in STYLES}
    try:
        weights = load_file(file)
        for style, network in networks.items():
            prefix = f"{style}."
            network.load_state_dict(
                {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            )
    except (OSError, SafetensorError, RuntimeError) as error:
        raise SynthesisError(
            f"{file} does not hold the networks for resynthesis ({error}). "
            "Delete it; it is trained anew from the base pictures."
        ) from None
    return networks


def _resynthesize(
    networks: "Mapping[str, Resampler]", job: Job, rng: np.random.Generator, force: float
) -> Floats:
    import torch

    from deepward.synthesis.engines.resampler import STYLES, one_thread

    if not networks:
        raise SynthesisError(
            "The resynthesize engine has not learned from base pictures yet; call "
            "prepare_engines first, and give the engine its folder."
        )
    window = Window.around(job.mask, 0.1)
    base = job.base[window.slices].astype(np.float32)
    network = networks[STYLES[int(rng.integers(len(STYLES)))]]
    height, width = base.shape[:2]
    below, right = -height % 4 + 8, -width % 4 + 8
    padded = cv2.copyMakeBorder(base, 8, below, 8, right, cv2.BORDER_REFLECT)
    with one_thread(), torch.inference_mode():
        pixels = torch.from_numpy(padded).permute(2, 0, 1)[None] / 127.5 - 1
        latent = network.encode(pixels)
        noise = rng.standard_normal(latent.shape, np.float32)
        latent = latent + 0.1 * job.spec.strength * force * torch.from_numpy(noise)
        decoded = network.decode(latent)[0].permute(1, 2, 0).numpy()
    made_anew = np.clip((decoded + 1) * np.float32(127.5), 0, 255)
    made_anew = np.ascontiguousarray(made_anew[8 : 8 + height, 8 : 8 + width])
    mask = job.mask[window.slices]
    # Colour and light of larger things stay; what is finer is the decoder's.
    sigma = 0.02 * max(window.size) + 2
    made_anew += cv2.GaussianBlur(base - made_anew, (0, 0), sigma)
    made = job.base.astype(np.float32)
    made[window.slices] = blend(base, made_anew, feathered(mask, 0.02 * max(window.size)))
    return made
