"""What a release may rest on where nobody has found a specimen: engines that are known to teach."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deepward.evaluation.teaching import Lesson, families_of, what_is_known
from deepward.home import FEWSHOT_PREFIX, teaching_table
from deepward.inbox import Inbox
from deepward.release.wording import gain_text

if TYPE_CHECKING:
    from deepward.domains import Manifest

__all__ = [
    "ASSUMED_GAIN",
    "Evidence",
    "read_lessons",
    "specimens_needed",
    "synthesized_alone",
    "weigh_synthesized",
]

ASSUMED_GAIN = 0.15  # of AUC over chance, where nothing is known of a technique yet


@dataclass(frozen=True)
class Evidence:
    """Whether what was learned of a domain is enough to rest a release on.

    Attributes:
        enough: the answer.
        said: what was found, a sentence.
        settle: what would settle it; "" where it is enough.
    """

    enough: bool
    said: str
    settle: str = ""


def read_lessons(home: Path, medium: str = "image") -> list[Lesson]:
    """The teaching table of a home; nothing where none was made."""
    file = Path(home) / teaching_table(medium)
    if not file.is_file():
        return []
    return [Lesson.of(values) for values in json.loads(file.read_text(encoding="utf-8"))]


def synthesized_alone(
    home: Path, manifests: "Iterable[Manifest]", lessons: Sequence[Lesson]
) -> dict[str, Evidence]:
    """What may rest on each few-shot set of a technique of which nobody has found a specimen.

    Args:
        home: `DEEPWARD_HOME`.
        manifests: of domains, few-shot sets among them.
        lessons: the teaching table.
    """
    shown = {answer.slug for answer in Inbox(home).answers() if answer.specimens}
    found = {}
    for manifest in manifests:
        technique = manifest.domain.removeprefix(FEWSHOT_PREFIX)
        if technique != manifest.domain and technique not in shown:
            rows = manifest.usable()
            made = rows.loc[rows["label"] == 1, "technique"].fillna("").replace("", "an engine")
            found[manifest.domain] = weigh_synthesized(technique, Counter(made.tolist()), lessons)
    return found


def specimens_needed(gain: float = ASSUMED_GAIN) -> int:
    """Specimens, and as many reals, by which a gain of AUC is told from chance.

    The variance of the AUC of scores that tell nothing is (2 n + 1) / (12 n^2) with n of each
    class (Mann and Whitney, 1947); its 95 % interval is to be no wider than the gain.
    """
    return math.ceil(1.96**2 / (6 * max(gain, 0.05) ** 2))


def weigh_synthesized(
    technique: str, engines: Mapping[str, int], lessons: Sequence[Lesson]
) -> Evidence:
    """Whether fakes that engines made of a technique are enough by themselves.

    They are where each engine is known to teach the technique's family, on every domain that has
    specimens of it.

    Args:
        technique: that the fakes stand for.
        engines: how many fakes each made.
        lessons: the teaching table.
    """
    made = ", ".join(f"{name} ({count})" for name, count in sorted(engines.items())) or "nothing"
    begun = f"What was learned of {technique} was synthesized by {made}"
    found = {name: what_is_known(lessons, name, technique) for name in engines}
    family = families_of(technique)[0]
    if unknown := sorted(name for name, known in found.items() if not known):
        untried = " and ".join(unknown) or "an engine"
        said = (
            f"{begun}; no specimen shows that fakes by {untried} teach what is met of {family} in "
            "the wild."
        )
        return Evidence(False, said, _asking(ASSUMED_GAIN))
    lessons_told = [each for known in found.values() for each in known]
    told = "; ".join(
        f"{each.engine} on {each.domain} {gain_text(each.gain)}" for each in lessons_told
    )
    failed = [each for each in lessons_told if not each.teaches]
    if failed or not lessons_told:
        names = " and ".join(sorted({each.engine for each in failed})) or "no engine"
        said = (
            f"{begun}; {names} is not known to teach {family}. AUC with its fakes, less that "
            f"without: {told}."
        )
        likely = min((each.gain.value or 0.0 for each in failed), default=0.0)
        return Evidence(False, said, _asking(likely if likely > 0 else ASSUMED_GAIN))
    return Evidence(
        True, f"{begun}, and these teach {family}. AUC with their fakes, less that without: {told}."
    )


def _asking(gain: float) -> str:
    count = specimens_needed(gain)
    return (
        f"Put specimens, found in the wild, into the inbox: {count}, and as many reals of the same "
        f"kind, tell a detector that is {max(gain, 0.05):.2f} of AUC above chance from chance."
    )
