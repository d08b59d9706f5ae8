"""What all media share: of which a sample is, how large it is, and what laundering makes of it.

A sample is an array, and its form says its medium: a picture is (H, W, 3) uint8, a sound (N,) int16
at 16 kHz as `deepward.sounds.prepare` leaves it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, overload

if TYPE_CHECKING:  # Dagster reads the media's names without NumPy
    from numpy.typing import NDArray

__all__ = [
    "MEDIA",
    "MINIMUM",
    "NOUNS",
    "UNITS",
    "VARIED",
    "Laundered",
    "as_picture",
    "launder",
    "laundered_size",
    "medium_of",
    "only_medium",
    "size_of",
    "twins_of",
]

Sample: TypeAlias = "NDArray[Any]"

MEDIA: tuple[str, ...] = ("image", "audio")
NOUNS: dict[str, str] = {"image": "picture", "audio": "sound"}  # as people are told of them
UNITS: dict[str, str] = {"image": "px", "audio": "samples"}  # of `size_of`
VARIED = "varied"  # a way of laundering: one of several, by the content of the sample
# The least that can be judged: pixels along the shorter side, samples.
MINIMUM: dict[str, int] = {"image": 48, "audio": 8_000}


def medium_of(sample: Sample) -> str:
    """ "image" or "audio"."""
    return "audio" if sample.ndim == 1 else "image"


def size_of(sample: Sample) -> int:
    """Pixels along a picture's shorter side; samples of a sound."""
    return len(sample) if sample.ndim == 1 else min(sample.shape[:2])


def launder(sample: Sample, way: str = "") -> Sample:
    """What is left after a way around the web; see the `launder` modules of each medium.

    Args:
        sample: a picture or a sound.
        way: of those that the medium has; "": the usual one; "varied": one by the sample's content.
    """
    # Imported here: what only asks for a medium's name need not load the codecs.
    if medium_of(sample) == "audio":
        from deepward.sounds.launder import launder_sound

        # The usual codec of a sound goes by its content already.
        return launder_sound(sample, None if way in ("", VARIED) else way)
    from deepward.pictures import launder as pictures

    return pictures.vary(sample) if way == VARIED else pictures.launder(sample)


def laundered_size(sample: Sample) -> int:
    """`size_of` what `launder` will give, told without doing it."""
    if medium_of(sample) == "audio":
        return len(sample)
    from deepward.pictures import launder as pictures

    return min(pictures.laundered_size(sample))


def twins_of(samples: Sequence[Sample]) -> "list[Laundered]":
    """The laundered views that are learned from beside the samples.

    Pictures go one of many ways each, so that what is learned holds beyond the usual one; sounds
    have a view per codec.
    """
    if only_medium(samples) != "audio":
        return [Laundered(samples, VARIED)]
    from deepward.sounds.launder import CODECS

    return [Laundered(samples, codec) for codec in CODECS]


def as_picture(sample: Sample) -> Sample:
    """(H, W, 3) uint8 RGB of any sample: a sound is shown as its spectrogram."""
    if medium_of(sample) == "image":
        return sample
    from deepward.sounds.spectrogram import draw_spectrogram

    return draw_spectrogram(sample)


class Laundered(Sequence[Sample]):
    """Laundered view of samples: each is laundered when it is asked for, none is kept.

    Args:
        samples: of one medium.
        way: of those that the medium has; "": the usual one of each sample.
    """

    def __init__(self, samples: Sequence[Sample], way: str = "") -> None:
        self._samples, self._way = samples, way

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "Laundered": ...
    def __getitem__(self, index: int | slice) -> "Sample | Laundered":
        if isinstance(index, slice):
            return Laundered(self._samples[index], self._way)
        return launder(self._samples[index], self._way)

    def __iter__(self) -> Iterator[Sample]:
        return (launder(sample, self._way) for sample in self._samples)


def only_medium(samples: Sequence[Sample]) -> str | None:
    """The medium of all samples, by the first; None where there are none."""
    return medium_of(samples[0]) if len(samples) else None
