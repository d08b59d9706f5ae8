"""Champion and challenger on the same files of one domain: not worse where it was known, better
where it is new."""

from typing import Any

import pandas as pd

from deepward.evaluation import DomainMetrics
from deepward.metrics.intervals import Estimate, share
from deepward.metrics.ranking import paired_auc_difference, ranking_metrics
from deepward.release.decision import Check, GateConfig
from deepward.release.wording import gain_text, number_text, percent_text

__all__ = ["SIDES", "compared", "paired"]

SIDES = {"clean": "probability", "laundered": "laundered_probability"}
_FEWEST = 2  # of each class, for an AUC with an interval


def paired(old: DomainMetrics, new: DomainMetrics) -> pd.DataFrame | None:
    """Scores of both by picture; None where they are not of the same pictures."""
    columns = ["path", "label", "group", *SIDES.values()]
    tables = [each.all_scores()[columns] for each in (old, new)]
    paths = [set(table["path"]) for table in tables]
    if paths[0] != paths[1]:
        return None
    joined = tables[0].merge(
        tables[1].drop(columns=["label", "group"]), on="path", suffixes=("_old", "_new")
    )
    return joined.sort_values("path", ignore_index=True)


def compared(domain: str, pair: pd.DataFrame, is_new: bool, config: GateConfig) -> list[Check]:
    """Non-inferiority on both sides, and gain where the domain is new to the challenger."""
    checks = []
    for side, column in SIDES.items():
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
        words = f"AUC on {domain}, {side}: {number_text(was)} before, {number_text(now)} now, "
        words += gain_text(gain)
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
    said = f"Of the {len(fakes)} fakes of {domain}, {percent_text(rate)} look more like fakes than"
    said += " before."
    settle = "" if passed else "Give reals of the same kind, or more specimens."
    return Check("new_domain", domain, passed, said, settle)


def _not_worse(name: str, domain: str, words: str, gain: Estimate, config: GateConfig) -> Check:
    lowest = gain.value if gain.low is None else gain.low
    passed = lowest is None or lowest > -config.margin
    settle = (
        ""
        if passed
        else f"It may lose more than {config.margin:g} there: learn from this domain again, or "
        "measure it on more files."
    )
    return Check(name, domain, passed, f"{words}.", settle)
