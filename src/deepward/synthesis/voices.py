"""Voices spoken anew: one chunk of recordings after another, as `pipeline` does it with pictures.

Nothing is located: a copy is of the whole recording. Original and copy are equally long, leave
through one encoder, and bear marks of one length, so that the form of the files tells nothing.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableSound
from deepward.files import sha256_file
from deepward.media import MINIMUM
from deepward.pictures.marks import (
    ALTERED,
    CAPTURE,
    is_manipulated,
    source_type_url,
    stated_source_type,
)
from deepward.sounds.decode import decode_sound
from deepward.sounds.prepare import RATE, prepare
from deepward.synthesis.config import SynthesisConfig, stand_in_for
from deepward.synthesis.interfaces import Rejected
from deepward.synthesis.samples import Sample, begin_sample
from deepward.synthesis.sound_copies import COPIES

__all__ = ["make_voices"]

Sound = NDArray[np.int16]
_MARK = 120  # characters of every file's mark
_LEAST_CHANGE = 1.0  # mean, of 32,768


def make_voices(
    task: dict[str, Any], config: SynthesisConfig
) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """Makes all samples of a chunk and writes their files.

    Args:
        task: as `pipeline.make_chunk` has it.
        config: of the run.

    Returns:
        The rows, and sounds and seconds by engine.
    """
    bases: dict[int, Sound | Rejected] = {}
    for index in {plan["base"] for plan in task["samples"]}:
        try:
            bases[index] = _open(task["bases"][index])
        except Rejected as refusal:
            bases[index] = refusal
    rows: list[dict[str, Any]] = []
    spent: dict[str, list[float]] = {}
    for plan in task["samples"]:
        sample = begin_sample(plan, task["bases"], config)
        base = bases[sample.base]
        if isinstance(base, Rejected):
            sample.reject(base.reason, base.message)
        else:
            begun = time.perf_counter()
            copy = COPIES[sample.engine](base, sample.row["seed"])
            entry = spent.setdefault(sample.engine, [0, 0.0])
            entry[0] += 1
            entry[1] += time.perf_counter() - begun
            facts = task["bases"][sample.base]
            _finish(sample, base, copy, facts, config, Path(task["out"]))
        rows.append(sample.row)
    return rows, spent


def _open(facts: dict[str, Any]) -> Sound:
    """A recording as everything else sees it: prepared.

    Raises:
        Rejected: it cannot be used, and why.
    """
    if facts["reason"] is not None:
        raise Rejected(facts["reason"], f"{facts['name']} was not opened.")
    try:
        if sha256_file(Path(facts["path"])) != facts["sha256"]:
            raise Rejected("changed", f"{facts['name']} changed while the run went on.")
        stated = stated_source_type(_comment(facts["path"]).encode())
        # Prepared twice: where ten seconds end in a pause, the first time leaves it there.
        sound = prepare(decode_sound(facts["path"]).samples.astype(np.float64))
    except UnreadableSound as error:
        raise Rejected(error.reason, str(error).replace(facts["path"], facts["name"])) from None
    except OSError as error:
        raise Rejected("changed", f"{facts['name']} cannot be read any more: {error}.") from None
    if is_manipulated(stated or CAPTURE):
        raise Rejected("not_real", f"{facts['name']} is marked as {stated}.")
    if len(sound) < MINIMUM["audio"]:
        raise Rejected("too_short", f"{facts['name']} holds too little sound.")
    return sound


def _finish(
    sample: Sample,
    base: Sound,
    copy: Sound,
    facts: dict[str, Any],
    config: SynthesisConfig,
    out: Path,
) -> None:
    """Writes the files, or rejects what does not differ; completes the row."""
    fake = _as_long(copy, len(base))
    change = float(np.abs(fake.astype(np.float64) - base).mean())
    if change < _LEAST_CHANGE:
        sample.row["change"] = change
        sample.reject("unchanged", f"The copy differs by {change:.2f} of 32,768.")
        return
    split, key = facts["split"], facts["sha256"][:16]
    places = {
        "fake": f"{split}/1_fake/{sample.engine}/{key}_{sample.spec.id}.wav",
        "original": f"{split}/0_real/{key}.wav",
    }
    _write(out / places["fake"], fake, ALTERED)
    if not (out / places["original"]).exists():
        _write(out / places["original"], base, CAPTURE)
    sample.row |= places
    sample.row |= {
        "status": "made",
        "change": change,
        "done_engine": sample.engine,
        "stand_in": stand_in_for(sample.spec.operation, config),
        "digital_source_type": ALTERED,
    }


def _as_long(copy: Sound, count: int) -> Sound:
    """A copy at its recording's length, as voiced at its end: trimming again leaves both alike."""
    missing = count - len(copy)
    return np.pad(copy, (0, missing), "reflect") if missing > 0 else copy[:count]


def _write(path: Path, sound: Sound, source_type: str) -> None:
    """WAV, 16 kHz mono; renamed into place, so that a kill leaves no half of it."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with soundfile.SoundFile(partial, "w", RATE, 1, subtype="PCM_16", format="WAV") as file:
        file.comment = source_type_url(source_type).ljust(_MARK)
        file.write(sound)
    partial.rename(path)


def _comment(path: str) -> str:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            return str(file.comment)
    except (soundfile.LibsndfileError, RuntimeError):
        return ""
