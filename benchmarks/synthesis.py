"""Fakes per second of each engine, and what the whole way to a labelled set leaves of it.

    python benchmarks/synthesis.py [--pictures DIR] [--count 120] [--engine NAME ...] [--json]

1. Engine: pictures of 256 px and their masks lie in memory; the engine makes its fakes (and finds
   the faces it needs), in as many processes as there are processors.
2. In memory: the same with locating and segmenting, which no fake can be made without.
3. End to end: `synthesize` on the same pictures as JPEG files: decode, locate, segment, make,
   encode real and fake, write masks and metadata, with as many workers.

The third is taken from the difference between a short and a long run, so that starting processes
and training what an engine needs are in none. Ratio = the third by the second: what files and
metadata leave. Without --pictures, portraits are drawn as for the demo domains.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

WANTED = {"self_blend": 60.0, "swap": 15.0}
SIDE = 256
ENGINES = ("self_blend", "swap", "resynthesize", "splice", "retouch")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--pictures", type=Path)
    arguments.add_argument("--count", type=int, default=320)
    arguments.add_argument("--engine", nargs="*", choices=ENGINES, default=ENGINES)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        files = prepare(options.pictures, options.count, work / "pictures")
        results = {name: measure(name, files, work, options.rounds) for name in options.engine}
    if options.json:
        print(json.dumps(results))


def prepare(source: Path | None, count: int, folder: Path) -> list[Path]:
    """Exactly `count` JPEG files of 256 px with different bytes."""
    import cv2

    from deepward.pictures.decode import decode_image

    folder.mkdir()
    if source is not None:
        found = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpg", ".png"))
        pictures = [decode_image(file).pixels for file in found[:count]]
    else:
        pictures = draw_portraits(min(count, 24))
    if not pictures:
        sys.exit(f"There are no pictures below {source}.")
    files = []
    for i in range(count):
        picture = pictures[i % len(pictures)]
        scale = SIDE / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if i >= len(pictures):  # the same picture again, one level brighter here or there
            picture = np.clip(picture.astype(np.int16) + i // len(pictures), 0, 255)
        files.append(folder / f"{i:05d}.jpg")
        bgr = cv2.cvtColor(picture.astype(np.uint8), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(files[-1]), bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
    return files


def draw_portraits(count: int) -> list[Any]:
    from deepward.demo.domains import make_demo_domains
    from deepward.pictures.decode import decode_image

    with tempfile.TemporaryDirectory() as folder:
        make_demo_domains(Path(folder), images_per_class=count, size=SIDE, seed=0)
        files = sorted(Path(folder).rglob("0_real/*"))[:count]
        return [decode_image(file).pixels for file in files]


def spec_of(name: str) -> Any:
    from deepward.techniques.specs import EditSpec

    return EditSpec(
        id=f"{name}-1",
        technique="benchmark",
        region="face",
        operation=name,
        positive_prompt="a portrait of a person",
        negative_prompt="a drawing",
        strength=0.8,
        seed=0,
        pattern="benchmark-1",
        chunk_ids=("none",),
    )


def measure(name: str, files: Sequence[Path], work: Path, rounds: int) -> dict[str, float]:
    from deepward.pictures.decode import decode_image
    from deepward.synthesis.engines import prepare_engines

    learned = work / "learned"
    prepare_engines([name], [decode_image(file).pixels for file in files[:32]], learned)
    workers = len(os.sched_getaffinity(0))
    shares = [[str(f) for f in files[i::workers]] for i in range(workers)]
    few = len(files) // 4
    alone, memory, whole, made = [], [], [], 0
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        for i in range(rounds):
            outcomes = list(pool.map(in_memory, [(name, s, str(learned)) for s in shares]))
            # Each process takes its own time; together they are as fast as the sum of their rates.
            alone.append(sum(count / seconds for count, _, seconds, _ in outcomes))
            memory.append(sum(count / seconds for count, _, _, seconds in outcomes))
            made = sum(good for _, good, _, _ in outcomes)
            short = end_to_end(name, files[:few], work / f"{name}-{i}-few", workers)
            long = end_to_end(name, files, work / f"{name}-{i}-all", workers)
            whole.append((len(files) - few) / (long - short))
    ratios = [b / a for a, b in zip(memory, whole, strict=True)]
    result = {
        "engine": statistics.median(alone),
        "in_memory": statistics.median(memory),
        "end_to_end": statistics.median(whole),
        "ratio": statistics.median(ratios),
        "made": made,
        "of": len(files),
    }
    wanted = f" (wanted: {WANTED[name]:.0f})" if name in WANTED else ""
    say(f"{name}: {made} of {len(files)} made, {workers} processes, median of {rounds} rounds")
    say(f"  engine         {result['engine']:7.1f} pictures/s{wanted}")
    say(f"  in memory      {result['in_memory']:7.1f} pictures/s")
    say(f"  end to end     {result['end_to_end']:7.1f} pictures/s")
    say(f"  ratio          {result['ratio']:7.2f} (wanted: 0.7)")
    return result


def in_memory(task: tuple[str, list[str], str]) -> tuple[int, int, float, float]:
    """Jobs, fakes made, and seconds of the engine alone and with locating and segmenting."""
    import cv2

    from deepward.pictures.decode import decode_image
    from deepward.synthesis.engines import ENGINES
    from deepward.synthesis.interfaces import Rejected
    from deepward.synthesis.locate.faces import forget_faces

    cv2.setNumThreads(1)
    name, files, learned = task
    engine = ENGINES[name](Path(learned))
    pictures = [decode_image(Path(file)).pixels for file in files]
    seconds, results = {True: 0.0, False: 0.0}, []
    for is_alone in (True, False):
        forget_faces()
        for start in range(0, len(pictures), engine.batch_size):
            chosen = range(start, min(start + engine.batch_size, len(pictures)))
            begun = time.perf_counter()
            jobs = jobs_for(engine, pictures, chosen)
            if is_alone:
                forget_faces()
                begun = time.perf_counter()
            made = engine.make(jobs)
            seconds[is_alone] += time.perf_counter() - begun
            results += made if is_alone else []
    good = sum(not isinstance(result, Rejected) for result in results)
    return len(results), good, seconds[True], seconds[False]


def jobs_for(engine: Any, pictures: Sequence[Any], chosen: Sequence[int]) -> list[Any]:
    from deepward.synthesis.interfaces import Job
    from deepward.synthesis.locate.faces import CascadeLocator
    from deepward.synthesis.locate.grabcut import GrabCutSegmenter

    spec, jobs = spec_of(engine.name), []
    boxes = CascadeLocator().locate([pictures[i] for i in chosen], ["face"] * len(chosen))
    for i, found in zip(chosen, boxes, strict=True):
        if found:
            mask = GrabCutSegmenter().segment([pictures[i]], found[:1])[0]
            donor = pictures[(i + 1) % len(pictures)] if engine.needs_donor else None
            jobs.append(Job(pictures[i], mask, "face", spec, i, found[0], donor))
    return jobs


def end_to_end(name: str, files: Sequence[Path], out: Path, workers: int) -> float:
    """Seconds that `synthesize` takes for these pictures, by the clock."""
    from deepward.synthesis.config import SynthesisConfig
    from deepward.synthesis.dataset import synthesize

    begun = time.perf_counter()
    synthesize([spec_of(name)], list(files), out, SynthesisConfig(engine=name), workers=workers)
    return time.perf_counter() - begun


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
