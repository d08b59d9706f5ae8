"""Locate, segment, make, paste back, encode: one chunk of base pictures after another.

A chunk is a handful of bases of one split with all that is to be made from them. Each base is
decoded once; donors are other bases of the same chunk. What a chunk gives depends on its task
alone, so any process may do it, and doing it again gives the same bytes.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deepward.files import canonical_json, locked
from deepward.pictures.marks import encode_jpeg, source_type_of
from deepward.synthesis.bases import open_base
from deepward.synthesis.config import SynthesisConfig, stand_in_for
from deepward.synthesis.interfaces import Engine, Pixels, Rejected
from deepward.synthesis.models import Parts, load_parts
from deepward.synthesis.pasting import LEAST_CHANGE, changed_part, mean_change, paste_back
from deepward.synthesis.samples import (
    OpenedBase,
    Sample,
    begin_sample,
    find_regions,
    job_of,
    make_masks,
)

__all__ = ["WORKERS", "forget_parts", "give_up", "make_chunk"]

WORKERS = ".at_work"  # holds one lock per process that writes into the folder
JPEG_QUALITY = 95  # of every picture, real or fake
_PACKET_LENGTH = 1024  # bytes of every picture's mark


@lru_cache(maxsize=1)
def _parts(config: str, names: str, folder: str) -> Parts:
    return load_parts(SynthesisConfig(**json.loads(config)), json.loads(names), Path(folder))


def forget_parts() -> None:
    """Drops loaded models, so that their memory is free."""
    _parts.cache_clear()


def make_chunk(task: dict[str, Any]) -> dict[str, Any]:
    """Makes all samples of a chunk and writes their files and, last, their rows.

    Args:
        task: `config`, `engines` (names), `learned` (folder of their weights), `out` (folder),
            `result` (file for the rows), `key`, `bases` and `samples` as `dataset` plans them.

    Returns:
        How many were `made` and `rejected`.
    """
    # Released by the kernel, however this process ends.
    with locked(Path(task["out"]) / WORKERS / f"{os.getpid()}.lock"):
        return _make_chunk(task)


def give_up(task: dict[str, Any], reason: str) -> dict[str, Any]:
    """Writes rows that reject all samples of a chunk whose process ended or hung."""
    config = SynthesisConfig(**task["config"])
    rows = []
    for plan in task["samples"]:
        sample = begin_sample(plan, task["bases"], config)
        sample.reject(reason, "The process that worked on this and its neighbours ended early.")
        rows.append(sample.row)
    return _write(task, rows, {})


def _make_chunk(task: dict[str, Any]) -> dict[str, Any]:
    cv2.setNumThreads(1)
    config = SynthesisConfig(**task["config"])
    if config.medium == "audio":
        from deepward.synthesis.voices import make_voices

        return _write(task, *make_voices(task, config))
    parts = _parts(canonical_json(task["config"]), canonical_json(task["engines"]), task["learned"])
    bases: dict[int, OpenedBase] = {}
    refusals: dict[int, Rejected] = {}
    for index, facts in enumerate(task["bases"]):
        try:
            bases[index] = OpenedBase(facts, *open_base(facts, config.longest_side))
        except Rejected as refusal:
            refusals[index] = refusal
    samples = [begin_sample(plan, task["bases"], config) for plan in task["samples"]]
    for sample in samples:
        if sample.base in refusals:
            refused = refusals[sample.base]
            sample.reject(refused.reason, refused.message)
        else:
            base = bases[sample.base]
            height, width = base.pixels.shape[:2]
            sample.row |= {"width": width, "height": height, "base_notes": base.notes or None}
    find_regions(samples, bases, parts)
    make_masks(samples, bases, parts.segmenter, config.inverted)
    seconds = _make_fakes(samples, bases, parts, config, Path(task["out"]))
    return _write(task, [sample.row for sample in samples], seconds)


def _write(
    task: dict[str, Any], rows: list[dict[str, Any]], seconds: dict[str, list[float]]
) -> dict[str, Any]:
    """Puts the rows where the run looks for them; from then on the chunk is done."""
    text = canonical_json({"key": task["key"], "rows": rows, "seconds": seconds})
    result = Path(task["result"])
    partial = result.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(result)
    made = sum(row["status"] == "made" for row in rows)
    return {"made": made, "rejected": len(rows) - made}


def _make_fakes(
    samples: Sequence[Sample],
    bases: Mapping[int, OpenedBase],
    parts: Parts,
    config: SynthesisConfig,
    out: Path,
) -> dict[str, list[float]]:
    """Runs the engines and writes the files; returns pictures and seconds by engine."""
    spent: dict[str, list[float]] = {}
    for name, engine in parts.engines.items():
        ready = [sample for sample in samples if sample.is_alive and sample.engine == name]
        for start in range(0, len(ready), engine.batch_size):
            batch = ready[start : start + engine.batch_size]
            begun = time.perf_counter()
            jobs = [job_of(sample, bases[sample.base]) for sample in batch]
            results = engine.make(jobs)
            entry = spent.setdefault(name, [0, 0.0])
            entry[0] += len(batch)
            entry[1] += time.perf_counter() - begun
            for sample, job, result in zip(batch, jobs, results, strict=True):
                if isinstance(result, Rejected):
                    sample.reject(result.reason, result.message)
                    continue
                _finish(sample, bases[sample.base], result, engine, config, out)
                if engine.follows_prompt and sample.row["status"] == "made":
                    sample.row["done_prompt"] = job.prompt
    return spent


def _finish(
    sample: Sample,
    base: OpenedBase,
    made: Pixels,
    engine: Engine,
    config: SynthesisConfig,
    out: Path,
) -> None:
    """Pastes back and writes the files, or rejects what does not differ; completes the row."""
    assert sample.mask is not None
    fake = paste_back(base.pixels, made, sample.mask)
    change = mean_change(base.pixels, fake, sample.mask)
    if change < LEAST_CHANGE:
        sample.row["change"] = change
        sample.reject("unchanged", f"The fake differs by {change:.2f} of 255 inside the mask.")
        return
    mask = changed_part(base.pixels, fake, sample.mask)
    share = float(mask.mean())
    elements = [base.source_type]
    if engine.is_composite:
        elements.append((sample.donor or base).source_type)
    source_type = source_type_of(
        by_model=engine.model is not None, is_whole=share >= 1.0, elements=elements
    )
    split, key = base.facts["split"], base.facts["sha256"][:16]
    name = f"{key}_{sample.spec.id}"
    places = {
        "fake": f"{split}/1_fake/{engine.name}/{name}.jpg",
        "original": f"{split}/0_real/{key}.jpg",
        "mask": f"masks/{split}/{engine.name}/{name}.png",
    }
    _, png = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    files = {"fake": _encode(fake, source_type), "mask": png.tobytes()}
    if not base.is_written:
        files["original"] = _encode(base.pixels, base.source_type)
        base.is_written = True
    for what, data in files.items():
        path = out / places[what]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    donor = sample.donor.facts if sample.donor else {}
    sample.row |= places
    sample.row |= {
        "status": "made",
        "change": mean_change(base.pixels, fake, mask),
        "mask_share": share,
        "done_engine": engine.name,
        "done_model": engine.model,
        "done_model_sha256": engine.model_sha256,
        "stand_in": stand_in_for(sample.spec.operation, config),
        "donor": donor.get("name"),
        "donor_sha256": donor.get("sha256"),
        "digital_source_type": source_type,
    }


def _encode(pixels: Pixels, source_type: str) -> bytes:
    return encode_jpeg(pixels, source_type, JPEG_QUALITY, packet_length=_PACKET_LENGTH)
