"""Fakes on their way: from a planned sample to a region, a mask and, if need be, a donor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deepward.files import canonical_json, sha256_bytes
from deepward.synthesis.config import SynthesisConfig, engine_for
from deepward.synthesis.interfaces import Box, Job, Locator, Mask, Pixels, Segmenter
from deepward.synthesis.models import Parts
from deepward.synthesis.scenes import FACE, shown_in
from deepward.techniques.specs import EditSpec

__all__ = ["OpenedBase", "Sample", "begin_sample", "find_regions", "job_of", "make_masks"]

LEAST_MASK, MOST_MASK = 0.001, 0.98  # shares of the picture that a mask may cover


@dataclass(eq=False)
class OpenedBase:
    """A decoded base, and where things are in it.

    Attributes:
        facts: what the plan knows of it.
        source_type: its digital source type.
        notes: what was special about its file (codes).
        boxes: by phrase; filled as regions are looked for.
        is_written: whether its file stands in the set already.
    """

    facts: dict[str, Any]
    pixels: Pixels
    source_type: str
    notes: str
    boxes: dict[str, list[Box]] = field(default_factory=dict)
    is_written: bool = False


@dataclass(eq=False)
class Sample:
    """One fake on its way; `row` is what the set's table will say about it."""

    base: int
    spec: EditSpec
    engine: str
    row: dict[str, Any]
    box: Box | None = None
    mask: Mask | None = None
    donor: OpenedBase | None = None

    def reject(self, reason: str, message: str) -> None:
        self.row |= {"status": "rejected", "reason": reason, "message": message}

    @property
    def is_alive(self) -> bool:
        return "status" not in self.row


def begin_sample(
    plan: Mapping[str, Any], bases: Sequence[Mapping[str, Any]], config: SynthesisConfig
) -> Sample:
    """A sample as `planning` has it, before its base is opened."""
    spec = EditSpec.model_validate(plan["spec"])
    facts = bases[plan["base"]]
    text = canonical_json([config.seed, plan["spec"], facts["sha256"]])
    row = {
        "sample": plan["sample"],
        "base": facts["name"],
        "base_sha256": facts["sha256"],
        "base_group": facts["group"],
        "split": facts["split"],
        "spec": plan["spec"],
        "seed": int(sha256_bytes(text.encode())[:15], 16),
    }
    return Sample(plan["base"], spec, engine_for(spec.operation, config), row)


def find_regions(samples: Sequence[Sample], bases: Mapping[int, OpenedBase], parts: Parts) -> None:
    """Finds each sample's region, and a donor where the engine needs one; each pair once."""
    alive = [sample for sample in samples if sample.is_alive]
    wanted = dict.fromkeys((s.base, s.spec.region) for s in alive)
    told = {s.base for s in alive if parts.engines[s.engine].follows_prompt}
    wanted |= dict.fromkeys((base, FACE) for base in sorted(told))
    _locate(list(wanted), bases, parts.locator)
    for sample in samples:
        if not sample.is_alive:
            continue
        base, region = bases[sample.base], sample.spec.region
        if not base.boxes[region]:
            sample.reject("no_region", f"No {region} was found in {base.facts['name']}.")
            continue
        sample.box = base.boxes[region][0]
        if parts.engines[sample.engine].needs_donor:
            sample.donor = _find_donor(sample, bases, parts.locator)
            if sample.donor is None:
                sample.reject("no_donor", f"No other picture shows a {region}.")


def _find_donor(
    sample: Sample, bases: Mapping[int, OpenedBase], locator: Locator
) -> OpenedBase | None:
    """The next base with other content that shows the same region."""
    order, region = sorted(bases), sample.spec.region
    start = order.index(sample.base) + 1
    for index in order[start:] + order[: start - 1]:
        if bases[index].facts["sha256"] == bases[sample.base].facts["sha256"]:
            continue
        if region not in bases[index].boxes:
            _locate([(index, region)], bases, locator)
        if bases[index].boxes[region]:
            return bases[index]
    return None


def _locate(
    wanted: list[tuple[int, str]], bases: Mapping[int, OpenedBase], locator: Locator
) -> None:
    if not wanted:
        return
    images = [bases[index].pixels for index, _ in wanted]
    boxes = locator.locate(images, [phrase for _, phrase in wanted])
    for (index, phrase), found in zip(wanted, boxes, strict=True):
        bases[index].boxes[phrase] = found


def make_masks(
    samples: Sequence[Sample],
    bases: Mapping[int, OpenedBase],
    segmenter: Segmenter,
    inverted: bool,
) -> None:
    """Gives every located sample its mask; rejects those that are empty or nearly full."""
    located = [(s, s.box) for s in samples if s.is_alive and s.box is not None]
    if not located:
        return
    images = [bases[sample.base].pixels for sample, _ in located]
    masks = segmenter.segment(images, [box for _, box in located])
    for (sample, box), found in zip(located, masks, strict=True):
        mask = ~found if inverted else found
        share = float(mask.mean())
        sample.mask = mask
        sample.row |= {
            "box": [box.left, box.top, box.right, box.bottom],
            "box_score": box.score,
            "mask_share": share,
        }
        if share < LEAST_MASK or not mask.any():
            sample.reject("mask_empty", f"The mask of the {sample.spec.region} is empty.")
        elif share > MOST_MASK:
            sample.reject("mask_full", f"The mask covers {share:.0%} of the picture.")


def job_of(sample: Sample, base: OpenedBase) -> Job:
    """What an engine is given to make a sample that has its mask."""
    assert sample.mask is not None and sample.box is not None
    region, donor = sample.spec.region, sample.donor
    return Job(
        base=base.pixels,
        mask=sample.mask,
        region=region,
        spec=sample.spec,
        seed=sample.row["seed"],
        box=sample.box,
        donor=donor.pixels if donor else None,
        donor_box=donor.boxes[region][0] if donor else None,
        scene=shown_in(base.pixels, base.boxes[FACE]) if FACE in base.boxes else "",
    )
