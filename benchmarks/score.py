"""How fast files become verdicts, against the detector's bare forward pass in the same run.

    python benchmarks/score.py [--detector DIR] [--pictures DIR] [--count 1000]

1. `score_paths` over JPEG files (read, decode, judge) against `Detector.predict` on the same
   pictures preloaded as arrays: alternating rounds, median of the ratios.
2. `deepward score ONEFILE` from a cold start, and where its time goes.

Without --detector one of the default kind is trained for a few steps (speed does not depend on
how good it is); without --pictures 256 px JPEGs are drawn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGES = """
import json, sys, time
marks = [("start", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
import deepward.cli; mark("import the command")
import torch; mark("import torch")
import deepward.scoring; from deepward.detectors import load_detector; mark("import the rest")
from pathlib import Path
detector = load_detector(Path(sys.argv[1])); mark("load the detector")
from deepward.pictures.decode import decode_image
picture = decode_image(Path(sys.argv[2])).pixels; mark("decode")
detector.predict([picture]); mark("first forward")
detector.predict([picture]); mark("(a second forward, for comparison)")
print(json.dumps({b[0]: b[1] - a[1] for a, b in zip(marks, marks[1:])}))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--detector", type=Path)
    arguments.add_argument("--pictures", type=Path)
    arguments.add_argument("--count", type=int, default=1000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        source = options.pictures or draw_pictures(work / "drawn", min(options.count, 200))
        pictures = repeated(source, work / "pictures", options.count)
        detector = options.detector or train(work)
        result = throughput(detector, pictures, options.rounds)
        result |= cold_start(detector, pictures[0])
    print(json.dumps(result))


def draw_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    """Soft blobs with grain, JPEG quality 90: about the bytes per pixel of photographs."""
    import cv2
    import numpy as np

    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        coarse = rng.normal(128, 60, (12, 12, 3)).astype(np.float32)
        image = cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)
        image += rng.normal(0, 5, image.shape)
        pixels = np.clip(image, 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{i:04d}.jpg"), pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])
    return folder


def repeated(source: Path, folder: Path, count: int) -> list[Path]:
    """Exactly `count` files: those of `source`, copied again under other names where too few."""
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        sys.exit(f"There are no JPEG files below {source}.")
    folder.mkdir()
    files = []
    for i in range(count):
        files.append(folder / f"{i:05d}.jpg")
        files[-1].write_bytes(found[i % len(found)].read_bytes())
    return files


def train(work: Path) -> Path:
    """A detector of the default kind, trained for a few steps on drawn pictures."""
    root = work / "domains" / "drawn"
    for i, split in enumerate(("train", "val")):
        (root / split).mkdir(parents=True)
        draw_pictures(root / split / "0_real", 100, seed=2 * i + 1)
        draw_pictures(root / split / "1_fake", 100, seed=2 * i + 2)
    command = [sys.executable, "-m", "deepward", "train", "--domains", root.parent, "--steps", "20"]
    environment = os.environ | {"DEEPWARD_HOME": str(work / "home")}
    subprocess.run([*map(str, command), "--out", str(work / "detector")], env=environment,
                   check=True, stdout=sys.stderr)  # fmt: skip
    return work / "detector"


def throughput(folder: Path, files: list[Path], rounds: int) -> dict[str, float]:
    from deepward.detectors import load_detector
    from deepward.pictures.decode import decode_image
    from deepward.scoring import score_paths

    detector = load_detector(folder)
    begun = time.perf_counter()
    arrays = [decode_image(file).pixels for file in files]
    decode = len(files) / (time.perf_counter() - begun)
    list(score_paths(detector, files[:128]))  # warm both ways
    detector.predict(arrays[:128])
    bare, stream = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        detector.predict(arrays, batch_size=64)
        bare.append(len(arrays) / (time.perf_counter() - begun))
        begun = time.perf_counter()
        verdicts = list(score_paths(detector, files))
        stream.append(len(verdicts) / (time.perf_counter() - begun))
    ratio = statistics.median(s / b for s, b in zip(stream, bare, strict=True))
    say(f"{len(files)} JPEG files, median of {rounds} rounds, {os.cpu_count()} processors:")
    say(f"  bare forward          {statistics.median(bare):8.0f} pictures/s")
    say(f"  decoding, one thread  {decode:8.0f} pictures/s")
    say(f"  score_paths           {statistics.median(stream):8.0f} pictures/s")
    say(f"  ratio                 {ratio:8.3f} (wanted: 0.8)")
    return {
        "bare_forward": statistics.median(bare),
        "decode": decode,
        "score_paths": statistics.median(stream),
        "ratio": ratio,
    }


def cold_start(detector: Path, file: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "deepward", "score", "--json", "--detector", str(detector)]
    whole = timed([*command, str(file)])
    bare = timed([sys.executable, "-c", "pass"])
    stages = subprocess.run(
        [sys.executable, "-c", STAGES, str(detector), str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    parts = {"start Python": bare} | json.loads(stages.stdout)
    say("deepward score of one file from a cold start (files in the page cache, median of 5):")
    for name, seconds in parts.items():
        say(f"  {name:36} {seconds:6.2f} s")
    say(f"  {'in all':36} {whole:6.2f} s")
    return {"cold_start": whole} | {f"cold_start, {name}": value for name, value in parts.items()}


def timed(command: list[str]) -> float:
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
