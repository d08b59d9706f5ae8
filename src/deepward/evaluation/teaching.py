"""Do an engine's fakes teach? What learning them gives on fakes of known origin.

A detector of synthesized fakes alone may learn nothing but its engine. So an engine is tried on
every family of which real specimens are at hand: a member that knows all other domains, and the
untouched pictures of the engine's sets, is set against one that was shown the engine's fakes too.
Both judge the same specimens, none of which either has seen; what counts is the paired difference
in AUC. Where nothing else is known, it is the difference to chance.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.evaluation.robustness import pick_evenly
from deepward.inbox.box import DOMAIN_PREFIX
from deepward.metrics.intervals import Estimate
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors import Descriptions, Member
    from deepward.detectors.protocol import MemberConfig
    from deepward.domains import ImageSet

__all__ = ["Lesson", "TeachingConfig", "families_of", "measure_lessons", "what_is_known"]


@dataclass(frozen=True)
class TeachingConfig:
    """How much is looked at.

    Attributes:
        shown: pictures of each known domain that both members have learned.
        taught: pictures that an engine's fakes and their originals come to.
        asked: specimens of each domain that both judge, reals included.
        fewest: specimens of each class below which a domain says nothing.
        resamples, seed: of the intervals and the draws.
    """

    shown: int = 120
    taught: int = 200
    asked: int = 240
    fewest: int = 10
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """One engine on the specimens of one domain.

    Attributes:
        engine: whose fakes were learned.
        family: of the specimens, a name of the taxonomy where it knows them.
        domain: that the specimens are from.
        fakes: of the engine that were learned.
        reals, specimens: that were judged.
        before, after: AUC without and with the engine's fakes.
        gain: the paired difference.
    """

    engine: str
    family: str
    domain: str
    fakes: int
    reals: int
    specimens: int
    before: Estimate
    after: Estimate
    gain: Estimate

    @property
    def teaches(self) -> bool:
        """Whether it surely helps, and what it then says is surely better than chance.

        A detector that takes these fakes for reals is helped by anything that confuses it.
        """
        return (self.gain.low or 0.0) > 0 and (self.after.low or 0.0) > 0.5

    def as_dict(self) -> dict[str, Any]:
        """Flat and fit for JSON."""
        flat = {k: v for k, v in vars(self).items() if not isinstance(v, Estimate)}
        for name in ("before", "after", "gain"):
            found: Estimate = getattr(self, name)
            flat |= {name: found.value, f"{name}_interval": found.interval}
        return flat | {"teaches": self.teaches}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Lesson":
        """Reads back what `as_dict` gave."""
        plain = ("engine", "family", "domain", "fakes", "reals", "specimens")
        fields = {name: values[name] for name in plain}
        for name in ("before", "after", "gain"):
            fields[name] = Estimate.from_parts(values[name], values[f"{name}_interval"])
        return cls(**fields)


def families_of(technique: str) -> tuple[str, ...]:
    """Families that a technique, or the domain that shows it, may belong to, nearest first."""
    from deepward.techniques.taxonomy import load_taxonomy

    name = technique.removeprefix(DOMAIN_PREFIX).replace("_", "-")
    found = load_taxonomy().resolve(name)
    return (found.like or found.slug, *(kind for kind in found.kinds if kind != found.like))


def what_is_known(lessons: Sequence[Lesson], engine: str, technique: str) -> list[Lesson]:
    """Lessons of an engine on the nearest family of a technique that was tried at all."""
    for family in families_of(technique):
        tried = [each for each in lessons if (each.engine, each.family) == (engine, family)]
        if tried:
            return tried
    return []


def measure_lessons(
    member: "MemberConfig",
    domains: Sequence["ImageSet"],
    made: "ImageSet",
    *,
    seen: Mapping[str, "ImageSet"] | None = None,
    config: TeachingConfig | None = None,
    descriptions: "Descriptions | None" = None,
    progress: Progress = no_progress,
) -> list[Lesson]:
    """Tries every engine on every domain that has fakes and reals.

    Args:
        member: settings of a closed-form member.
        domains: what is known of each domain, all of its splits.
        made: synthesized fakes, their technique being the engine, and their originals; none of
            the originals stands in the specimens that `seen` leaves.
        seen: of domains whose pictures were changed by engines, what may be asked of.
        config: how much is looked at.
        descriptions: of samples that were described before.
        progress: told of every family.
    """
    config = config or TeachingConfig()
    engines = sorted(set(made.techniques[made.labels == 1].tolist()))
    kinds = {_name(each): _kinds(each) for each in domains}
    families = sorted({family for each in kinds.values() for family in each.values()})
    lessons: list[Lesson] = []
    for number, family in enumerate(families if engines else ()):
        progress(Advance("what engines teach", number, len(families), "family", family))
        specimens = []
        for each in domains:
            some = _specimens((seen or {}).get(_name(each), each), kinds[_name(each)], family)
            if min(int((some.labels == label).sum()) for label in (0, 1)) >= config.fewest:
                specimens.append(_some(some, config.asked, config))
        if specimens:
            others = [each for each in domains if family not in kinds[_name(each)].values()]
            others = [_some(each, config.shown, config) for each in others]
            pupil = _Pupil.knowing(member, others, config.seed, descriptions)
            for engine in engines:
                lessons += _taught(pupil, engine, family, specimens, made, config)
    progress(Advance("what engines teach", len(families), len(families), "family"))
    return lessons


def _taught(
    pupil: "_Pupil",
    engine: str,
    family: str,
    specimens: Sequence["ImageSet"],
    made: "ImageSet",
    config: TeachingConfig,
) -> Iterator[Lesson]:
    fakes = (made.labels == 1) & (made.techniques == engine)
    beside = np.isin(made.domains, made.domains[fakes]) & (made.labels == 0)
    shown = _some(made.subset(np.flatnonzero(fakes | beside)), config.taught, config)
    without = pupil.shown(shown.subset(np.flatnonzero(shown.labels == 0)))
    taught = pupil.shown(shown)
    options: Any = {"resamples": config.resamples, "seed": config.seed}
    for some in specimens:
        before, after = without.judged(some), taught.judged(some)
        yield Lesson(
            engine,
            family,
            _name(some),
            int((shown.labels == 1).sum()),
            int((some.labels == 0).sum()),
            int((some.labels == 1).sum()),
            ranking_metrics(some.labels, before, some.groups, **options)["auc"],
            ranking_metrics(some.labels, after, some.groups, **options)["auc"],
            paired_auc_difference(some.labels, after, before, some.groups, **options),
        )


@dataclass(frozen=True)
class _Pupil:
    """A member on its way; it judges nothing before it has met both classes."""

    config: "MemberConfig"
    member: "Member | None"
    stage: Any

    @classmethod
    def knowing(
        cls,
        config: "MemberConfig",
        domains: Sequence["ImageSet"],
        seed: int,
        descriptions: "Descriptions | None",
    ) -> "_Pupil":
        from deepward.detectors import Descriptions, Stage

        rows = descriptions or Descriptions.temporary()
        nothing: Any = None
        pupil = cls(config, None, Stage(nothing, nothing, seed=seed, descriptions=rows))
        whole = None
        for each in domains:
            whole = each if whole is None else whole.joined(each)
        if whole is None or len(set(whole.labels.tolist())) < 2:
            return pupil
        return pupil.shown(whole)

    def shown(self, samples: "ImageSet") -> "_Pupil":
        """After it has learned them; as it was where that cannot be begun with."""
        from deepward.detectors import MEMBERS

        if not len(samples) or (self.member is None and len(set(samples.labels.tolist())) < 2):
            return self
        nothing = samples.subset(np.zeros(0, np.int64))
        stage = replace(self.stage, train=samples, val=nothing)
        if self.member is None:
            fitted = MEMBERS[self.config.kind][1].fit(self.config, stage, no_progress)
        else:
            fitted = self.member.update(stage, no_progress)
        return replace(self, member=fitted)

    def judged(self, samples: "ImageSet") -> NDArray[np.float64]:
        """Logits (N,); all the same of one that has nothing to judge by."""
        if self.member is None:
            return np.zeros(len(samples))
        return self.member.judge(list(samples.pixels)).logits


def _some(data: "ImageSet", most: int, config: TeachingConfig) -> "ImageSet":
    return data.subset(pick_evenly(data, most, config.seed))


def _name(data: "ImageSet") -> str:
    return str(data.domains[0]) if len(data) else ""


def _kinds(data: "ImageSet") -> dict[str, str]:
    """The family of each technique of a domain's fakes."""
    techniques = sorted(set(data.techniques[data.labels == 1].tolist()))
    return {name: families_of(name or _name(data))[0] for name in techniques}


def _specimens(data: "ImageSet", kinds: Mapping[str, str], family: str) -> "ImageSet":
    """A domain's fakes of one family, and its reals."""
    mine = [name for name, each in kinds.items() if each == family]
    return data.subset(np.flatnonzero((data.labels == 0) | np.isin(data.techniques, mine)))
