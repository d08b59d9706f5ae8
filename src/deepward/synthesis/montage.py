"""The montage of a few-shot set: what was made, where, and how it differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deepward.synthesis.parts import Pixels

__all__ = ["montage", "write_montage"]

TILE = 144
GAP = 4
HEAD = 18
GAIN = 4  # differences are shown so many times as strong
ROWS = 12


def write_montage(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes `montage.png`: some samples of every engine; nothing when there are none."""
    chosen = _spread(rows, ROWS)
    if not chosen:
        return
    sheet = montage(
        [
            (
                f"{row['engine']}: {row['spec']['region']}",
                _read(folder / row["original"]),
                _read(folder / row["mask"]),
                _read(folder / row["fake"]),
            )
            for row in chosen
        ]
    )
    sheet.save(folder / "montage.png", optimize=False)


def montage(samples: Sequence[tuple[str, Pixels, Pixels, Pixels]]) -> Image.Image:
    """Two samples in a row: original, mask, fake, and difference.

    Args:
        samples: a title, and original, mask and fake, (H, W, 3) uint8 RGB.
    """
    columns = 2 if len(samples) > 1 else 1
    width, height = 4 * TILE + 3 * GAP, HEAD + TILE
    count = -(-len(samples) // columns)
    size = (columns * (width + 4 * GAP) - 2 * GAP, count * (height + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for place, (title, original, mask, fake) in enumerate(samples):
        row, column = divmod(place, columns)
        left, top = GAP + column * (width + 4 * GAP), GAP + row * (height + GAP)
        pen.text((left, top), title[:80], fill="black", font=font)
        change = np.abs(fake.astype(np.int16) - original.astype(np.int16)) * GAIN
        pictures = (original, mask, fake, np.clip(change, 0, 255).astype(np.uint8))
        for number, picture in enumerate(pictures):
            sheet.paste(_tile(picture), (left + number * (TILE + GAP), top + HEAD))
    return sheet


def _spread(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Takes turns among engines, and among regions within one, until there are `count`."""
    queues: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        queues.setdefault(row["engine"], []).append(row)
    for name, queue in queues.items():
        seen: dict[str, int] = {}
        turns = []
        for row in queue:
            region = row["spec"]["region"]
            seen[region] = seen.get(region, -1) + 1
            turns.append((seen[region], row["sample"]))
        order = sorted(range(len(queue)), key=turns.__getitem__)
        queues[name] = [queue[place] for place in order]
    chosen: list[dict[str, Any]] = []
    turn = 0
    while len(chosen) < count and any(len(queue) > turn for queue in queues.values()):
        chosen += [queues[name][turn] for name in sorted(queues) if len(queues[name]) > turn]
        turn += 1
    return chosen[:count]


def _read(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _tile(picture: Pixels) -> Image.Image:
    image = Image.fromarray(picture)
    image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), "#e6e8eb")
    tile.paste(image, ((TILE - image.width) // 2, (TILE - image.height) // 2))
    return tile
