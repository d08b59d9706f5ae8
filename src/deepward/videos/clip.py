"""One clip, as it is judged: pictures of faces and of whole frames, its sound, and sync."""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepward.errors import UnreadableSound, UnreadableVideo
from deepward.videos.containers import EXTENSIONS, Claims, read_claims, sniff_video
from deepward.videos.footage import Footage, Passage, open_footage
from deepward.videos.gathering import Gathering, Shot
from deepward.videos.mouth import MouthWatch
from deepward.videos.soundtrack import NoSound, read_soundtrack
from deepward.videos.sync import Sync

__all__ = ["Clip", "ClipFacts", "read_clip"]

MAXIMUM_BYTES = 16 * 2**30
LEAST_FRAMES = 2


@dataclass(frozen=True)
class ClipFacts:
    """What a clip is, and what was looked at.

    Attributes:
        seconds: that it lasts, as far as its header is believed.
        rate: frames per second.
        width, height: of a frame, upright, in pixels.
        container, codec: of the file.
        looked: seconds that were decoded.
        passages: from and to of each, in seconds.
        frames_decoded: in all.
        faces_tracked: faces that were followed.
        notes: sorted codes of what was special (see `reasons.NOTES`).
    """

    seconds: float
    rate: float
    width: int
    height: int
    container: str
    codec: str
    looked: float
    passages: tuple[Passage, ...]
    frames_decoded: int
    faces_tracked: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Clip:
    """What is judged of one clip.

    Attributes:
        facts: what it is.
        frames: whole frames, in order of time.
        faces: of the largest tracks, in order of time.
        faceless: why there are no faces to judge; "" where there are.
        sound: (N,) int16 as `prepare` leaves it; None where there is none to judge.
        silence: why there is no sound to judge; "" where there is.
        sync: how lips and sound go together.
    """

    facts: ClipFacts
    frames: tuple[Shot, ...]
    faces: tuple[Shot, ...]
    faceless: str
    sound: NDArray[np.int16] | None
    silence: str
    sync: Sync


def read_clip(path: str, minimum_side: int, scratch: Path) -> Clip:
    """Reads as much of a video as is judged; hours of it cost no more than a minute.

    Of a clip of up to 30 s all is decoded, of a longer one six passages of 5 s, evenly over it;
    less where frames are large or fast. Faces are looked for five times a second.

    Args:
        path: any file; pipes and devices are refused and never waited for.
        minimum_side: pixels that a face's picture, and a frame, need along the shorter side.
        scratch: a file that may be written on the way, and is gone afterwards.

    Raises:
        UnreadableVideo: with one of the codes of `reasons.REASONS`.
    """
    container, claims = _look_at(path)
    footage = open_footage(path, container, claims.seconds)
    try:
        if min(footage.width, footage.height) < minimum_side:
            size = f"{footage.width} x {footage.height} pixels"
            raise UnreadableVideo(
                "too_small", f"{path} has frames of {size}; a side needs {minimum_side}."
            )
        track, sound, silence = _sound(path, container, scratch)
        mouths = MouthWatch(track, footage.rate) if len(track) else None
        gathered = Gathering(footage, minimum_side, mouths)
        gathered.read()
    finally:
        footage.close()
    if not gathered.frames:
        code = "truncated" if claims.cut else "damaged"
        raise UnreadableVideo(code, f"{path} holds no frame that can be decoded.")
    if footage.decoded < LEAST_FRAMES:
        raise UnreadableVideo(
            "too_short", f"{path} holds a single frame; {LEAST_FRAMES} are needed."
        )
    faces = gathered.faces()
    count = len(gathered.tracks.lasting)
    if mouths is None:
        sync = Sync(reason=f"no sound was read: {silence}")
    else:
        sync = mouths.sync() if count else Sync(reason="no face was seen")
    return Clip(
        facts=_facts(footage, container, claims, path, gathered),
        frames=tuple(gathered.frames),
        faces=faces,
        faceless="" if faces else _faceless(gathered, minimum_side),
        sound=sound,
        silence=silence,
        sync=sync,
    )


def _faceless(gathered: Gathering, minimum_side: int) -> str:
    if not gathered.tracks.lasting:
        return f"no face was seen at {gathered.tracks.looks} looks"
    return f"faces are too small: their pictures need {minimum_side} pixels along each side"


def _facts(
    footage: Footage, container: str, claims: Claims, path: str, gathered: Gathering
) -> ClipFacts:
    notes = set()
    if footage.turned:
        notes.add("rotated")
    if claims.cut or (claims.cut is None and footage.ended_early):
        notes.add("part_missing")
    elif footage.ended_early:
        notes.add("frames_end_early")
    if footage.looked < footage.seconds:
        notes.add("passages_only")
    if Path(path).suffix.lower() not in EXTENSIONS[container]:
        notes.add("wrong_extension")
    return ClipFacts(
        seconds=round(max(footage.seconds, footage.last), 3),
        rate=round(footage.rate, 3),
        width=footage.width,
        height=footage.height,
        container=container,
        codec=footage.codec,
        looked=round(min(footage.looked, footage.seconds), 3),
        passages=tuple((round(a, 3), round(b, 3)) for a, b in gathered.passages),
        frames_decoded=footage.decoded,
        faces_tracked=len(gathered.tracks.lasting),
        notes=tuple(sorted(notes)),
    )


def _look_at(path: str) -> tuple[str, Claims]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise UnreadableVideo("special_file", f"{path} is not a regular file.")
        with open(descriptor, "rb") as file:
            if status.st_size == 0:
                raise UnreadableVideo("empty", f"{path} is empty.")
            if status.st_size > MAXIMUM_BYTES:
                limit = f"at most {MAXIMUM_BYTES:,} are read"
                raise UnreadableVideo("too_large", f"{path} has {status.st_size:,} bytes; {limit}.")
            container = sniff_video(file.read(1024))
            if container is None:
                raise UnreadableVideo("not_a_video", f"{path} is no video of a known kind.")
            return container, read_claims(file, status.st_size, container, path)
    except OSError as error:
        code = {
            errno.EACCES: "unreadable_permission",
            errno.EPERM: "unreadable_permission",
            errno.ENOENT: "vanished",
            errno.ELOOP: "dangling_link",
        }.get(error.errno or 0, "unreadable")
        raise UnreadableVideo(code, f"{path} cannot be read: {error.strerror}.") from None


def _sound(
    path: str, container: str, scratch: Path
) -> tuple[NDArray[np.int16], NDArray[np.int16] | None, str]:
    """The track by the clip's time, the sound as it is judged, or why there is none."""
    nothing = np.zeros(0, np.int16)
    try:
        track = read_soundtrack(path, container, scratch)
        from deepward.sounds.decode import decode_sound

        return track, decode_sound(scratch).samples, ""
    except NoSound as error:
        return nothing, None, str(error)
    except UnreadableSound as error:
        words = str(error).removeprefix(f"{scratch} ").removesuffix(".")
        return track, None, f"it {words}"
    except ImportError:
        return track, None, "`pip install soundfile` to have it judged"
    finally:
        scratch.unlink(missing_ok=True)
