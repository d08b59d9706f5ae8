"""One picture of the demo domains: what decides its bytes, and how it is made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from deepward.demo import camera, forgeries, portraits
from deepward.demo.traits import Traits
from deepward.files import atomic_file

__all__ = ["DemoDomain", "DemoPicture", "draw_files"]


_SHOT, _PORTRAIT, _FORGERY, _DONOR = range(4)  # what a random generator is for


@dataclass(frozen=True)
class DemoDomain:
    """A domain's name, the technique of its fakes (None: reals only), and its camera."""

    name: str
    technique: str | None
    camera: str


@dataclass(frozen=True)
class DemoPicture:
    """One picture to be drawn; `label` 0 is real, 1 fake."""

    domain: DemoDomain
    label: int
    index: int
    split: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        """Name of the file without its ending."""
        return f"{'rf'[self.label]}{self.index:05d}"

    @property
    def path(self) -> str:
        """Of the picture, relative to the domain's folder."""
        return f"{self.split}/{('0_real', '1_fake')[self.label]}/{self.name}.jpg"

    @property
    def mask(self) -> str | None:
        """Path of the mask of a fake, relative to the domain's folder."""
        return f"masks/{self.split}/{self.name}.png" if self.label else None

    def row(self) -> dict[str, Any]:
        """The picture's line in the metadata; every picture has a portrait, a group, of its own."""
        return {
            "path": self.path,
            "label": self.label,
            "technique": self.domain.technique if self.label else None,
            "group": f"{self.domain.name}/{self.name}",
            "split": self.split,
            "camera": self.domain.camera,
            "seed": self.seed,
            "mask": self.mask,
            "digital_source_type": "algorithmicMedia",
        }

    def make(self) -> tuple[bytes, bytes | None]:
        """The JPEG file, and the PNG file of the mask of a fake."""
        shot = self._settings()
        original = self._take(_PORTRAIT, self.domain.camera, shot)
        if self.label == 0 or self.domain.technique is None:
            picture = camera.edit(original.pixels.astype(np.float32), shot)
            return camera.encode_jpeg(camera.to_pixels(picture), shot.quality), None
        rng = self._generator(_FORGERY)
        donor = None
        if self.domain.technique == "swap":
            others = sorted(set(camera.CAMERAS) - {self.domain.camera})
            model = others[int(rng.integers(len(others)))]
            other = camera.draw_shot(rng)
            donor = self._take(_DONOR, model, other, original.portrait.traits)
        data, mask = forgeries.forge(self.domain.technique, original, donor, shot, rng)
        return data, cv2.imencode(".png", mask)[1].tobytes()

    def _settings(self) -> camera.Shot:
        """Camera settings and JPEG quality; every other real and fake of one index share them.

        Free draws would now and then differ between small classes by chance, enough for a
        classifier that sees files alone. Sharing all would be odd too: exact balance turns the
        cross-validated AUC of such a classifier far below 0.5.
        """
        shared = self.index % 2 == 0
        return camera.draw_shot(self._generator(_SHOT, 0 if shared else self.label))

    def _generator(self, purpose: int, label: int | None = None) -> np.random.Generator:
        """Independent of every other picture's, and of how many pictures there are."""
        label = self.label if label is None else label
        key = (crc32(self.domain.name.encode()), label, self.index, purpose)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def _take(
        self, purpose: int, model: str, shot: camera.Shot, like: Traits | None = None
    ) -> forgeries.Original:
        rng = self._generator(purpose)
        portrait = portraits.draw_portrait(rng, self.size, like)
        pixels = camera.take_picture(portrait.radiance, camera.CAMERAS[model], shot, rng)
        return forgeries.Original(pixels, portrait)


def draw_files(task: dict[str, Any]) -> None:
    """Makes one picture and writes it; the mask first, so that no fake stands without it.

    Args:
        task: `folder` of the domain, `domain` and the other fields of a `DemoPicture`; plain
            values, because it comes from another process.
    """
    cv2.setNumThreads(1)
    fields = {key: value for key, value in task.items() if key != "folder"}
    picture = DemoPicture(**fields | {"domain": DemoDomain(**task["domain"])})
    folder = Path(task["folder"])
    data, mask = picture.make()
    if mask is not None and picture.mask is not None:
        with atomic_file(folder / picture.mask) as partial:
            partial.write_bytes(mask)
    with atomic_file(folder / picture.path) as partial:
        partial.write_bytes(data)
