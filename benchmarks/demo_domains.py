"""How fast the demo domains are drawn, beside two references of the same run.

    python benchmarks/demo_domains.py [--images 40] [--size 256] [--workers N]

Prints one line of JSON. `images_per_second` is the whole generator with its files;
`of_required` its ratio to the 20 images/s that are asked for, and `of_jpeg_round_trip` its ratio
to encoding and decoding the same pictures as JPEG on one core, the least any generator must do.
`cpu_ms_per_image`, start of the workers included, does not suffer from other work on the machine;
`cores_for_required` says how many undisturbed cores keep up the 20 images/s.
"""

import argparse
import io
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from deepward.demo import make_demo_domains
from deepward.intake.pool import available_cores

REQUIRED = 20.0


def cpu_seconds() -> float:
    """Of this process and of its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=40, help="images per class and domain")
    parser.add_argument("--size", type=int, default=256, help="width and height in pixels")
    parser.add_argument("--workers", type=int, default=available_cores())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        begun, spent = time.perf_counter(), cpu_seconds()
        make_demo_domains(
            root,
            images_per_class=options.images,
            size=options.size,
            seed=0,
            workers=options.workers,
        )
        seconds, spent = time.perf_counter() - begun, cpu_seconds() - spent
        pictures = [np.asarray(Image.open(path)) for path in sorted(root.rglob("*.jpg"))]
    begun = time.perf_counter()
    for picture in pictures:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=90)
        np.asarray(Image.open(buffer))
    round_trip = len(pictures) / (time.perf_counter() - begun)
    rate = len(pictures) / seconds
    result = {
        "images": len(pictures),
        "size": options.size,
        "workers": options.workers,
        "seconds": round(seconds, 2),
        "images_per_second": round(rate, 1),
        "of_required": round(rate / REQUIRED, 2),
        "cpu_ms_per_image": round(1000 * spent / len(pictures), 1),
        "cores_for_required": round(REQUIRED * spent / len(pictures), 2),
        "jpeg_round_trips_per_second": round(round_trip, 1),
        "of_jpeg_round_trip": round(rate / round_trip, 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
