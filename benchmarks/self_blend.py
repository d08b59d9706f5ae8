"""Does a detector that saw self-blended photographs only find face swaps of other people?

    python benchmarks/self_blend.py --train DIR --test DIR [--detector blending] [--minutes 4]

`--train` is a domain whose real pictures (train and val splits) are self-blended; the detector sees
them and their self-blends, nothing else. `--test` is another domain: faces of its real test
pictures are swapped with each other by the `swap` engine, whose output no part of training has
seen. All pictures, real or fake, leave through the same JPEG encoder; the detector is shown the
face and 15 % around it.

All photographs lose up to 7 rows and columns first. Otherwise the real ones are compressed twice on
one grid of blocks and the swapped faces once: detectors find that alone (AUC 0.98), not blending.

Beside it: a classifier on raw pixels that learned the same self-blends; and the same detector that
learned from pictures changed as self-blending changes its source, but all over, with no blending.
Laundered: the test pictures halved and compressed at quality 75.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

WANTED = 0.75
QUALITY = 95


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--train", type=Path, required=True)
    arguments.add_argument("--test", type=Path, required=True)
    arguments.add_argument("--test-split", default="test", choices=("train", "val", "test"))
    arguments.add_argument("--minutes", type=float, default=4.0)
    arguments.add_argument("--detector", default="blending")
    arguments.add_argument("--blends", type=int, default=6, help="self-blends of each photograph")
    arguments.add_argument("--whole", action="store_true", help="show whole pictures")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--without-baselines", action="store_true")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()

    ways = {"": blended} if options.without_baselines else {"": blended, "-unblended": unblended}
    sets = {}
    for split in ("train", "val"):
        pictures = reals(options.train, split)
        for kind, fake in ways.items():
            sets[split + kind] = with_fakes(
                pictures, fake, options.blends, split, options.seed, not options.whole
            )
        say(f"{split}: {describe(sets[split])}")
    test = swaps(reals(options.test, options.test_split), options.seed, not options.whole)
    say(f"test: {describe(test)}")
    runs = [("self-blends", options.detector, "")]
    if not options.without_baselines:
        runs += [("raw pixels", "thumbnail", ""), ("no blending", options.detector, "-unblended")]
    results = {}
    for name, detector, kind in runs:
        train, val = sets[f"train{kind}"], sets[f"val{kind}"]
        results[name] = judge(detector, train, val, test, options)
        low, high = results[name]["interval"]
        wanted = f" (wanted: {WANTED})" if name == "self-blends" else ""
        say(
            f"{name:12} {detector:10} AUC {results[name]['auc']:.3f} [{low:.3f}, {high:.3f}]"
            f"{wanted}; laundered {results[name]['laundered']:.3f}; "
            f"on its own validation {results[name]['validation']:.3f}; "
            f"{results[name]['seconds']:.0f} s"
        )
    if options.json:
        print(json.dumps(results))


def reals(domain: Path, split: str) -> list[Any]:
    """Real pictures of one split, sorted by name, on a grid of blocks other than their file's."""
    from deepward.pictures.decode import decode_image

    files = sorted(path for path in (domain / split / "0_real").rglob("*") if path.is_file())
    if not files:
        sys.exit(f"There are no pictures in {domain / split / '0_real'}.")
    pictures = []
    for i, file in enumerate(files):
        down, right = np.random.default_rng([8, i]).integers(0, 8, 2)
        pictures.append(np.ascontiguousarray(decode_image(file).pixels[down:, right:]))
    return pictures


def face_crop(picture: Any, job: Any) -> tuple[slice, slice]:
    """The face and 15 % around it, as the detectors of the literature see it."""
    box, (height, width) = job.box, picture.shape[:2]
    across, down = 0.15 * (box.right - box.left), 0.15 * (box.bottom - box.top)
    rows = slice(max(0, int(box.top - down)), min(height, int(box.bottom + down)))
    return rows, slice(max(0, int(box.left - across)), min(width, int(box.right + across)))


def encoded(picture: Any) -> Any:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(buffer).convert("RGB"))


def job_for(picture: Any, operation: str, seed: int, **others: Any) -> Any:
    """A job on the face, or None where there is no face."""
    from deepward.synthesis.interfaces import Job
    from deepward.synthesis.locate.faces import CascadeLocator
    from deepward.synthesis.locate.grabcut import GrabCutSegmenter
    from deepward.techniques.specs import EditSpec

    spec = EditSpec(
        id=f"{operation}-1",
        technique="benchmark",
        region="face",
        operation=operation,
        positive_prompt="a portrait of a person",
        negative_prompt="a drawing",
        strength=1.0,
        seed=0,
        pattern="benchmark-1",
        chunk_ids=("none",),
    )
    boxes = CascadeLocator().locate([picture], ["face"])[0]
    if not boxes:
        return None
    mask = GrabCutSegmenter().segment([picture], boxes[:1])[0]
    return Job(picture, mask, "face", spec, seed, boxes[0], **others)


def blended(picture: Any, seed: int) -> Any:
    from deepward.synthesis.engines import ENGINES
    from deepward.synthesis.interfaces import Rejected

    job = job_for(picture, "self_blend", seed)
    made = ENGINES["self_blend"](None).make([job])[0] if job is not None else None
    return None if isinstance(made, Rejected) else made


def unblended(picture: Any, seed: int) -> Any:
    """The same changes of colour, frequency and place, all over the picture."""
    from deepward.synthesis.engines.self_blend import jittered, shifted

    if job_for(picture, "self_blend", seed) is None:
        return None
    rng = np.random.default_rng([seed, 0])
    source = jittered(picture.astype(np.float32), None, rng, 1.0)
    source, _ = shifted(source, np.ones(picture.shape[:2], np.float32), None, rng)
    return np.clip(np.rint(source), 0, 255).astype(np.uint8)


def with_fakes(
    pictures: Sequence[Any],
    fake: Callable[[Any, int], Any],
    count: int,
    name: str,
    seed: int,
    crop: bool,
) -> Any:
    """The pictures whose face is found, and `count` fakes of each."""
    rows = []
    for i, picture in enumerate(pictures):
        made = [fake(picture, seed * 1_000_003 + i * count + k) for k in range(count)]
        made = [other for other in made if other is not None]
        if made:
            rows.append((picture, 0, f"{name}-{i}"))
            rows += [(other, 1, f"{name}-{i}") for other in made]
    return as_set(rows, name, crop)


def swaps(pictures: Sequence[Any], seed: int, crop: bool) -> Any:
    """Each picture, and with the face of one from half the list away: somebody else's."""
    from deepward.synthesis.engines import ENGINES
    from deepward.synthesis.interfaces import Rejected

    engine, rows = ENGINES["swap"](None), []
    for i, picture in enumerate(pictures):
        donor = pictures[(i + len(pictures) // 2) % len(pictures)]
        job = job_for(picture, "swap", seed * 1_000_003 + i, donor=donor)
        made = engine.make([job])[0] if job is not None else None
        if made is not None and not isinstance(made, Rejected):
            rows += [(picture, 0, f"test-{i}"), (made, 1, f"test-{i}")]
    return as_set(rows, "test", crop)


def as_set(rows: Sequence[tuple[Any, int, str]], name: str, crop: bool) -> Any:
    """The pictures encoded, then cropped to the face as it was found in the real one."""
    from deepward.domains import ImageSet
    from deepward.files import sha256_bytes

    labels = np.array([label for _, label, _ in rows], np.int64)
    pixels, view = [], (slice(None), slice(None))
    for picture, label, _ in rows:
        if crop and label == 0:  # each real picture stands before its fakes
            view = face_crop(picture, job_for(picture, "self_blend", 0))
        pixels.append(np.ascontiguousarray(encoded(picture)[view]))
    return ImageSet(
        pixels=pixels,
        labels=labels,
        domains=np.array([name] * len(rows)),
        techniques=np.array(["blend" if label else "" for label in labels]),
        groups=np.array([group for _, _, group in rows]),
        paths=tuple(f"{name}/{i}.jpg" for i in range(len(rows))),
        hashes=tuple(sha256_bytes(picture.tobytes()) for picture in pixels),
        splits=(name,) * len(rows),
    )


def judge(detector: str, train: Any, val: Any, test: Any, options: Any) -> dict[str, Any]:
    from deepward.learning import TrainingConfig, train_detector
    from deepward.metrics.binary import binary_metrics
    from deepward.pictures.launder import launder
    from deepward.progress import progress_bars

    begun = time.perf_counter()
    config = TrainingConfig(detector=detector, minutes=options.minutes, seed=options.seed)
    with progress_bars() as progress:
        trained = train_detector(config, train, val, progress=progress)
    seconds = time.perf_counter() - begun
    threshold = trained.decision.threshold
    probability = trained.predict(test.pixels).probability
    metrics = binary_metrics(test.labels, probability, threshold, test.groups)
    probability = trained.predict([launder(picture) for picture in test.pixels]).probability
    laundered = binary_metrics(test.labels, probability, threshold, test.groups)
    return {
        "auc": metrics["auc"].value,
        "interval": metrics["auc"].interval,
        "laundered": laundered["auc"].value,
        "validation": trained.lineage["validation"]["auc"]["value"],
        "seconds": seconds,
        "train": describe(train),
        "test": describe(test),
    }


def describe(data: Any) -> str:
    fakes = int(data.labels.sum())
    return f"{len(data) - fakes} real and {fakes} fake pictures"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
