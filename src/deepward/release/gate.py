"""The gate: may a challenger take the champion's place?

Both are measured on the same files, clean and laundered. A challenger passes when it is not worse
than the champion on any domain that the champion knows (non-inferiority: the lower end of the
paired bootstrap interval of the difference in AUC lies above a margin), better on what it learned
since, and calls no more reals fake than is allowed anywhere. A first release has no champion to be
compared with: it must tell something apart.

Every refusal names the check, the domain, by how much, and what would settle it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from deepward.evaluation import DomainMetrics
from deepward.metrics.intervals import Estimate, share
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics

__all__ = ["Check", "Decision", "GateConfig", "judge_challenger"]

_SIDES = {"clean": "probability", "laundered": "laundered_probability"}
_FEWEST = 2  # of each class, for an AUC with an interval
_CARD = ("domains", "thresholds", "validation", "versions")  # what the lineage must say


@dataclass(frozen=True)
class GateConfig:
    """What is allowed.

    Attributes:
        margin: of AUC that a known domain may lose at most, by the interval's lower end.
        false_alarms: share of a domain's reals that may be called fake.
        ceiling: AUC from which a champion cannot be asked to be beaten on a new domain.
        resamples, seed: of the intervals.
    """

    margin: float = 0.05
    false_alarms: float = 0.08
    ceiling: float = 0.97
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Check:
    """One question to a challenger, and the answer.

    Attributes:
        name: "known_domain", "new_domain", "false_alarms", "same_files", "audit", "card",
            "evidence" or "first_release".
        domain: that it is about; "" for all.
        passed: the answer.
        said: what was found, a sentence.
        settle: what would settle a refusal; "" where it passed.
    """

    name: str
    domain: str
    passed: bool
    said: str
    settle: str = ""


@dataclass(frozen=True)
class Decision:
    """All answers; released when none is a refusal."""

    checks: tuple[Check, ...]

    @property
    def released(self) -> bool:
        """Whether the challenger may take the champion's place."""
        return all(check.passed for check in self.checks)

    @property
    def refusals(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def reasons(self) -> list[str]:
        """A sentence for each refusal, or for each thing that speaks for the release."""
        if self.refusals:
            return [f"{check.said} {check.settle}".strip() for check in self.refusals]
        return [check.said for check in self.checks]

    def as_dict(self) -> dict[str, Any]:
        """Values fit for JSON."""
        return {"released": self.released, "checks": [asdict(check) for check in self.checks]}


def judge_challenger(
    challenger: Sequence[DomainMetrics],
    champion: Sequence[DomainMetrics],
    *,
    learned: Iterable[str],
    learned_before: Iterable[str] = (),
    card: Mapping[str, Any] | None = None,
    flagged: Mapping[str, str] | None = None,
    unproven: Mapping[str, str] | None = None,
    pairs: Mapping[str, pd.DataFrame] | None = None,
    config: GateConfig | None = None,
) -> Decision:
    """Asks every question.

    Args:
        challenger: its results on each domain, with their tables of scores.
        champion: the same of the champion; empty for a first release.
        learned: domains that the challenger has learned from.
        learned_before: likewise of the champion.
        card: the challenger's lineage; None leaves the question out.
        flagged: domain to reason, of domains whose audit was not clean.
        unproven: domain to reason, where what was learned rests on evidence that is not enough. A
            challenger is refused for it where nothing else is new.
        pairs: domain to scores of both, where they are compared on more than the test pictures; as
            `cross_fitted` gives them.
        config: what is allowed.
    """
    config = config or GateConfig()
    before = {each.domain: each for each in champion}
    new = set(learned) - set(learned_before)
    checks: list[Check] = []
    if card is not None:
        checks.append(_card_complete(card))
    for found in challenger:
        old = before.get(found.domain)
        checks.append(_few_false_alarms(found, config))
        if old is None:
            continue
        pair = (pairs or {}).get(found.domain)
        pair = _paired(old, found) if pair is None else pair
        if pair is None:
            checks.append(
                Check(
                    "same_files",
                    found.domain,
                    False,
                    f"Champion and challenger were measured on different files of {found.domain}.",
                    "Measure both on the domain as it is now.",
                )
            )
            continue
        checks += _compared(found.domain, pair, found.domain in new, config)
    if not champion:
        checks.append(_tells_something(challenger, set(learned)))
    for domain, reason in sorted((flagged or {}).items()):
        if domain in new:
            checks.append(
                Check(
                    "audit",
                    domain,
                    False,
                    f"{domain} may teach the form of files and not what was done to them: {reason}",
                    "Give real and fake files of one format, size and compression.",
                )
            )
    for domain, reason in sorted((unproven or {}).items()):
        if domain in new and new <= set(unproven or {}):
            settle = "Put specimens, found in the wild, into the inbox."
            checks.append(Check("evidence", domain, False, reason, settle))
    return Decision(tuple(checks))


def _paired(old: DomainMetrics, new: DomainMetrics) -> pd.DataFrame | None:
    """Scores of both by picture; None where they are not of the same pictures."""
    columns = ["path", "label", "group", *_SIDES.values()]
    tables = [each.all_scores()[columns] for each in (old, new)]
    paths = [set(table["path"]) for table in tables]
    if paths[0] != paths[1]:
        return None
    joined = tables[0].merge(
        tables[1].drop(columns=["label", "group"]), on="path", suffixes=("_old", "_new")
    )
    return joined.sort_values("path", ignore_index=True)


def _compared(domain: str, pair: pd.DataFrame, is_new: bool, config: GateConfig) -> list[Check]:
    """Non-inferiority on both sides, and gain where the domain is new to the challenger."""
    checks = []
    for side, column in _SIDES.items():
        both = pair[pair[f"{column}_old"].notna() & pair[f"{column}_new"].notna()]
        counts = both["label"].value_counts()
        if min(counts.get(0, 0), counts.get(1, 0)) < _FEWEST:
            if is_new and counts.get(1, 0) >= _FEWEST and side == "clean":
                checks.append(_surer(domain, both[both["label"] == 1], column, config))
            continue
        labels, groups = both["label"].to_numpy(), both["group"].to_numpy()
        options: Any = {"resamples": config.resamples, "seed": config.seed}
        gain = paired_auc_difference(
            labels, both[f"{column}_new"], both[f"{column}_old"], groups, **options
        )
        was, now = (
            ranking_metrics(labels, both[f"{column}_{age}"], groups, **options)["auc"]
            for age in ("old", "new")
        )
        words = f"AUC on {domain}, {side}: {_number(was)} before, {_number(now)} now, {_gain(gain)}"
        if is_new and side == "clean":
            checks.append(_better(domain, words, was, gain, config))
        else:
            name = "new_domain" if is_new else "known_domain"
            checks.append(_not_worse(name, domain, words, gain, config))
    return checks


def _better(domain: str, words: str, was: Estimate, gain: Estimate, config: GateConfig) -> Check:
    sure = gain.low is not None and gain.low > 0
    full = (was.value or 0) >= config.ceiling and (gain.low or 0) > -config.margin
    settle = "" if sure or full else "It learned this domain and is not surely better: give more."
    if full and not sure:
        words += "; not surely better, but the champion told nearly all of it already"
    return Check("new_domain", domain, sure or full, f"{words}.", settle)


def _surer(domain: str, fakes: pd.DataFrame, column: str, config: GateConfig) -> Check:
    """Where a new domain has fakes only: they must look more like fakes than before."""
    rise = (fakes[f"{column}_new"] > fakes[f"{column}_old"]).to_numpy()
    rate = share(rise, fakes["group"].to_numpy(), resamples=config.resamples, seed=config.seed)
    high = bool((fakes[f"{column}_new"].median() or 0.0) >= config.ceiling)
    passed = high or (rate.low or 0.0) > 0.5
    said = (
        f"Of the {len(fakes)} fakes of {domain}, {_percent(rate)} look more like fakes than before."
    )
    settle = "" if passed else "Give reals of the same kind, or more specimens."
    return Check("new_domain", domain, passed, said, settle)


def _not_worse(name: str, domain: str, words: str, gain: Estimate, config: GateConfig) -> Check:
    lowest = gain.value if gain.low is None else gain.low
    passed = lowest is None or lowest > -config.margin
    settle = (
        ""
        if passed
        else f"It may lose more than {config.margin:g} there: learn from this domain again, or "
        "measure it on more pictures."
    )
    return Check(name, domain, passed, f"{words}.", settle)


def _few_false_alarms(found: DomainMetrics, config: GateConfig) -> Check:
    """The share of reals called fake; chance in few pictures is not held against a challenger.

    Refused where the share lies above the cap and the interval above the rate that the threshold
    was chosen for.
    """
    table = found.scored()
    reals = table[table["label"] == 0]
    if not len(reals):
        return Check("false_alarms", found.domain, True, f"{found.domain} has no reals.")
    options: Any = {"resamples": config.resamples, "seed": config.seed}
    worst, where = Estimate(-1.0), ""
    refused = False
    for side, column in _SIDES.items():
        known = reals[reals[column].notna()]
        if not len(known):
            continue
        alarms = (
            (known["verdict"] == "fake").to_numpy()
            if side == "clean"
            else (known[column] >= found.threshold).to_numpy()
        )
        rate = share(alarms, known["group"].to_numpy(), **options)
        assert rate.value is not None
        over = rate.value > config.false_alarms
        refused |= over and (rate.low or 0.0) > found.false_positive_rate
        if rate.value > (worst.value or 0.0) or not where:
            worst, where = rate, side
    said = f"Reals called fake on {found.domain}, {where}: {_percent(worst)}"
    said += f", allowed are {100 * config.false_alarms:g} %."
    settle = (
        "Put reals of this kind among what it learns, so that its threshold knows them."
        if refused
        else ""
    )
    return Check("false_alarms", found.domain, not refused, said, settle)


def _tells_something(found: Sequence[DomainMetrics], learned: set[str]) -> Check:
    """Without a champion: on some domain that it learned, AUC surely above chance."""
    told = {
        each.domain: each.metrics["auc"]
        for each in found
        if each.domain in learned and each.metrics["auc"].value is not None
    }
    good = [name for name, auc in told.items() if auc.low is not None and auc.low > 0.5]
    words = ", ".join(f"{name} {_number(auc)}" for name, auc in sorted(told.items())) or "none"
    return Check(
        "first_release",
        "",
        bool(good),
        f"There is no champion yet; AUC on what it learned: {words}.",
        "" if good else "It tells nothing apart for sure: give more pictures of each class.",
    )


def _card_complete(card: Mapping[str, Any]) -> Check:
    missing = [name for name in _CARD if not card.get(name)]
    if missing:
        said = f"The detector's card lacks {', '.join(missing)}."
        return Check("card", "", False, said, "Train it with this version of deepward.")
    return Check("card", "", True, "The detector's card is complete.")


def _number(estimate: Estimate) -> str:
    if estimate.value is None:
        return "unknown"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _gain(estimate: Estimate) -> str:
    value = 0.0 if estimate.value is None else estimate.value
    if estimate.low is None or estimate.high is None:
        return f"difference {value:+.3f}"
    return f"difference {value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"


def _percent(estimate: Estimate) -> str:
    value, low, high = (
        np.nan if v is None else 100 * v for v in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"
