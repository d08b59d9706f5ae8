"""How good detectors are: per domain, across domains, and as one page."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.continual import continual_checkpoints, stage_rows
from assets.domains import (
    domain_audit,
    domain_manifest,
    read_images,
    read_manifest,
    scanned_domains,
)
from assets.findings import (
    METRICS,
    Measured,
    StoredDetector,
    detector_for,
    evaluation_name,
    measured_detectors,
)
from assets.learning import baseline_detector
from assets.meta_learning import meta_trained_detector
from assets.metadata.evaluation import domain_metadata, metrics_metadata, report_metadata
from assets.outcomes import Outcome, domains_result, each_domain, media_result, single_result
from assets.partitions import domain_partitions, every_domain_at_once
from assets.reporting import Shown, report_data, report_inputs, shown_detectors
from assets.synthesis import fewshot_dataset
from assets.transfer import transfer_matrix
from deepward.home import DEFAULT_DETECTOR, home, of_medium, report_file
from deepward.media import MEDIA, NOUNS
from deepward.progress import Progress
from deepward.steps import Artefact, Step
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Record, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import Manifest
    from deepward.learning.continual import StageRow

GROUP = "evaluation"
CODE = code_version(
    "deepward.evaluation.evaluate_detector",
    "deepward.detectors.load_detector",
    "deepward.domains.load_images",
    "deepward.evaluation.write_evaluation",
)
COLLECTING = code_version(
    "deepward.evaluation.mean_metrics", "deepward.learning.continual.rows.summarize_rows"
)
REPORTING = code_version(
    "deepward.evaluation.build_report",
    "deepward.detectors.load_detector",
    "deepward.learning.continual.rows.draw_rows",
)


def _after(*assets: str) -> dg.AutomationCondition[dg.AssetKey]:
    """Refreshed when one of `assets` has anything new.

    Unlike `eager()`, this does not wait until every domain has results.
    """
    updated = dg.AutomationCondition.any_deps_updated().allow(dg.AssetSelection.assets(*assets))
    return (
        updated.since_last_handled()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label(f"after {' or '.join(assets)}")


class EvaluationConfig(dg.Config):
    """Which detector is measured, and how; `refresh` does it again even where nothing changed.

    "head" stands for the newest stage of continual learning, "baseline" for the baseline, of the
    medium that a domain is of.
    """

    detector: str = DEFAULT_DETECTOR
    seed: int = 0
    resamples: int = 1000
    refresh: bool = False


class ComparisonConfig(dg.Config):
    """Which detectors stand side by side: those named, or all that were measured."""

    detectors: list[str] = Field(default_factory=list)
    seed: int = 0
    refresh: bool = False


class ReportConfig(dg.Config):
    """Which detectors the report shows: those named, or champion (else baseline) and challenger."""

    detectors: list[str] = Field(default_factory=list)


@dg.asset(
    partitions_def=domain_partitions,
    backfill_policy=every_domain_at_once,
    deps=[domain_manifest, domain_audit, baseline_detector, continual_checkpoints],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"pytorch", "mlflow"},
    code_version=CODE,
    description="One detector on the test files of one domain: AUC, AP, EER, recall of real and "
    "of fake at the stored threshold, each with a 95 % interval; the same after laundering; beside "
    "it what a control can tell that sees no trace of forgery: of pictures a 16 px thumbnail. A "
    "domain of a medium that no detector judges yet is told to be not judged.",
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
    from deepward.evaluation import read_evaluation, read_figures

    known: dict[str, StoredDetector | None] = {}  # by medium

    def measure(domain: str) -> Outcome:
        manifest = read_manifest(store, domains, domain)
        medium = manifest.medium
        if medium not in known:
            known[medium] = detector_for(store, config.detector, medium, compute)
        stored = known[medium]
        if stored is None:
            return Outcome(None, {"not_judged": f"no detector of {NOUNS[medium]}s yet"})
        with reporting.show(context.log.info) as progress:
            artefact = evaluate_domain(stored, manifest, store, config, progress)
        found, version = read_evaluation(artefact.path), artefact.card.content_hash
        tracking.evaluation(
            stored.name, domain, version, found.as_dict(), artefact.path, manifest.content_hash
        )
        shown = domain_metadata(found, read_figures(artefact.path))
        return Outcome(artefact, shown | tracking.link())

    return domains_result(each_domain(context, measure))


def evaluate_domain(
    stored: StoredDetector,
    manifest: "Manifest",
    store: ArtifactStore,
    config: EvaluationConfig,
    progress: Progress,
) -> Artefact:
    """Measures a detector on a domain unless that was done before."""
    from deepward.evaluation import evaluate_detector, split_to_measure, write_evaluation

    split = split_to_measure(manifest, stored.learned)

    def evaluate(folder: Path) -> dict[str, Any]:
        data = read_images(store, [manifest], split)
        found = evaluate_detector(
            stored.detector,
            data,
            manifest.domain,
            split or "all",
            name=stored.name,
            seed=config.seed,
            resamples=config.resamples,
            progress=progress,
        )
        return write_evaluation(folder, found, data)

    step = Step(
        "domain_metrics",
        {"domain_manifest": manifest.content_hash, "detector": stored.version},
        {"split": split, **config.model_dump(exclude={"refresh"}), "detector": stored.name},
        CODE,
    )
    name = evaluation_name(store, stored.name, manifest)
    return store.ensure(name, step, evaluate, folder=True, refresh=config.refresh)


@dg.asset(
    # After the decision, which waits for nothing, and measures champion and challenger.
    deps=[
        domain_metrics,
        domain_manifest,
        baseline_detector,
        continual_checkpoints,
        "released_detector",
    ],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"json", "mlflow"},
    code_version=COLLECTING,
    automation_condition=_after("domain_metrics"),
    description="All domains beside each other, for each detector that was measured: its metrics "
    "per domain, their means over domains that it was trained on and over new ones, and the "
    "cross-domain matrix, in which a quick detector trained on one domain alone is tested on "
    "every other, and the continual matrix: every stage on every domain, with AA, AF, BWT, FWT.",
)
def metrics(
    context: dg.AssetExecutionContext,
    config: ComparisonConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    manifests = scanned_domains(context.instance, store, domains, None)
    measured = measured_detectors(store, manifests, config.detectors)
    rows = {medium: stage_rows(store, medium) for medium in MEDIA}

    def collect() -> dict[str, Any]:
        matrices: dict[str, Any] = {}
        without: dict[str, str] = {}
        for medium in MEDIA:
            mine = [manifest for manifest in manifests if manifest.medium == medium]
            with reporting.show(context.log.info) as progress:
                matrix, lacking = transfer_matrix(store, mine, seed=config.seed, progress=progress)
            matrices[of_medium("transfer", medium)] = matrix.as_dict() if matrix else None
            without |= lacking
        return {
            "detectors": {each.detector.name: _summary(each, manifests) for each in measured},
            **matrices,
            "without_quick_detector": without,
            **{of_medium("continual", medium): _continual(rows[medium]) for medium in MEDIA},
        }

    inputs = _versions(measured, manifests)
    for row in (row for each in rows.values() for row in each):
        inputs[f"continual_checkpoints/{row.detector}"] = row.content_hash
    step = Step("metrics", inputs, {"seed": config.seed}, COLLECTING)
    artefact = store.ensure_json(METRICS, step, collect, refresh=config.refresh)
    found = store.read_json(artefact)
    for name, summary in found["detectors"].items():
        tracking.record(
            f"metrics {name} {artefact.card.content_hash}",
            partial(_means, name, summary["means"], manifests),
        )
    return single_result(Outcome(artefact, metrics_metadata(found) | tracking.link()))


def _means(name: str, means: dict[str, float], manifests: "Sequence[Manifest]") -> Record:
    """One detector's means over domains, for MLflow."""
    return Record(
        name=f"{name} on all domains",
        params={"detector": name},
        metrics=means,
        headline={f"{mean}/{name}": (0, value) for mean, value in means.items()},
        tags={"detector": name},
        datasets={each.domain: each.content_hash for each in manifests},
    )


def _continual(rows: "Sequence[StageRow]") -> dict[str, Any] | None:
    """The matrix of stages, and AA, AF, BWT, FWT; None where nothing was learned in stages."""
    from deepward.learning.continual.rows import summarize_rows

    if not rows:
        return None
    return {
        **vars(summarize_rows(rows)),
        "rows": [row.as_dict() for row in rows],
    }


def _summary(measured: Measured, manifests: "Sequence[Manifest]") -> dict[str, Any]:
    """What every domain says of one detector, their means, and which were not measured."""
    from deepward.evaluation import mean_metrics

    found = measured.results()
    return {
        "domains": {each.domain: each.as_dict() for each in found},
        "means": mean_metrics(found, measured.detector.learned),
        "not_measured": sorted(
            {m.domain for m in manifests if m.medium == measured.detector.medium}
            - set(measured.names)
        ),
    }


@dg.asset(
    deps=[
        metrics,
        domain_metrics,
        domain_audit,
        baseline_detector,
        continual_checkpoints,
        meta_trained_detector,
        fewshot_dataset,
        "teaching_table",
        "released_detector",
    ],
    group_name=GROUP,
    kinds={"html", "mlflow"},
    code_version=REPORTING,
    automation_condition=_after("metrics", "released_detector"),
    description="One self-contained HTML page for each medium, for a reader who knows nothing of "
    "the detectors yet: the champion, and the newest stage beside it. What they cannot see, how "
    "good they are on new domains, on known ones and after laundering, what they learned, what was "
    "synthesized, why the last challenger was released or refused, where they fail, and where they "
    "come from.",
)
def evaluation_report(
    context: dg.AssetExecutionContext,
    config: ReportConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    tracking: Tracking,
) -> dg.MaterializeResult:
    manifests = scanned_domains(context.instance, store, domains, None)
    made: dict[str, Outcome] = {}
    for medium, shown in shown_detectors(store, manifests, config.detectors).items():
        mine = [manifest for manifest in manifests if manifest.medium == medium]
        artefact = _report(store, shown, mine, medium)
        files = {"report": artefact.path}
        record = Record(name=of_medium("evaluation report", medium), files=files)
        tracking.record(f"report {artefact.card.content_hash}", lambda record=record: record)
        facts = report_metadata(artefact, [each.measured for each in shown])
        made[medium] = Outcome(artefact, facts | tracking.link())
    return media_result(made)


def _report(
    store: ArtifactStore, shown: "Sequence[Shown]", manifests: "Sequence[Manifest]", medium: str
) -> Artefact:
    """Writes the page of one medium, unless it is there."""

    def write(path: Path) -> dict[str, Any]:
        from deepward.evaluation import build_report

        page = build_report(report_data(store, shown, manifests, medium))
        path.write_text(page, encoding="utf-8")
        return {"detectors": [each.measured.detector.name for each in shown]}

    inputs = report_inputs(store, shown, medium)
    inputs |= _versions([each.measured for each in shown], manifests)
    place = store.name(store.folder / report_file(medium).relative_to(home()))
    return store.ensure(place, Step("evaluation_report", inputs, {}, REPORTING), write)


def _versions(measured: "Sequence[Measured]", manifests: "Sequence[Manifest]") -> dict[str, str]:
    """Versions of everything that the summary and the report are made from."""
    found = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    for each in measured:
        found |= each.versions()
    return found
