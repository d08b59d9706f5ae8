"""How good the baseline detector is: per domain, across domains, and as one page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.domains import (
    domain_audit,
    domain_manifest,
    read_images,
    read_manifest,
    scanned_domains,
)
from assets.findings import (
    METRICS,
    REPORT,
    Baseline,
    current_evaluations,
    evaluation_split,
    read_evaluation,
    read_figures,
    report_data,
    summarize,
    write_evaluation,
)
from assets.learning import baseline_detector
from assets.metadata import domain_metadata, metrics_metadata, report_metadata
from assets.outcomes import Outcome, domains_result, each_domain, single_result
from assets.partitions import domain_partitions, every_domain_at_once
from assets.transfer import transfer_matrix
from deepward.steps import Step
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import Manifest

GROUP = "evaluation"
CODE = code_version(
    "deepward.evaluation.evaluate_detector",
    "deepward.detectors.load_detector",
    "deepward.domains.load_images",
    "deepward.evaluation.figures",
    "deepward.evaluation.montage",
)
COLLECTING = code_version("deepward.evaluation.TransferMatrix")
REPORTING = code_version("deepward.evaluation.build_report", "deepward.detectors.load_detector")


def _after(asset: str) -> dg.AutomationCondition[dg.AssetKey]:
    """Refreshed when `asset` has anything new.

    Unlike `eager()`, this does not wait until every domain has results.
    """
    updated = dg.AutomationCondition.any_deps_updated().allow(dg.AssetSelection.assets(asset))
    return (
        updated.since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label(f"after {asset}")


class EvaluationConfig(dg.Config):
    """Settings of an evaluation; `refresh` does it again even where nothing changed."""

    seed: int = 0
    resamples: int = 1000
    refresh: bool = False


@dg.asset(
    partitions_def=domain_partitions,
    backfill_policy=every_domain_at_once,
    deps=[domain_manifest, domain_audit, baseline_detector],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"pytorch", "mlflow"},
    code_version=CODE,
    description="The baseline detector on the test pictures of one domain: AUC, AP, EER, recall of "
    "real and of fake at the stored threshold, each with a 95 % interval; the same after "
    "laundering; beside it what a 16 px thumbnail can tell, which sees no trace of forgery.",
)
def domain_metrics(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    baseline = Baseline(store, compute)

    def measure(domain: str) -> Outcome:
        manifest = read_manifest(store, domains, domain)
        split = evaluation_split(manifest, baseline.training_domains)

        def evaluate(folder: Path) -> dict[str, Any]:
            from deepward.evaluation import evaluate_detector

            data = read_images(store, [manifest], split)
            with reporting.show(context.log.info) as progress:
                found = evaluate_detector(
                    baseline.detector,
                    data,
                    domain,
                    split or "all",
                    seed=config.seed,
                    resamples=config.resamples,
                    progress=progress,
                )
            return write_evaluation(folder, found, data)

        kept = store.ensure(
            store.domain_artefact("evaluation", manifest.root),
            Step(
                "domain_metrics",
                {"domain_manifest": manifest.content_hash, "detector": baseline.version},
                {"split": split, **config.model_dump(exclude={"refresh"})},
                CODE,
            ),
            evaluate,
            folder=True,
            refresh=config.refresh,
        )
        found = read_evaluation(kept.path)
        tracking.evaluation(domain, kept.card.content_hash, found.as_dict(), kept.path)
        return Outcome(kept, domain_metadata(found, read_figures(kept.path)))

    return domains_result(each_domain(context, measure))


@dg.asset(
    deps=[domain_metrics, domain_manifest, baseline_detector],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"json", "mlflow"},
    code_version=COLLECTING,
    automation_condition=_after("domain_metrics"),
    description="All domains beside each other: the baseline detector's metrics per domain, their "
    "means, and the cross-domain matrix, in which a quick detector trained on one domain alone is "
    "tested on every other.",
)
def metrics(
    context: dg.AssetExecutionContext,
    config: EvaluationConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    manifests = scanned_domains(context.instance, store, domains)
    measured = current_evaluations(store, manifests, Baseline(store).version)

    def collect() -> dict[str, Any]:
        with reporting.show(context.log.info) as progress:
            matrix, without = transfer_matrix(store, manifests, seed=config.seed, progress=progress)
        found = [read_evaluation(store.path(name)) for name in measured.values()]
        missing = {manifest.domain for manifest in manifests} - set(measured)
        return summarize(found, missing) | {
            "transfer": matrix.as_dict() if matrix else None,
            "without_quick_detector": without,
        }

    kept = store.ensure_json(
        METRICS,
        Step("metrics", _versions(store, measured, manifests), {"seed": config.seed}, COLLECTING),
        collect,
        refresh=config.refresh,
    )
    found = store.read_json(kept)
    tracking.means(kept.card.content_hash, found["means"])
    return single_result(Outcome(kept, metrics_metadata(found)))


@dg.asset(
    deps=[metrics, domain_metrics, domain_audit, baseline_detector],
    group_name=GROUP,
    kinds={"html"},
    code_version=REPORTING,
    automation_condition=_after("metrics"),
    description="One self-contained HTML page for a reader who knows nothing of the detector yet: "
    "what it was trained on, how good it is, where it fails, what the data leak, and its limits.",
)
def evaluation_report(
    context: dg.AssetExecutionContext,
    store: ArtifactStore,
    domains: DomainFolders,
) -> dg.MaterializeResult:
    manifests = scanned_domains(context.instance, store, domains)
    baseline = Baseline(store)
    measured = current_evaluations(store, manifests, baseline.version)

    def write(path: Path) -> dict[str, Any]:
        from deepward.evaluation import build_report

        page = build_report(report_data(store, baseline, manifests, measured))
        path.write_text(page, encoding="utf-8")
        return {"domains": len(measured)}

    kept = store.ensure(
        REPORT,
        Step(
            "evaluation_report",
            {"metrics": store.version(METRICS) or "", **_versions(store, measured, manifests)},
            {},
            REPORTING,
        ),
        write,
    )
    return single_result(Outcome(kept, report_metadata(kept, measured)))


def _versions(
    store: ArtifactStore, measured: Mapping[str, str], manifests: "Sequence[Manifest]"
) -> dict[str, str]:
    """Versions of everything that the summary and the report are made from."""
    found = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    for domain, name in measured.items():
        found[f"domain_metrics/{domain}"] = store.version(name) or ""
    return found
