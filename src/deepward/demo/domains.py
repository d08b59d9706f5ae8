"""The demo domains: procedural portraits, real and forged, ready to be learned from.

Nothing here was ever in front of a lens: "real" means that the whole picture came through one
camera model, "fake" that it was manipulated afterwards. One domain per family of fakes, each with
its own camera, and one of reals only.

    <domain>/{train,val,test}/{0_real,1_fake}/*.jpg
    <domain>/masks/<split>/<name>.png     white where pixels were manipulated
    <domain>/metadata.jsonl               one row per picture
    <domain>/recipe.json                  what it is made from
"""

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL

from deepward.demo.pictures import DemoDomain, DemoPicture, draw_files
from deepward.errors import DomainError, UsageError, WorkError
from deepward.files import atomic_file, canonical_json
from deepward.intake.pool import Failure, available_cores, run_tasks
from deepward.progress import Advance, Progress, no_progress
from deepward.steps import NOTE, Step, resume
from deepward.versions import code_version

__all__ = ["DEMO_DOMAINS", "make_demo_domains"]

DEMO_DOMAINS = (
    DemoDomain("demo_camera_only", None, "compact"),
    DemoDomain("demo_inpaint", "inpaint", "reflex"),
    DemoDomain("demo_regenerated", "regenerated", "webcam"),
    DemoDomain("demo_swap", "swap", "mirrorless"),
    DemoDomain("demo_upsampler", "upsampler", "phone"),
)

TABLE = "metadata.jsonl"  # written when all pictures are there
FEW = 16  # pictures that are drawn sooner than a worker process starts


def make_demo_domains(
    root: Path,
    *,
    images_per_class: int,
    size: int,
    seed: int,
    names: Collection[str] | None = None,
    workers: int | None = None,
    progress: Progress = no_progress,
) -> list[str]:
    """Draws the demo domains below `root`; what already stands is not drawn again.

    The bytes depend on `images_per_class`, `size` and `seed` alone, not on `workers`. After a
    kill, the next call completes what is missing. A domain drawn from another recipe is replaced.

    Args:
        root: folder to hold one folder per domain.
        images_per_class: pictures per class and domain, over all splits (60, 20, 20 %).
        size: width and height in pixels; even, at least 64.
        seed: of everything drawn.
        names: of the domains to draw; by default all.
        workers: processes; None for one per core.
        progress: told after every few pictures.

    Returns:
        The names of the domains, sorted.

    Raises:
        UsageError: for numbers that make no sense.
        DomainError: when a folder of such a name holds something else.
        WorkError: when a picture cannot be drawn.
    """
    if images_per_class < 3:
        raise UsageError(f"{images_per_class} images per class cannot fill three splits; give 3+.")
    if size < 64 or size % 2:
        raise UsageError(f"Demo pictures cannot be {size} pixels wide; give an even size of 64+.")
    plans = [
        (root / domain.name, _step(domain, images_per_class, size, seed), pictures)
        for domain in DEMO_DOMAINS
        if names is None or domain.name in names
        for pictures in [_plan(domain, images_per_class, size, seed)]
    ]
    for folder, _, _ in plans:
        _refuse_foreign(folder)
    tasks = []
    for folder, step, pictures in plans:
        resume(folder, step)
        missing = [picture for picture in pictures if not _stands(folder, picture)]
        if missing:
            (folder / TABLE).unlink(missing_ok=True)
        tasks += [{"folder": str(folder.absolute()), **asdict(picture)} for picture in missing]
    for done in _draw(tasks, workers or available_cores()):
        progress(Advance("drawing demo portraits", done, len(tasks), "picture"))
    for folder, _, pictures in plans:
        if not (folder / TABLE).is_file():
            text = "".join(canonical_json(picture.row()) + "\n" for picture in pictures)
            with atomic_file(folder / TABLE) as partial:
                partial.write_text(text, encoding="utf-8")
    return sorted(folder.name for folder, _, _ in plans)


def _plan(domain: DemoDomain, count: int, size: int, seed: int) -> list[DemoPicture]:
    """The domain's pictures, sorted by path within each class: 60 % train, 20 % val, 20 % test."""

    def split(index: int) -> str:
        share = (index + 0.5) / count
        return "train" if share < 0.6 else "val" if share < 0.8 else "test"

    return [
        DemoPicture(domain, label, index, split(index), size, seed)
        for label in ((0,) if domain.technique is None else (0, 1))
        for index in range(count)
    ]


def _step(domain: DemoDomain, count: int, size: int, seed: int) -> Step:
    versions = {"numpy": np.__version__, "opencv": cv2.__version__, "pillow": PIL.__version__}
    config = {"domain": asdict(domain), "images_per_class": count, "size": size, "seed": seed}
    return Step("demo", versions, config, code_version("deepward.demo.pictures"))


def _refuse_foreign(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / NOTE).is_file():
        raise DomainError(
            f"{folder} was not made by the demo generator (it has no {NOTE}), so nothing was "
            "drawn. Move it away, or choose another folder."
        )


def _stands(folder: Path, picture: DemoPicture) -> bool:
    mask = picture.mask
    return (folder / picture.path).is_file() and (mask is None or (folder / mask).is_file())


def _draw(tasks: list[dict[str, Any]], workers: int) -> Iterator[int]:
    """Yields how many pictures are drawn so far."""
    done = 0
    if workers <= 1 or len(tasks) <= FEW:
        threads = cv2.getNumThreads()
        try:
            for task in tasks:
                draw_files(task)
                done += 1
                yield done
        finally:
            cv2.setNumThreads(threads)
        return
    with closing(run_tasks(draw_files, tasks, workers=workers)) as answers:
        for number, answer in answers:
            if isinstance(answer, Failure):
                raise WorkError(f"{tasks[number]} was not drawn: {answer.detail}")
            done += 1
            yield done
