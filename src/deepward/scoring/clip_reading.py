"""A clip on its way from the process that reads it: facts as JSON, pictures and sound in a file."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from deepward.videos.clip import Clip, ClipFacts, read_clip
from deepward.videos.gathering import Shot
from deepward.videos.sync import Sync

__all__ = ["collect_clip", "read_clip_into"]


def read_clip_into(path: str, minimum_side: int, place: str) -> dict[str, Any]:
    """Reads a clip and leaves its pictures and sound at `place`; runs in a worker.

    Raises:
        UnreadableVideo: it cannot be judged.
    """
    clip = read_clip(path, minimum_side, Path(f"{place}.wav"))
    shots = [*clip.faces, *clip.frames]
    arrays: dict[str, Any] = {str(i): shot.pixels for i, shot in enumerate(shots)}
    if clip.sound is not None:
        arrays["sound"] = clip.sound
    with open(place, "wb") as file:
        np.savez(file, **arrays)
    told = dataclasses.asdict(dataclasses.replace(clip, faces=(), frames=(), sound=None))
    told["shots"] = [[shot.time, shot.box, shot.track] for shot in shots]
    return {"clip": told}


def collect_clip(told: dict[str, Any], place: str) -> Clip:
    """The clip that `read_clip_into` left; its file is removed."""
    with np.load(place, allow_pickle=False) as arrays:
        shots = [
            Shot(time, arrays[str(i)], tuple(box), track)
            for i, (time, box, track) in enumerate(told["shots"])
        ]
        sound = arrays.get("sound")
    os.unlink(place)
    facts = dict(told["facts"])
    for name in ("passages", "notes"):
        facts[name] = tuple(tuple(e) if isinstance(e, list) else e for e in facts[name])
    sync = dict(told["sync"])
    return Clip(
        facts=ClipFacts(**facts),
        frames=tuple(shot for shot in shots if shot.track < 0),
        faces=tuple(shot for shot in shots if shot.track >= 0),
        faceless=told["faceless"],
        sound=sound,
        silence=told["silence"],
        sync=Sync(**(sync | {"curve": tuple(sync["curve"])})),
    )
