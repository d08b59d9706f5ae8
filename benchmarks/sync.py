"""Do lips and sound tell that they were shifted, or do not belong together?

    python benchmarks/sync.py --clips FOLDER [--seconds 0.2] [--json]

`--clips` holds talking faces, each with its own sound. Printed, for the mouth and beside it for a
control that watches the forehead instead: how many offsets lie within two frames, and how many of
those that are told (the others abstain); AUC of telling clips whose sound was shifted by
`--seconds` to either side from untouched ones; AUC of telling clips with another clip's sound; and
the share of untouched clips that would be called apart. Needs the ffmpeg program.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

CONTROL = -0.45  # of the face's side, from the mouth up to the forehead


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--clips", type=Path)
    arguments.add_argument("--seconds", type=float, default=0.2)
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    if options.clips is None:
        print("benchmarks/sync.py needs --clips FOLDER: nothing measured.")
        return
    from deepward.videos.containers import named_like

    files = sorted(file for file in options.clips.rglob("*") if named_like(str(file)))
    rows = {}
    for name, moved in (("mouth", 0.0), ("forehead", CONTROL)):
        watched = [found for file in files if (found := watch(file, moved)) is not None]
        rows[name] = measured(watched, options.seconds)
    columns = list(rows["mouth"])
    print(f"{len(files)} clips".ljust(12) + "".join(c.rjust(len(c) + 3) for c in columns))
    for name, row in rows.items():
        print(name.ljust(12) + "".join(_cell(row[c]).rjust(len(c) + 3) for c in columns))
    if options.json:
        print(json.dumps(rows), file=sys.stdout)


def watch(file: Path, moved: float) -> Any:
    """Signals by passage and the sound of one clip; None where it has no face or no sound."""
    from deepward.videos import mouth
    from deepward.videos.containers import sniff_video
    from deepward.videos.footage import open_footage
    from deepward.videos.gathering import Gathering
    from deepward.videos.soundtrack import NoSound, read_soundtrack

    container = sniff_video(file.read_bytes()[:1024])
    usual = mouth.boxes_at

    def displaced(*arguments: Any) -> Any:
        places = usual(*arguments)
        return places + np.stack([0 * places[:, 0], moved * places[:, 2], 0 * places[:, 0]], axis=1)

    footage = open_footage(str(file), str(container))
    try:
        with tempfile.TemporaryDirectory() as scratch:
            samples = read_soundtrack(str(file), str(container), Path(scratch) / "sound.wav")
        mouth.boxes_at = displaced
        watching = mouth.MouthWatch(samples, footage.rate)
        Gathering(footage, 48, watching).read()
    except NoSound as error:
        print(f"{file}: no sound was read: {error}", file=sys.stderr)
        return None
    finally:
        mouth.boxes_at = usual
        footage.close()
    return (watching.signals, samples) if watching.signals else None


def measured(watched: list[Any], seconds: float) -> dict[str, Any]:
    from sklearn.metrics import roc_auc_score

    from deepward.videos.sync import FRAMES_A_SECOND, REACH, TOLERANCE, synchrony, voice_energy

    frames = round(seconds * FRAMES_A_SECOND)

    def heard(signals: Any, samples: Any, shift: int) -> Any:
        """Sync with a sound that comes `shift` frames late; what it would lack is cut off."""
        parts = []
        for signal, grid in signals:
            first, last = max(0, shift), len(grid) + min(0, shift)
            times = grid[first:last] - shift / FRAMES_A_SECOND
            parts.append((signal[:, first:last], voice_energy(samples, times)))
        return synchrony(parts)

    def apart(sync: Any) -> float:
        near = np.abs(np.arange(-REACH, REACH + 1)) <= 2
        curve = np.array(sync.curve) if sync.curve else np.zeros(2 * REACH + 1)
        return float(curve[~near].max() - curve[near].max())

    def strange(sync: Any) -> float:
        near = np.abs(np.arange(-REACH, REACH + 1)) <= TOLERANCE
        return -float(np.array(sync.curve)[near].max()) if sync.curve else 0.0

    own = [heard(signals, samples, 0) for signals, samples in watched]
    shifted = [heard(s, a, shift) for s, a in watched for shift in (-frames, frames)]
    swapped = [
        heard(signals, other[1], 0)
        for i, (signals, _) in enumerate(watched)
        for j, other in enumerate(watched)
        if i != j
    ]

    def auc(made: list[Any], score: Any) -> float:
        labels = [0] * len(own) + [1] * len(made)
        return float(roc_auc_score(labels, [score(sync) for sync in (*own, *made)]))

    peaks = [int(np.argmax(sync.curve)) - REACH for sync in own if sync.curve]
    told = [sync.offset for sync in own if sync.offset is not None]
    told_shifted = [sync for sync in shifted if sync.offset is not None]
    return {
        "within two": f"{sum(abs(p) <= 2 for p in peaks)} of {len(own)}",
        "told and right": f"{sum(abs(p) <= 2 for p in told)} of {len(told)}",
        "shift AUC": auc(shifted, apart),
        "swap AUC": auc(swapped, strange),
        "own called apart": f"{sum(sync.together is False for sync in own)} of {len(own)}",
        "shifted called apart": f"{sum(s.together is False for s in told_shifted)}"
        f" of {len(shifted)}",
        "swapped called apart": f"{sum(s.together is False for s in swapped)} of {len(swapped)}",
    }


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.3f}"


if __name__ == "__main__":
    main()
