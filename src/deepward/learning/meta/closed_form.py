"""The closed-form member meta-trained: what its kernels weigh, from episodes of known domains.

In an episode one training domain is taken out of the bank, K samples of each of its classes are
learned, and the rest of it is judged. Amplitudes, noise and the exponent of certainty are changed
one after the other; a change stays when it pays over the episodes by more than its own error. The
values are kept in the member's config: adapting afterwards is one solve.

Measured on three domains of photographs and tried without success, so left out: a gain for each
head at each domain, from how well it tells that domain's support (mean AUC of queries .80 against
.81 without), and less weight for reals of other domains (.787 to .800 against .799).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from deepward.detectors.process import ProcessConfig, ProcessMember
from deepward.detectors.process.bank import Bank
from deepward.errors import TrainingError
from deepward.progress import Advance, Progress, no_progress

__all__ = ["ClosedFormConfig", "Fitted", "Trial", "episodes_of", "meta_fit", "with_config"]

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class ClosedFormConfig:
    """How a closed-form member's settings are fitted.

    Attributes:
        shots: K of the episodes, samples of each class.
        draws: episodes of each held-out domain and K.
        cell: samples of each (domain, label) that stay in the bank of an episode.
        query: samples of each class that an episode is judged on.
        factors: by which an amplitude, or the noise, is tried.
        certainties: exponents that are tried.
        sweeps: times that all settings are gone through.
        errors: standard errors by which a change must pay to stay.
        seconds: after which no more changes are tried; None: all are. With a limit the values
            depend on the machine.
        seed: of all draws.
    """

    shots: tuple[int, ...] = (5, 20)
    draws: int = 3
    cell: int = 50
    query: int = 60
    factors: tuple[float, ...] = (1 / 3, 3.0)
    certainties: tuple[float, ...] = (0.25, 0.5, 2.0)
    sweeps: int = 1
    errors: float = 1.0
    seconds: float | None = None
    seed: int = 0

    def late(self, begun: float) -> bool:
        """Whether the time is over."""
        return self.seconds is not None and time.monotonic() - begun > self.seconds


@dataclass(frozen=True)
class Episode:
    """A domain that is learned from a few samples: rows of a bank.

    Attributes:
        domain: held out.
        shots: samples of each class in `support`.
        known: rows of the other domains.
        support, query: rows of the held-out domain; no group stands in both.
    """

    domain: str
    shots: int
    known: Bank
    support: Bank
    query: Bank


@dataclass(frozen=True)
class Trial:
    """One change that was tried: its name, what it gained over the episodes, and its error."""

    setting: str
    value: float
    gain: float
    error: float
    kept: bool


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes:
        member: with the settings that were fitted, on its whole bank.
        trials: in their order.
        before, after: mean score over the episodes.
        episodes: how many there were; 0 where the bank holds one domain alone.
    """

    member: ProcessMember
    trials: tuple[Trial, ...]
    before: float | None
    after: float | None
    episodes: int

    def facts(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {
            "episodes": self.episodes,
            "before": self.before,
            "after": self.after,
            "trials": [asdict(trial) for trial in self.trials],
        }


def meta_fit(
    member: ProcessMember, config: ClosedFormConfig, tell: Progress = no_progress
) -> Fitted:
    """Fits amplitudes, noise and certainty over episodes of the domains in the member's bank.

    Where fewer than two domains have reals and fakes there is no episode, and nothing is changed:
    one domain cannot say what helps another.
    """
    begun = time.monotonic()
    episodes = episodes_of(member.bank, config)
    if not episodes:
        return Fitted(member, (), None, None, 0)
    best = scores(member, episodes)
    before = float(best.mean())
    trials: list[Trial] = []
    total = config.sweeps * sum(1 for _ in _changes(member.config, config))
    for _ in range(config.sweeps):
        for name, changed in list(_changes(member.config, config)):
            trial = _rebased(changed, member.config, name)
            if trial == member.config or config.late(begun):
                continue
            found = scores(with_config(member, trial), episodes)
            gains = found - best
            error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else 0.0
            kept = float(gains.mean()) > max(config.errors * error, 1e-4)
            trials.append(Trial(name, _value(trial, name), float(gains.mean()), error, kept))
            if kept:
                member, best = with_config(member, trial), found
            tell(Advance("closed form: settings", len(trials), total, "trial"))
    return Fitted(member, tuple(trials), before, float(best.mean()), len(episodes))


def with_config(member: ProcessMember, config: ProcessConfig) -> ProcessMember:
    """The same bank and frame under other amplitudes, noise or certainty."""
    owner = [member.frame.statistics[part.statistic].name for part in member.frame.parts]
    kernel = replace(
        member.kernel,
        radial=tuple(config.radial.get(name, 1.0) for name in owner),
        linear=tuple(config.linear.get(name, 0.0) for name in owner),
    )
    return replace(member, config=config, kernel=kernel, stored=None)


def episodes_of(bank: Bank, config: ClosedFormConfig) -> list[Episode]:
    """Every domain with both classes held out in turn; none where no other has both."""
    both = [
        name
        for name in sorted(set(bank.domains.tolist()))
        if len(set(bank.labels[bank.domains == name].tolist())) == 2
    ]
    if len(both) < 2:
        return []
    found = []
    for number, domain in enumerate(both):
        mine = bank[bank.domains == domain]
        for shots in config.shots:
            for draw in range(config.draws):
                random = np.random.default_rng([config.seed, number, shots, draw])
                chosen = _split(mine, shots, config.query, random)
                if chosen is None:
                    continue
                known = _thinned(bank[bank.domains != domain], config.cell, random)
                found.append(Episode(domain, shots, known, mine[chosen[0]], mine[chosen[1]]))
    return found


def scores(member: ProcessMember, episodes: Sequence[Episode]) -> Doubles:
    """Of each episode, the mean of the query's AUC and of the AUC that old domains keep: (E,)."""
    return np.array([_score(member, episode) for episode in episodes])


def _score(member: ProcessMember, episode: Episode) -> float:
    families = {key: name for key, name in member.families.items() if key[0] != episode.domain}
    base = replace(member, bank=episode.known, families=families, stored=None)
    adapted = base.learned(episode.support, {})
    query = adapted.judge_rows(episode.query.rows.astype(np.float32)).logits
    new = np.mean(
        [
            auc(query[episode.query.twin == twin], episode.query.labels[episode.query.twin == twin])
            for twin in (False, True)
        ]
    )
    unseen = adapted.unseen()
    old = [
        auc(unseen.logits[rows], unseen.labels[rows])
        for name in sorted(set(episode.known.domains.tolist()))
        if len(set(unseen.labels[rows := unseen.domains == name].tolist())) == 2
    ]
    return float(np.mean([new, np.mean(old)])) if old else float(new)


def auc(values: Doubles, labels: NDArray[np.int64]) -> float:
    """Area under the ROC curve; both labels."""
    fakes, reals = values[labels == 1], values[labels == 0]
    if not len(fakes) or not len(reals):
        raise TrainingError("An episode's query needs real and fake samples to be judged by.")
    return float(mannwhitneyu(fakes, reals).statistic / (len(fakes) * len(reals)))


def _split(
    bank: Bank, shots: int, query: int, random: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Rows of support and query, twins with them; None where a class has too few groups."""
    support: list[NDArray[np.int64]] = []
    asked: list[NDArray[np.int64]] = []
    taken: set[str] = set()
    for label in (0, 1):
        free = sorted(set(bank.groups[bank.labels == label].tolist()) - taken)
        if len(free) < 2 * shots:
            return None
        order = [free[i] for i in random.permutation(len(free))]
        taken |= set(order[:shots])
        support.append(np.flatnonzero((bank.labels == label) & np.isin(bank.groups, order[:shots])))
        rest = order[shots : shots + query]
        asked.append(np.flatnonzero((bank.labels == label) & np.isin(bank.groups, rest)))
    whole = np.concatenate(asked)
    whole = whole[~np.isin(bank.groups[whole], sorted(taken))]  # a base may have both labels
    if len(set(bank.labels[whole].tolist())) < 2:
        return None
    return np.concatenate(support), whole


def _thinned(bank: Bank, cell: int, random: np.random.Generator) -> Bank:
    """So many samples of each domain and label, twins with them."""
    keep = np.zeros(len(bank), bool)
    for domain in sorted(set(bank.domains.tolist())):
        for label in (0, 1):
            mine = (bank.domains == domain) & (bank.labels == label)
            keys = sorted(set(bank.keys[mine].tolist()))
            some = [keys[i] for i in random.permutation(len(keys))[:cell]]
            keep |= mine & np.isin(bank.keys, some)
    return bank[keep]


def _changes(start: ProcessConfig, config: ClosedFormConfig) -> Iterator[tuple[str, float]]:
    """Setting and factor (or value, of the certainty) of each change."""
    for statistic in start.statistics:
        if len(start.statistics) > 1:  # alone, it is the noise that is relative to it
            yield from ((f"radial {statistic}", factor) for factor in config.factors)
        yield from ((f"linear {statistic}", factor) for factor in (0.0, *config.factors))
    yield from (("noise", factor) for factor in config.factors)
    yield from (("certainty", value) for value in config.certainties)


def _rebased(factor: float, now: ProcessConfig, name: str) -> ProcessConfig:
    kind, _, statistic = name.partition(" ")
    if kind == "noise":
        return replace(now, noise=now.noise * factor)
    if kind == "certainty":
        return replace(now, certainty=factor)
    values = dict(getattr(now, kind))
    standing = values.get(statistic, 1.0 if kind == "radial" else 0.0)
    # What is off is tried at a third and at thrice of half the radial amplitude's usual 1.
    values[statistic] = standing * factor if standing else 0.5 * factor
    changed: dict[str, Any] = {kind: values}
    return replace(now, **changed)


def _value(config: ProcessConfig, name: str) -> float:
    kind, _, statistic = name.partition(" ")
    found = getattr(config, kind)
    return float(found[statistic] if statistic else found)
