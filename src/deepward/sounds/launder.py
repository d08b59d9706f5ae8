"""What a sound goes through on its way around the web: a codec that leaves out what few hear."""

import io
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from deepward.errors import EvaluationError
from deepward.sounds.prepare import RATE, prepare

__all__ = ["CODECS", "launder_sound"]

CODECS = ("mp3", "opus")
# Settings of libsndfile's encoders, in [0, 1], that give about 32 kbit/s of mono speech at 16 kHz.
_FORMATS = {"mp3": ("MP3", "MPEG_LAYER_III", 0.85), "opus": ("OGG", "OPUS", 0.89)}


def launder_sound(samples: NDArray[np.int16], codec: str | None = None) -> NDArray[np.int16]:
    """Goes through MP3 or Opus at about 32 kbit/s and is prepared again; always the same result.

    Args:
        samples: (N,) int16 at 16 kHz.
        codec: one of `CODECS`; by default one or the other, as the samples' checksum says.

    Returns:
        (M,) int16 at 16 kHz; M differs from N by what trimming makes of it.

    Raises:
        EvaluationError: `samples` are not one-dimensional int16, or the codec is unknown.
    """
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise EvaluationError(
            f"A sound must be int16 of shape (N,), not {samples.dtype} of {samples.shape}."
        )
    if codec is None:
        codec = CODECS[zlib.crc32(np.ascontiguousarray(samples).data) & 1]
    if codec not in CODECS:
        raise EvaluationError(f"There is no codec {codec!r}; choose among {', '.join(CODECS)}.")
    return _laundered(np.ascontiguousarray(samples).tobytes(), codec)


# Encoding a clip takes 0.2 s, and every fit asks for the same twins again: 160 MB at most.
@lru_cache(maxsize=512)
def _laundered(data: bytes, codec: str) -> NDArray[np.int16]:
    samples = np.frombuffer(data, np.int16)
    if not len(samples):
        return samples
    decoded = _decoded(encode(samples, codec))[: len(samples) + RATE // 10]
    again = prepare(decoded)
    again = again if len(again) else samples.copy()
    again.flags.writeable = False
    return again


def encode(samples: NDArray[np.int16], codec: str) -> bytes:
    """The bytes of an MP3 or Opus file of mono sound at 16 kHz."""
    import soundfile

    container, subtype, level = _FORMATS[codec]
    written = io.BytesIO()
    with soundfile.SoundFile(
        written,
        "w",
        RATE,
        1,
        subtype=subtype,
        format=container,
        compression_level=level,
        **({"bitrate_mode": "CONSTANT"} if codec == "mp3" else {}),
    ) as file:
        file.write(samples)
    return written.getvalue()


def _decoded(data: bytes) -> NDArray[np.float64]:
    import soundfile
    from scipy.signal import resample_poly

    signal, rate = soundfile.read(io.BytesIO(data), dtype="float64")
    return np.asarray(signal if rate == RATE else resample_poly(signal, RATE, rate))
