"""Files per second of a domain scan, against bare decoding of the same files, and a warm scan.

    python benchmarks/manifest.py [--files 20000] [--size 256] [--workers N]

Bare decoding: Pillow opens and loads each file and does nothing else, in the same number of
processes, each given its share of the list at once. The scan reads, hashes, decodes, measures and
compares all files and writes its state. All files are read once before, so neither waits for disk.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from deepward.domains import scan_domain
from deepward.intake.pool import available_cores

BARE = """
import sys
from PIL import Image
print("ready", flush=True)
for line in sys.stdin:
    with Image.open(line.rstrip("\\n")) as image:
        image.load()
"""


def make_files(root: Path, count: int, size: int) -> None:
    """Distinct JPEG pictures of photographic smoothness, in split and class folders."""
    rng = np.random.default_rng(0)
    textures = []
    for _ in range(16):
        noise = Image.fromarray(rng.integers(0, 256, (2 * size, 2 * size, 3), dtype=np.uint8))
        coarse = noise.resize((size // 8, size // 8)).resize(noise.size, Image.Resampling.BICUBIC)
        fine = noise.filter(ImageFilter.GaussianBlur(0.8))
        textures.append(Image.blend(coarse, fine, 0.3))
    for number in range(count):
        split = ("train", "train", "train", "val", "test")[number % 5]
        folder = root / split / ("0_real", "1_fake")[number // 5 % 2]
        folder.mkdir(parents=True, exist_ok=True)
        left, top = rng.integers(0, size, 2)
        crop = textures[number % 16].crop((left, top, left + size, top + size))
        crop = crop.rotate(90 * int(rng.integers(4)))
        crop.save(folder / f"{number:06d}.jpg", quality=int(rng.integers(75, 96)))


def bare_seconds(files: list[str], workers: int) -> float:
    """Seconds to decode the files, without the start of the processes."""
    crew = [
        subprocess.Popen(
            [sys.executable, "-c", BARE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(workers)
    ]
    for process in crew:
        assert process.stdout is not None
        process.stdout.readline()
    start = time.perf_counter()
    for number, process in enumerate(crew):
        assert process.stdin is not None
        process.stdin.write("\n".join(files[number::workers]) + "\n")
        process.stdin.close()
    if any(process.wait() for process in crew):
        raise SystemExit("bare decoding failed")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=available_cores())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, state = Path(folder, "domain"), Path(folder, "state")
        make_files(root, options.files, options.size)
        files = sorted(str(path) for path in root.rglob("*.jpg"))
        megabytes = sum(len(Path(path).read_bytes()) for path in files) / 2**20
        print(f"{len(files)} JPEG files of {options.size} px, {megabytes:.0f} MB, ", end="")
        print(f"{options.workers} processes")

        bare = bare_seconds(files, options.workers)
        start = time.perf_counter()
        cold_manifest = scan_domain(root, state=state, workers=options.workers)
        cold = time.perf_counter() - start
        warm = []
        for _ in range(3):
            start = time.perf_counter()
            warm_manifest = scan_domain(root, state=state, workers=options.workers)
            warm.append(time.perf_counter() - start)
        assert warm_manifest.content_hash == cold_manifest.content_hash
        assert len(cold_manifest.table) == len(files)
    print(f"bare decoding  {len(files) / bare:8.0f} files/s  {bare:7.2f} s")
    print(f"cold scan      {len(files) / cold:8.0f} files/s  {cold:7.2f} s", end="")
    print(f"  {bare / cold:.2f} of bare decoding")
    print(f"warm scan      {len(files) / min(warm):8.0f} files/s  {min(warm):7.2f} s", end="")
    print(f"  {cold / min(warm):.0f} times faster than cold (aim: 30)")


if __name__ == "__main__":
    main()
