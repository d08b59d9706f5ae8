"""Named degradations of known strength: what a detector is measured under, one at a time.

Training draws its treatments at random; these are fixed, so that two detectors, or the same one
next year, are measured on the same samples. Each medium has a table of its own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from deepward.errors import UsageError

if TYPE_CHECKING:  # Dagster reads the names without NumPy
    from numpy.typing import NDArray

__all__ = ["Degradation", "Degraded", "find_degradations", "known_of", "tabled"]

Sample: TypeAlias = "NDArray[Any]"
Family = tuple[str, Callable[[float], Callable[[Any], Any]], tuple[float, ...]]


@dataclass(frozen=True)
class Degradation:
    """One treatment at one strength.

    Attributes:
        name: "jpeg 75".
        family: "jpeg": those that differ only in strength share it, mildest first.
        strength: as the curves' axis shows it.
        apply: a sample to one of the same medium, of another size where it scales or crops.
    """

    name: str
    family: str
    strength: float
    apply: Callable[[Any], Any]


class Degraded(Sequence[Sample]):
    """Degraded view of samples: each is treated when it is asked for, none is kept."""

    def __init__(self, samples: Sequence[Sample], degradation: Degradation) -> None:
        self._samples, self.degradation = samples, degradation

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> "Degraded": ...
    def __getitem__(self, index: int | slice) -> "Sample | Degraded":
        if isinstance(index, slice):
            return Degraded(self._samples[index], self.degradation)
        return self._applied(self._samples[index])

    def __iter__(self) -> Iterator[Sample]:
        return map(self._applied, self._samples)

    def _applied(self, sample: Sample) -> Sample:
        made: Sample = self.degradation.apply(sample)
        return made


def tabled(families: Sequence[Family]) -> dict[str, Degradation]:
    """Degradations by name, of families with how each is built and their strengths."""
    return {
        f"{family} {strength:g}": Degradation(
            f"{family} {strength:g}", family, float(strength), build(strength)
        )
        for family, build, strengths in families
        for strength in strengths
    }


def find_degradations(names: Sequence[str] = (), medium: str = "image") -> tuple[Degradation, ...]:
    """A medium's degradations by name or by family; all without names, mildest of each first.

    Raises:
        UsageError: a name is not known.
    """
    table = _table(medium)
    families = dict.fromkeys(each.family for each in table.values())
    if unknown := sorted(set(names) - set(table) - set(families)):
        raise UsageError(
            f"Unknown degradation {unknown[0]!r}; there are the families {', '.join(families)}."
        )
    return tuple(
        each for each in table.values() if not names or {each.name, each.family} & set(names)
    )


def known_of(names: Sequence[str], medium: str) -> list[str]:
    """Those of the names that a medium has.

    Raises:
        UsageError: there are names, and none is one of the medium's.
    """
    there = {name for each in _table(medium).values() for name in (each.name, each.family)}
    kept = [name for name in names if name in there]
    find_degradations(kept or names, medium)
    return kept


def _table(medium: str) -> Mapping[str, Degradation]:
    # Imported here: neither medium's codecs are needed for the other.
    if medium == "audio":
        from deepward.sounds.degradations import DEGRADATIONS as OF_SOUNDS

        return OF_SOUNDS
    from deepward.pictures.degradations import DEGRADATIONS

    return DEGRADATIONS
