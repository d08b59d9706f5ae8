"""Locate, segment, make, paste back, encode: one chunk of base pictures after another.

A chunk is a handful of bases of one split with all that is to be made from them. Each base is
decoded once; donors are other bases of the same chunk. What a chunk gives depends on its task
alone, so any process may do it, and doing it again gives the same bytes.
"""

import fcntl
import json
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deepward.files import canonical_json, sha256_bytes
from deepward.synthesis.bases import open_base
from deepward.synthesis.config import SynthesisConfig, engine_for
from deepward.synthesis.loading import Parts, load_parts
from deepward.synthesis.parts import Box, Engine, Job, Locator, Mask, Pixels, Rejected
from deepward.synthesis.provenance import encode, source_type
from deepward.techniques.specs import EditSpec

__all__ = [
    "WORKERS",
    "changed_part",
    "forget_parts",
    "give_up",
    "make_chunk",
    "paste_back",
]

WORKERS = ".workers"  # locked while a process writes into the folder


@lru_cache(maxsize=1)
def _parts(config: str, names: str, folder: str) -> Parts:
    return load_parts(SynthesisConfig(**json.loads(config)), json.loads(names), Path(folder))


def forget_parts() -> None:
    """Drops loaded models, so that their memory is free."""
    _parts.cache_clear()


@dataclass(eq=False)
class _Base:
    """A decoded base, and where things are in it."""

    facts: dict[str, Any]
    pixels: Pixels
    kind: str
    notes: str
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    is_written: bool = False


@dataclass(eq=False)
class _Sample:
    """One fake on its way."""

    number: int
    base: int
    spec: EditSpec
    engine: str
    row: dict[str, Any]
    seed: int
    box: Box | None = None
    mask: Mask | None = None
    donor: _Base | None = None

    def reject(self, reason: str, message: str) -> None:
        self.row |= {"status": "rejected", "reason": reason, "message": message}

    @property
    def alive(self) -> bool:
        return "status" not in self.row


def make_chunk(task: dict[str, Any]) -> dict[str, Any]:
    """Makes all samples of a chunk and writes their files and, last, their rows.

    Args:
        task: `config`, `engines` (names), `learned` (folder of their weights), `out` (folder),
            `result` (file for the rows), `key`, `bases` and `samples` as `dataset` plans them.

    Returns:
        How many were `made` and `rejected`.
    """
    with (Path(task["out"]) / WORKERS).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # released by the kernel, however this process ends
        return _make_chunk(task)


def give_up(task: dict[str, Any], reason: str) -> dict[str, Any]:
    """Writes rows that reject all samples of a chunk whose process ended or hung."""
    config = SynthesisConfig(**task["config"])
    rows = []
    for plan in task["samples"]:
        sample = _begin(plan, task["bases"], config)
        sample.reject(reason, "The process that worked on this and its neighbours ended early.")
        rows.append(sample.row)
    return _write(task, rows, {})


def _make_chunk(task: dict[str, Any]) -> dict[str, Any]:
    cv2.setNumThreads(1)
    config = SynthesisConfig(**task["config"])
    parts = _parts(canonical_json(task["config"]), canonical_json(task["engines"]), task["learned"])
    out = Path(task["out"])
    bases: dict[int, _Base | Rejected] = {}
    for index, facts in enumerate(task["bases"]):
        try:
            bases[index] = _Base(facts, *open_base(facts, config))
        except Rejected as refusal:
            bases[index] = refusal
    samples = [_begin(plan, task["bases"], config) for plan in task["samples"]]
    for sample in samples:
        base = bases[sample.base]
        if isinstance(base, Rejected):
            sample.reject(base.reason, base.message)
        else:
            height, width = base.pixels.shape[:2]
            sample.row |= {"width": width, "height": height, "base_notes": base.notes or None}
    good = {index: base for index, base in bases.items() if isinstance(base, _Base)}
    _locate(samples, good, parts)
    _segment(samples, good, parts, config)
    seconds = _make(samples, good, parts, config, out)
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


def _begin(plan: dict[str, Any], bases: list[dict[str, Any]], config: SynthesisConfig) -> _Sample:
    spec = EditSpec.model_validate(plan["spec"])
    engine = engine_for(spec.operation, config)
    facts = bases[plan["base"]]
    text = canonical_json([config.seed, plan["spec"], facts["sha256"]])
    seed = int(sha256_bytes(text.encode())[:15], 16)
    row = {
        "sample": plan["sample"],
        "base": facts["name"],
        "base_sha256": facts["sha256"],
        "base_group": facts["group"],
        "split": facts["split"],
        "spec": plan["spec"],
        "engine": engine,
        "seed": seed,
    }
    return _Sample(plan["sample"], plan["base"], spec, engine, row, seed)


def _locate(samples: list[_Sample], bases: dict[int, _Base], parts: Parts) -> None:
    """Finds each sample's region, and a donor where the engine needs one; each pair once."""
    wanted: dict[tuple[int, str], None] = {}
    for sample in samples:
        if sample.alive:
            wanted[sample.base, sample.spec.region] = None
    _look(list(wanted), bases, parts.locator)
    for sample in samples:
        if not sample.alive:
            continue
        base = bases[sample.base]
        found = base.boxes[sample.spec.region]
        if not found:
            message = f"No {sample.spec.region} was found in {base.facts['name']}."
            sample.reject("no_region", message)
            continue
        sample.box = found[0]
        if not parts.engines[sample.engine].needs_donor:
            continue
        for offset in range(1, len(bases)):
            order = sorted(bases)
            index = order[(order.index(sample.base) + offset) % len(order)]
            if bases[index].facts["sha256"] == base.facts["sha256"]:
                continue
            if sample.spec.region not in bases[index].boxes:
                _look([(index, sample.spec.region)], bases, parts.locator)
            if bases[index].boxes[sample.spec.region]:
                sample.donor = bases[index]
                break


def _look(wanted: list[tuple[int, str]], bases: dict[int, _Base], locator: Locator) -> None:
    if not wanted:
        return
    images = [bases[index].pixels for index, _ in wanted]
    boxes = locator.locate(images, [phrase for _, phrase in wanted])
    for (index, phrase), found in zip(wanted, boxes, strict=True):
        bases[index].boxes[phrase] = found


def _segment(
    samples: list[_Sample], bases: dict[int, _Base], parts: Parts, config: SynthesisConfig
) -> None:
    located = [sample for sample in samples if sample.alive and sample.box is not None]
    if not located:
        return
    images = [bases[sample.base].pixels for sample in located]
    boxes = [sample.box for sample in located if sample.box is not None]
    masks = parts.segmenter.segment(images, boxes)
    for sample, box, found in zip(located, boxes, masks, strict=True):
        mask = ~found if config.mask_mode == "inverted" else found
        share = float(mask.mean())
        sample.mask = mask
        sample.row |= {
            "box": [box.left, box.top, box.right, box.bottom],
            "box_score": box.score,
            "mask_share": share,
        }
        if share < config.least_mask or not mask.any():
            sample.reject("mask_empty", f"The mask of the {sample.spec.region} is empty.")
        elif share > config.most_mask:
            sample.reject("mask_full", f"The mask covers {share:.0%} of the picture.")


def _make(
    samples: list[_Sample],
    bases: dict[int, _Base],
    parts: Parts,
    config: SynthesisConfig,
    out: Path,
) -> dict[str, list[float]]:
    """Runs the engines and writes the files; returns pictures and seconds by engine."""
    spent: dict[str, list[float]] = {}
    for name, engine in parts.engines.items():
        ready = [sample for sample in samples if sample.alive and sample.engine == name]
        if engine.needs_donor:
            for sample in ready:
                if sample.donor is None:
                    sample.reject("no_donor", f"No other picture shows a {sample.spec.region}.")
            ready = [sample for sample in ready if sample.alive]
        for start in range(0, len(ready), engine.batch_size):
            batch = ready[start : start + engine.batch_size]
            begun = time.perf_counter()
            results = engine.make([_job(sample, bases[sample.base]) for sample in batch])
            entry = spent.setdefault(name, [0, 0.0])
            entry[0] += len(batch)
            entry[1] += time.perf_counter() - begun
            for sample, result in zip(batch, results, strict=True):
                _finish(sample, bases[sample.base], result, engine, config, out)
    return spent


def _job(sample: _Sample, base: _Base) -> Job:
    assert sample.mask is not None and sample.box is not None
    region, donor = sample.spec.region, sample.donor
    return Job(
        base=base.pixels,
        mask=sample.mask,
        region=region,
        spec=sample.spec,
        seed=sample.seed,
        box=sample.box,
        donor=donor.pixels if donor else None,
        donor_box=donor.boxes[region][0] if donor else None,
    )


def paste_back(base: Pixels, made: Pixels, mask: Mask) -> Pixels:
    """The made pixels where the mask allows them, the base's own everywhere else."""
    return np.asarray(cv2.copyTo(made, mask.view(np.uint8), base.copy()), np.uint8)


def changed_part(base: Pixels, fake: Pixels, mask: Mask) -> Mask:
    """The part of the mask that the engine used, without the pinholes where it hit the old value.

    A piece pasted into the background leaves most of the background as it was, and a mask that
    says where to look must not say otherwise.
    """
    apart = np.asarray(cv2.absdiff(fake, base), np.uint8)  # ten times as fast as `any(axis=2)`
    changed = ((apart[..., 0] | apart[..., 1] | apart[..., 2]) > 0).astype(np.uint8)
    reach = max(3, min(mask.shape) // 16 | 1)  # odd, so that it lies centred
    closed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    return np.asarray((closed > 0) & mask)


def _finish(
    sample: _Sample,
    base: _Base,
    result: Pixels | Rejected,
    engine: Engine,
    config: SynthesisConfig,
    out: Path,
) -> None:
    assert sample.mask is not None
    if isinstance(result, Rejected):
        sample.reject(result.reason, result.message)
        return
    fake = paste_back(base.pixels, result, sample.mask)
    mask = changed_part(base.pixels, fake, sample.mask)
    share = float(mask.mean())
    change = float(cv2.absdiff(fake, base.pixels)[mask].mean()) if mask.any() else 0.0
    sample.row |= {"change": change, "mask_share": share}
    if change < config.least_change:
        sample.reject("unchanged", f"The fake differs by {change:.2f} of 255 inside the mask.")
        return
    kind = source_type(share)
    split, key = base.facts["split"], base.facts["sha256"][:16]
    name = f"{key}_{sample.spec.id}"
    places = {
        "fake": f"{split}/1_fake/{engine.name}/{name}.jpg",
        "original": f"{split}/0_real/{key}.jpg",
        "mask": f"masks/{split}/{engine.name}/{name}.png",
    }
    _, png = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    files = {"fake": encode(fake, kind, config.quality), "mask": png.tobytes()}
    if not base.is_written:
        files["original"] = encode(base.pixels, base.kind, config.quality)
        base.is_written = True
    for what, data in files.items():
        path = out / places[what]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    donor = sample.donor.facts if sample.donor else {}
    sample.row |= places
    sample.row |= {
        "status": "made",
        "model": getattr(engine, "model", None),
        "model_sha256": getattr(engine, "model_sha256", None),
        "donor": donor.get("name"),
        "donor_sha256": donor.get("sha256"),
        "digital_source_type": kind,
    }
