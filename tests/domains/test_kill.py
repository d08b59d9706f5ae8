"""kill -9 at any moment: the next run ends with the bytes of an undisturbed one."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

# Says a word at every step, so that the test can kill it at a chosen one.
SCRIPT = """
    import sys
    from pathlib import Path
    from deepward.domains import build_cache, scan_domain

    domain, out = map(Path, sys.argv[1:])
    tell = lambda advance: print(advance.task, int(advance.done), flush=True)
    tell_end = lambda word: print(word, flush=True)
    manifest = scan_domain(domain, state=out / "state", workers=2, progress=tell)
    tell_end("scanned")
    manifest.write(out / "manifest.parquet")
    tell_end("written")
    build_cache(manifest, out / "cache", workers=2, progress=tell)
    tell_end("end")
"""
COUNT = 120


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, draw) -> Path:
    root = tmp_path_factory.mktemp("pictures") / "domain"
    for number in range(COUNT):
        name = ("0_real", "1_fake")[number % 2]
        folder = root / ("train", "val", "test")[number % 3] / name
        folder.mkdir(parents=True, exist_ok=True)
        draw(number, 160).save(folder / f"{number}.png")
    (root / "test/0_real/cut.png").write_bytes((root / "test/1_fake/5.png").read_bytes()[:3000])
    return root


def results(out: Path) -> dict[str, bytes]:
    kept = [out / "manifest.parquet", out / "cache/index.parquet", *out.glob("cache/pixels-*")]
    return {path.name: path.read_bytes() for path in kept}


def run(
    start, pictures: Path, out: Path, kill_at: int | None = None, delay: float = 0.0
) -> list[str]:
    """Runs the script, kills it after some words, returns the words."""
    process = start(SCRIPT, pictures, out)
    words = []
    for line in process.stdout:
        words.append(line.strip())
        if len(words) == kill_at:
            time.sleep(delay)  # a moment between two words
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    return words


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_several_times_ends_with_the_same_bytes(start, pictures, tmp_path, seed):
    words = run(start, pictures, tmp_path / "undisturbed")
    assert words[-1] == "end"
    expected = results(tmp_path / "undisturbed")
    assert len(expected) == 3

    rng = random.Random(seed)
    out = tmp_path / "killed"
    for _ in range(4):
        run(start, pictures, out, rng.randint(1, len(words)), rng.uniform(0, 0.02))
    assert run(start, pictures, out)[-1] == "end"
    assert results(out) == expected


def test_a_killed_scan_and_a_killed_build_go_on_where_they_stopped(start, pictures, tmp_path):
    words = run(start, pictures, tmp_path)
    steps = [int(word.split()[-1]) for word in words if word.startswith("scan ")]
    for path in [tmp_path / "state", *(tmp_path / "cache").iterdir()]:
        path.unlink()
    half = len(steps) // 2
    killed = run(start, pictures, tmp_path, half)
    again = run(start, pictures, tmp_path, len(steps) + 4)
    assert int(again[0].split()[-1]) >= int(killed[-2].split()[-1]) > 0
    last = [word for word in again if word.startswith("decode ")][-1]
    third = run(start, pictures, tmp_path)
    resumed = next(word for word in third if word.startswith("decode "))
    assert int(resumed.split()[-1]) >= int(last.split()[-1])


def test_nothing_half_written_is_left_after_a_whole_run(start, pictures, tmp_path):
    for kill_at in (3, 12):
        run(start, pictures, tmp_path, kill_at)
    run(start, pictures, tmp_path)
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    pixels = {name for name in names if name.startswith("pixels-") and name.endswith(".bin")}
    assert len(pixels) == 1
    assert names == {"state", "manifest.parquet", "index.parquet", ".lock"} | pixels
