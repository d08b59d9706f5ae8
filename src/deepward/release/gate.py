"""The gate: may a challenger take the champion's place?

Both are measured on the same files, clean and laundered. A challenger passes when it is not worse
than the champion on any domain that the champion knows (non-inferiority: the lower end of the
paired bootstrap interval of the difference in AUC lies above a margin), better on what it learned
since, calls no more reals fake than is allowed anywhere, and is not worse where pictures are
degraded. What it learned must be worth a release: of clean domains, and not of fakes alone that
were synthesized by an engine that is not known to teach. A first release has no champion to be
compared with: it must tell something apart.

Every refusal names the check, the domain, by how much, and what would settle it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from deepward.evaluation import DomainMetrics
from deepward.metrics.intervals import Estimate, share
from deepward.release.comparing import SIDES, compared, paired
from deepward.release.decision import Check, Decision, GateConfig
from deepward.release.degraded import robustness_checks
from deepward.release.evidence import Evidence
from deepward.release.wording import number_text, percent_text

__all__ = ["judge_challenger"]

_CARD = ("domains", "thresholds", "validation", "versions")  # what the lineage must say


def judge_challenger(
    challenger: Sequence[DomainMetrics],
    champion: Sequence[DomainMetrics],
    *,
    learned: Iterable[str],
    learned_before: Iterable[str] = (),
    card: Mapping[str, Any] | None = None,
    flagged: Mapping[str, str] | None = None,
    evidence: Mapping[str, Evidence] | None = None,
    pairs: Mapping[str, pd.DataFrame] | None = None,
    degraded: pd.DataFrame | None = None,
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
        evidence: of domains that were synthesized, whether they are enough by themselves. A
            challenger is refused where all that is new to it is not.
        pairs: domain to scores of both, where they are compared on more than the test pictures; as
            `cross_fitted` gives them.
        degraded: scores of both on degraded pictures, as `degraded_scores` gives them.
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
        pair = paired(old, found) if pair is None else pair
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
        checks += compared(found.domain, pair, found.domain in new, config)
    if degraded is not None:
        checks += robustness_checks(degraded, config)
    if not champion:
        checks.append(_tells_something(challenger, set(learned)))
    checks += _without_shortcuts(flagged or {}, new)
    checks += _well_founded(evidence or {}, new)
    return Decision(tuple(checks))


def _without_shortcuts(flagged: Mapping[str, str], new: set[str]) -> Iterator[Check]:
    for domain in sorted(new & set(flagged)):
        yield Check(
            "audit",
            domain,
            False,
            f"{domain} may teach the form of files and not what was done to them: "
            f"{flagged[domain]}",
            "Give real and fake files of one format, size and compression.",
        )


def _well_founded(evidence: Mapping[str, Evidence], new: set[str]) -> Iterator[Check]:
    """What is new must not be all too thin; one domain that is enough carries the others."""
    thin = {domain for domain in new & set(evidence) if not evidence[domain].enough}
    for domain in sorted(new & set(evidence)):
        each = evidence[domain]
        if each.enough:
            yield Check("evidence", domain, True, each.said)
        elif new == thin:
            yield Check("evidence", domain, False, each.said, each.settle)


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
    for side, column in SIDES.items():
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
    said = f"Reals called fake on {found.domain}, {where}: {percent_text(worst)}"
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
    words = ", ".join(f"{name} {number_text(auc)}" for name, auc in sorted(told.items())) or "none"
    return Check(
        "first_release",
        "",
        bool(good),
        f"There is no champion yet; AUC on what it learned: {words}.",
        "" if good else "It tells nothing apart for sure: give more of each class.",
    )


def _card_complete(card: Mapping[str, Any]) -> Check:
    missing = [name for name in _CARD if not card.get(name)]
    if missing:
        said = f"The detector's card lacks {', '.join(missing)}."
        return Check("card", "", False, said, "Train it with this version of deepward.")
    return Check("card", "", True, "The detector's card is complete.")
