"""The montage of a few-shot set: what was made, where, and how it differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deepward.pictures.sheets import Strip, draw_sheet
from deepward.synthesis.interfaces import Pixels
from deepward.synthesis.report import count_stand_ins

__all__ = ["write_montage"]

TILE = 144
GAIN = 4  # differences are shown so many times as strong
ROWS = 12
SECONDS = 4.0  # of a voice that are drawn


def write_montage(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes `montage.png`: some samples of every engine, titled with what was done.

    Args:
        folder: of the set.
        rows: of the samples that were made; nothing is written when there are none.
    """
    chosen = _spread(rows, ROWS)
    if not chosen:
        return
    sheet = draw_sheet(
        [_strip(folder, row) for row in chosen],
        across=4 if "mask" in chosen[0] else 3,
        tile=TILE,
        columns=2 if len(chosen) > 1 else 1,
        font_size=12,
        heading=count_stand_ins(rows),
    )
    sheet.save(folder / "montage.png", optimize=False)


def _strip(folder: Path, row: dict[str, Any]) -> Strip:
    """Original, mask, fake, and difference; voices are drawn as spectrograms and have no mask."""
    names = [name for name in ("original", "mask", "fake") if name in row]
    shown = [_read(folder / row[name]) for name in names]
    original, fake = shown[0], shown[-1]
    change = np.abs(fake.astype(np.int16) - original.astype(np.int16)) * GAIN
    title = f"{row['done_engine']}: {row['spec']['region']}"
    if row["stand_in"] is not None:
        title += f" ({row['spec']['operation']} was asked for)"
    difference = np.clip(change, 0, 255).astype(np.uint8)
    return Strip(title[:80], [*shown, difference])


def _spread(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Takes turns among engines, and among regions within one, until there are `count`."""
    queues: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        queues.setdefault(row["done_engine"], []).append(row)
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
    if path.suffix == ".wav":
        import soundfile

        from deepward.sounds.prepare import RATE
        from deepward.sounds.spectrogram import draw_spectrogram

        samples, _ = soundfile.read(path, frames=int(SECONDS * RATE), dtype="int16")
        return draw_spectrogram(samples)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
