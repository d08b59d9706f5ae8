"""The sound inside a video, by the `ffmpeg` program where there is one."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deepward.sounds.prepare import RATE
from deepward.videos.containers import DEMUXERS

__all__ = ["LONGEST", "NoSound", "ffmpeg", "read_soundtrack"]

LONGEST = 900.0  # seconds of sound that are read
_SECONDS = 40  # of computing, and by the clock, that the program may take


class NoSound(Exception):
    """There is no sound to judge; says why in words."""


def ffmpeg() -> str | None:
    """The program: on PATH, or in the package imageio-ffmpeg; None where there is none."""
    found = shutil.which("ffmpeg")
    if found is None and importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        try:
            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except RuntimeError:
            return None
    return found


def read_soundtrack(path: str, container: str, into: Path) -> NDArray[np.int16]:
    """Writes a video's first sound into a WAV file, mono at 16 kHz, and reads it.

    The first sample belongs to the time at which the clip begins.

    Args:
        path: of a file that `sniff_video` names `container`.
        container: what it is; the program is told, and may open nothing else.
        into: the WAV file.

    Returns:
        (N,) int16, of 15 minutes at most.

    Raises:
        NoSound: there is no program, or it found no sound.
    """
    program = ffmpeg()
    if program is None:
        raise NoSound("there is no ffmpeg program: install ffmpeg, or `pip install imageio-ffmpeg`")
    source = str(Path(path).absolute())
    command = [
        *(program, "-nostdin", "-hide_banner", "-loglevel", "error"),
        *("-timelimit", str(_SECONDS), "-threads", "1"),
        *("-protocol_whitelist", "file", "-f", DEMUXERS[container], "-i", f"file:{source}"),
        *("-map", "0:a:0", "-vn", "-sn", "-dn", "-t", str(LONGEST)),
        # Gaps and a late beginning become silence, so that samples keep the clip's time.
        *("-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", str(RATE)),
        *("-c:a", "pcm_s16le", "-bitexact", "-f", "wav", "-y", f"file:{into}"),
    ]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoSound(f"ffmpeg took longer than {_SECONDS} s") from None
    except OSError as error:
        raise NoSound(f"{program} cannot be run ({error.strerror})") from None
    said = ended.stderr[-4000:].decode(errors="replace")
    if "matches no streams" in said:
        raise NoSound("the clip has none")
    samples = _samples(into)
    if not len(samples):
        last = said.strip().splitlines()[-1:] or ["ffmpeg gave nothing"]
        raise NoSound("".join(c if c.isprintable() else " " for c in last[0])[:200])
    return samples


def _samples(file: Path) -> NDArray[np.int16]:
    """What a WAV file of this module holds; nothing where it is none."""
    import wave

    try:
        with wave.open(str(file), "rb") as sound:
            if (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) != (1, 2, RATE):
                return np.zeros(0, np.int16)
            most = sound.readframes(int(LONGEST * RATE))
    except (OSError, EOFError, wave.Error):
        return np.zeros(0, np.int16)
    return np.frombuffer(most[: len(most) // 2 * 2], "<i2").astype(np.int16)
