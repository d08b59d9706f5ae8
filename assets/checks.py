"""Checks: what stops the work that follows, and what only warns."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from deepward.learning.continual import StageRow

# A cheap detector of broken copies: real collections have a few bad files, not one in five.
MOST_QUARANTINED = 0.2

AUDIT_CHECKS = [
    dg.AssetCheckSpec(
        "has_usable_pictures",
        asset="domain_audit",
        blocking=True,
        description="Stops what follows when a domain holds nothing to measure a detector on: "
        "every file was set aside, or the test split is empty.",
    ),
    dg.AssetCheckSpec(
        "no_shortcut",
        asset="domain_audit",
        description="Warns when format, size or metadata alone tell real from fake. Real data "
        "sets often leak; such a domain is still measured, and the report carries the flag.",
    ),
    dg.AssetCheckSpec(
        "most_files_readable",
        asset="domain_audit",
        description="Warns when more than a fifth of the files of a domain had to be set aside.",
    ),
]


INDEX_CHECKS = [
    dg.AssetCheckSpec(
        "every_passage_resolves",
        asset="vector_db",
        blocking=True,
        description="Stops what follows when a stored passage belongs to no document: it could "
        "not be cited.",
    ),
    dg.AssetCheckSpec(
        "parts_agree",
        asset="vector_db",
        blocking=True,
        description="Stops what follows when Chroma, BM25 and the stored passages do not hold the "
        "same ids: one of them would answer with what the others do not know.",
    ),
]


REPORT_CHECKS = [
    dg.AssetCheckSpec(
        "every_citation_resolves",
        asset="attack_pattern_report",
        blocking=True,
        description="Stops what follows when the report, a pattern or a prompt cites a passage "
        "that the knowledge base does not hold.",
    ),
    dg.AssetCheckSpec(
        "patterns_cover_regions",
        asset="attack_pattern_report",
        description="Warns when there are fewer than five attack patterns, or a region that was "
        "asked for has none.",
    ),
]
PROMPT_CHECKS = [
    dg.AssetCheckSpec(
        "prompts_distinct",
        asset="prompt_set",
        blocking=True,
        description="Stops what follows when two edit specs are the same, or fewer than were "
        "asked for.",
    ),
]
FEWEST_PATTERNS = 5

FEWSHOT_CHECKS = [
    dg.AssetCheckSpec(
        "set_has_no_shortcut",
        asset="fewshot_dataset",
        blocking=True,
        description="Stops what follows when the form of the files alone tells fakes from their "
        "originals: a detector would learn that, and nothing about fakes.",
    ),
    dg.AssetCheckSpec(
        "set_has_fakes",
        asset="fewshot_dataset",
        blocking=True,
        description="Stops what follows when not one fake could be made.",
    ),
]

MOST_LOST = 0.03  # AUC that a past domain may lose
MOST_FALSE_ALARMS = 0.08  # share of a known domain's reals
LEAST_RECALL = 0.5  # of what a class's recall was when its domain was learned

CONTINUAL_CHECKS = [
    dg.AssetCheckSpec(
        "keeps_past_domains",
        asset="continual_checkpoints",
        description="Warns when a domain that was learned before has lost more than 0.03 of the "
        "best AUC that any stage since then had on it.",
    ),
    dg.AssetCheckSpec(
        "keeps_both_recalls",
        asset="continual_checkpoints",
        description="Warns when the newest stage finds less than half of a past domain's reals, "
        "or of its fakes, that the stage which learned it found: AUC alone would hide that.",
    ),
    dg.AssetCheckSpec(
        "few_false_alarms",
        asset="continual_checkpoints",
        description="Warns when the newest stage calls more than 8 % of a known domain's real "
        "files fake at its stored threshold.",
    ),
]


META_CHECKS = [
    dg.AssetCheckSpec(
        "adapts_no_worse_than_plain",
        asset="meta_trained_detector",
        description="Warns when, at the largest K of the curve, the mean AUC on the domain that "
        "was left out lies more than 0.02 below that of plain training on the same pictures.",
    ),
    dg.AssetCheckSpec(
        "adapting_keeps_old_domains",
        asset="meta_trained_detector",
        description="Warns when adapting costs a domain known before more than 0.03 of its AUC, "
        "in any draw of the curve.",
    ),
]


def meta_checks(curves: Mapping[str, Any]) -> list[dg.AssetCheckResult]:
    """Results of `META_CHECKS`; what could not be measured passes and says so."""
    last = curves["meta"][-1] if curves["meta"] else None
    plain = {rung["shots"]: rung for rung in curves["plain"]}
    results = []
    for spec in META_CHECKS:
        told, passed = "not measured: no domain with test pictures was left out", True
        if last is not None and spec.name == "adapts_no_worse_than_plain":
            told = "not measured: no recipe stands for plain training"
            if last["shots"] in plain:
                pair = [each["clean"]["mean"] for each in (last, plain[last["shots"]])]
                told = f"K = {last['shots']}: {pair[0]:.3f}, plain {pair[1]:.3f}"
                passed = pair[0] >= pair[1] - 0.02
        elif last is not None:
            lost = [r["old_worst"] for r in curves["meta"] if r["old_worst"] is not None]
            told = f"at most {max(lost):.3f} lost" if lost else "not measured: no old domain says"
            passed = not lost or max(lost) <= 0.03
        results.append(
            dg.AssetCheckResult(
                check_name=spec.name,
                passed=passed,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"found": told},
            )
        )
    return results


ROBUSTNESS_CHECKS = [
    dg.AssetCheckSpec(
        "survives_recompression",
        asset="robustness_report",
        description="Warns when JPEG of quality 75, or a messenger, of sounds MP3 or Opus, costs "
        "more than 5 points of the fakes that were found at the stored threshold, or of the AUC.",
    ),
]
_COMMON = ("jpeg 75", "messenger 75", "mp3 1", "opus 1")  # what almost all went through


def robustness_checks(measured: Sequence[Mapping[str, Any]]) -> list[dg.AssetCheckResult]:
    """Results of `ROBUSTNESS_CHECKS`; a treatment that was not tried is no ground to warn."""
    lost: dict[str, float] = {}
    for values in measured:
        clean, *rows = values["degradations"]
        for row in (each for each in rows if each["condition"] in _COMMON and each["n"]):
            for what in ("recall_fake", "auc"):
                name = f"{row['condition']}: {what.replace('_', ' ')}"
                lost[name] = clean[what] - row[what]
    told = ", ".join(f"{name} {-value:+.3f}" for name, value in lost.items())
    return [
        dg.AssetCheckResult(
            check_name=ROBUSTNESS_CHECKS[0].name,
            passed=all(value <= 0.05 for value in lost.values()),
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"found": told or "not measured: none was tried"},
        )
    ]


def audit_checks(facts: Mapping[str, Mapping[str, Any]]) -> list[dg.AssetCheckResult]:
    """Results of `AUDIT_CHECKS` for the domains of one run.

    Args:
        facts: domain -> what `domain_audit` wrote about it.
    """
    empty = {domain: unusable(fact["counts"]) for domain, fact in facts.items()}
    empty = {domain: reason for domain, reason in empty.items() if reason}
    leaking = {domain: f["reason"] for domain, f in facts.items() if f["flagged"]}
    broken = {}
    for domain, fact in facts.items():
        aside, total = sum(fact["counts"]["quarantined"].values()), fact["files"]
        if total and aside / total > MOST_QUARANTINED:
            broken[domain] = f"{aside} of {total} files were set aside"
    return [
        _result("has_usable_pictures", empty, len(facts), dg.AssetCheckSeverity.ERROR),
        _result("no_shortcut", leaking, len(facts), dg.AssetCheckSeverity.WARN),
        _result("most_files_readable", broken, len(facts), dg.AssetCheckSeverity.WARN),
    ]


def index_checks(facts: Mapping[str, Any]) -> list[dg.AssetCheckResult]:
    """Results of `INDEX_CHECKS`; `facts` are those of `inspect_index`."""
    unresolved, apart = facts["unresolved"], facts["disagreements"]
    passages = facts["counts"]["chunks"]
    return [
        dg.AssetCheckResult(
            check_name="every_passage_resolves",
            passed=not unresolved,
            description=f"{len(unresolved)} of {passages} passages have no document.",
            metadata={"passages": passages, "unresolved": unresolved[:20]},
        ),
        dg.AssetCheckResult(
            check_name="parts_agree",
            passed=not any(apart.values()),
            description=f"{sum(apart.values())} ids are not in all three parts.",
            metadata=dict(apart),
        ),
    ]


def report_checks(
    facts: Mapping[str, Any], regions: Sequence[str] = ()
) -> list[dg.AssetCheckResult]:
    """Results of `REPORT_CHECKS`.

    Args:
        facts: of `read_brief`.
        regions: that were asked for.
    """
    patterns = facts["patterns"]
    covered = {pattern["region"] for pattern in patterns}
    without = sorted(set(regions) - covered)
    return [
        dg.AssetCheckResult(
            check_name="every_citation_resolves",
            asset_key="attack_pattern_report",
            passed=facts["cited"] > 0 and not facts["unresolved"],
            description=f"{len(facts['unresolved'])} of {facts['cited']} cited passages are "
            "unknown.",
            metadata={"cited": facts["cited"], "unresolved": facts["unresolved"][:20]},
        ),
        dg.AssetCheckResult(
            check_name="patterns_cover_regions",
            asset_key="attack_pattern_report",
            passed=len(patterns) >= FEWEST_PATTERNS and not without,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(patterns)} patterns over {len(covered)} regions; "
            f"without one: {', '.join(without) or 'none'}.",
            metadata={"patterns": len(patterns), "regions": sorted(covered), "without": without},
        ),
    ]


def prompt_checks(facts: Mapping[str, Any], wanted: int) -> list[dg.AssetCheckResult]:
    """Results of `PROMPT_CHECKS`; `wanted` is how many edit specs were asked for."""
    specs = facts["prompts"]
    looks = {(s["region"], s["operation"], s["positive_prompt"].casefold()) for s in specs}
    return [
        dg.AssetCheckResult(
            check_name="prompts_distinct",
            asset_key="prompt_set",
            passed=len(looks) == len(specs) == wanted,
            description=f"{len(looks)} distinct of {len(specs)} prompts; {wanted} were wanted.",
            metadata={"prompts": len(specs), "distinct": len(looks), "wanted": wanted},
        )
    ]


def fewshot_checks(
    summary: Mapping[str, Any], audit: Mapping[str, Any]
) -> list[dg.AssetCheckResult]:
    """Results of `FEWSHOT_CHECKS`.

    Args:
        summary: of the run that made the set: `made`, `rejected`.
        audit: `Audit.as_dict()` of the set.
    """
    auc = audit["auc"]
    return [
        dg.AssetCheckResult(
            check_name="set_has_no_shortcut",
            passed=not audit["flagged"],
            description=audit["reason"],
            metadata={} if auc is None else {"shortcut_auc": round(auc, 4)},
        ),
        dg.AssetCheckResult(
            check_name="set_has_fakes",
            passed=summary["made"] > 0,
            description=f"{summary['made']} fakes were made, {summary['rejected']} rejected.",
            metadata={"made": summary["made"], "rejected": summary["rejected"]},
        ),
    ]


def continual_checks(chains: "Sequence[Sequence[StageRow]]") -> list[dg.AssetCheckResult]:
    """Results of `CONTINUAL_CHECKS` for the newest stage of each chain, one for each medium."""
    lost: dict[str, str] = {}
    collapsed: dict[str, str] = {}
    alarms: dict[str, str] = {}
    for rows in chains:
        _look_at_stage(rows, lost, collapsed, alarms)
    found = {
        "keeps_past_domains": lost,
        "keeps_both_recalls": collapsed,
        "few_false_alarms": alarms,
    }
    known = sum(len(rows[-1].known) for rows in chains if rows)
    warn = dg.AssetCheckSeverity.WARN
    return [_result(name, bad, known, warn) for name, bad in found.items()]


def _look_at_stage(
    rows: "Sequence[StageRow]",
    lost: dict[str, str],
    collapsed: dict[str, str],
    alarms: dict[str, str],
) -> None:
    """Notes what is wrong with the newest stage, by domain."""
    from deepward.learning.continual.rows import losses

    for each in losses(rows):
        if each["lost"] is not None and each["lost"] > MOST_LOST:
            lost[each["domain"]] = f"AUC {each['auc']:.3f}, was {each['best']:.3f}"
    known = rows[-1].known if rows else ()
    for name in known:
        now = rows[-1].cells.get(name)
        taught = next((row.cells.get(name) for row in rows if name in row.domains), None)
        if now is None:
            continue
        for kind in ("recall_real", "recall_fake"):
            before, after = getattr(taught, kind, None), getattr(now, kind)
            if before and after is not None and after < LEAST_RECALL * before:
                collapsed[name] = f"{kind.replace('_', ' of ')} {after:.2f}, was {before:.2f}"
        if now.false_alarms is not None and now.false_alarms > MOST_FALSE_ALARMS:
            alarms[name] = f"{now.false_alarms:.1%} of {now.n_real} reals"


def unusable(counts: Mapping[str, Mapping[str, int]]) -> str | None:
    """Why nothing can be measured on a domain with these `Manifest.counts()`, or None."""
    pictures = {split: n for split, n in counts.items() if split != "quarantined"}
    if not any(sum(n.values()) for n in pictures.values()):
        aside = sum(counts["quarantined"].values())
        return f"no usable picture; {aside} files were set aside" if aside else "no file at all"
    if not sum(pictures.get("test", {}).values()):
        return "the test split holds no usable picture"
    return None


def _result(
    name: str, found: Mapping[str, str], count: int, severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    told = "; ".join(f"{domain}: {reason}" for domain, reason in sorted(found.items()))
    return dg.AssetCheckResult(
        check_name=name,
        passed=not found,
        severity=severity,
        description=told or f"{count} of {count} domains are fine.",
        metadata={"domains": sorted(found), "reasons": dict(found), "domains_checked": count},
    )
