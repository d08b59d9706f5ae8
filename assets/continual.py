"""Continual learning: in which order domains are learned, and the detector after each stage."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from assets.checks import CONTINUAL_CHECKS, continual_checks
from assets.domains import domain_audit, domain_manifest, read_images, scanned_domains
from assets.learning import baseline_detector, describe, trainable
from assets.meta_learning import NAME as META
from assets.meta_learning import meta_trained_detector
from assets.metadata.continual import (
    exemplars_metadata,
    row_number,
    sequence_metadata,
    stage_metadata,
)
from assets.outcomes import Outcome, domains_result, each_domain, single_result
from assets.partitions import domain_partitions, every_domain_at_once
from deepward.errors import DomainError
from deepward.home import DEFAULT_DETECTOR, of_medium
from deepward.learning.continual.chain import STANDS_ON, Chain, Workshop
from deepward.learning.continual.ledger import Entry, Ledger
from deepward.learning.continual.strategy import DEFAULT_STRATEGY, Strategy
from deepward.media import MEDIA, NOUNS
from deepward.progress import Progress
from deepward.steps import Artefact, Step
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Record, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest
    from deepward.learning.continual import StageRow

GROUP = "continual"
SEQUENCE = "sequence/task_sequence.json"
CODE = code_version(*STANDS_ON)
MEASURING = code_version(
    "deepward.learning.continual.runs.stage_row",
    "deepward.detectors.load_detector",
    "deepward.domains.load_images",
)
ORDERING = code_version(
    "deepward.learning.continual.plan_sequence",
    "deepward.learning.continual.similarity",
    "deepward.domains.load_images",
)


class SequenceConfig(dg.Config):
    """The order of stages.

    Attributes:
        sequence: "a,b+c" (a "+" joins domains of one stage), the name of a shipped sequence, or a
            file with one stage a line; it goes before all else.
        order: "date" (where domains carry one, else by name) or "similarity": first what teaches
            most about all, then what is nearest to what is known.
        grouped: similar domains are learned together in one stage.
        most_apart: in the tree of likeness, in [0, 1]; closer domains are a group.
        pictures: of each class and domain that likeness is measured on; 0 measures nothing.
    """

    sequence: str = ""
    order: Literal["date", "similarity"] = "date"
    grouped: bool = False
    most_apart: float = 0.5
    pictures: int = 60
    seed: int = 0


class LearningConfig(dg.Config):
    """How a stage is learned.

    Attributes:
        start: detector that the first stage goes on from: "auto" takes `meta` where there is one,
            else `baseline` where there is one, of the medium; "none" fits from nothing.
        detector: recipe of a first stage that is fitted from nothing; a medium that it is not for
            gets the usual one.
        steps: of each network; none: as its recipe says.
        rebase: learn from the head also what was learned before; else a stage that is learned
            again starts from the parent that the ledger recorded.
        refresh: learn again even if nothing changed.
        strategy: how networks keep what they knew: naive, joint, distillation, ewc, replay, or
            some joined by "+"; closed-form members learn exactly and need none.
        exemplar_bytes: that a strategy may keep of each source class.
        choice: of exemplars: "herding" or "reservoir".
        forget: take the domains of this run out of the newest stage instead of learning them.
    """

    start: str = "auto"
    detector: str = "default"
    steps: int | None = None
    seed: int = 0
    false_positive_rate: float = 0.05
    families: dict[str, str] = Field(default_factory=dict)
    strategy: str = DEFAULT_STRATEGY
    exemplar_bytes: int = Strategy.exemplar_bytes
    choice: str = Strategy.choice
    rebase: bool = False
    refresh: bool = False
    forget: bool = False


@dg.asset(
    deps=[domain_manifest],
    group_name=GROUP,
    kinds={"json"},
    code_version=ORDERING,
    description="In which order the domains are learned, and which of them together in one stage: "
    "as configured, by date where domains carry one, by name, or by likeness, which is measured "
    "between all of one medium and shown. A backfill of continual_checkpoints keeps to it.",
)
def task_sequence(
    context: dg.AssetExecutionContext,
    config: SequenceConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    reporting: Reporting,
) -> dg.MaterializeResult:
    manifests = scanned_domains(context.instance, store, domains, None)
    if not manifests:
        raise DomainError("No domain was scanned yet: materialize domain_manifest first.")

    def plan() -> dict[str, Any]:
        with reporting.show(context.log.info) as progress:
            # A sequence that was asked for may name domains of any medium; a stage is of one.
            parts = (
                [manifests]
                if config.sequence
                else [[each for each in manifests if each.medium == medium] for medium in MEDIA]
            )
            planned = [_planned(store, config, part, progress) for part in parts if part]
        return {
            "groups": [group for each in planned for group in each["groups"]],
            "missing": [name for each in planned for name in each["missing"]],
            "origin": planned[0]["origin"],
            "similarity": [each["similarity"] for each in planned if each["similarity"]],
            "most_apart": config.most_apart,
        }

    inputs = {f"domain_manifest/{each.domain}": each.content_hash for each in manifests}
    step = Step("task_sequence", inputs, config.model_dump(), ORDERING)
    kept = store.ensure_json(SEQUENCE, step, plan)
    return single_result(Outcome(kept, sequence_metadata(store.read_json(kept))))


def _planned(
    store: ArtifactStore,
    config: SequenceConfig,
    manifests: "Sequence[Manifest]",
    progress: Progress,
) -> dict[str, Any]:
    """The stages of one medium's domains, and how alike these are."""
    from deepward.learning.continual import plan_sequence
    from deepward.learning.continual.similarity import measure_similarity

    likeness = None
    if config.pictures and len({each.medium for each in manifests}) == 1:
        likeness = measure_similarity(
            {m.domain: read_images(store, [m], "train") for m in manifests},
            store.descriptions(),
            medium=manifests[0].medium,
            pictures=config.pictures,
            seed=config.seed,
            progress=progress,
        )
    found = plan_sequence(
        [manifest.root for manifest in manifests],
        {manifest.domain for manifest in manifests if trainable(manifest)},
        likeness,
        sequence=config.sequence,
        by_similarity=config.order == "similarity",
        most_apart=config.most_apart if config.grouped else None,
    )
    return {
        "groups": [list(group) for group in found.groups],
        "missing": list(found.missing),
        "origin": found.origin,
        "similarity": likeness.as_dict() if likeness else None,
    }


def ledger_of(store: ArtifactStore, medium: str) -> Ledger:
    """The ledger of a medium's stages."""
    return Ledger(store.path(of_medium("stages", medium)))


def stage_groups(store: ArtifactStore, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The stages that these domains make, in the order of `task_sequence`, others after by name.

    A domain that was learned in a group is learned again with it; a group of the sequence is kept
    as far as its domains are among the names.
    """
    planned: list[list[str]] = []
    if store.path(SEQUENCE).is_file():
        planned = store.read_json(SEQUENCE)["groups"]
    ledgers = [ledger_of(store, medium) for medium in MEDIA]
    stages: dict[tuple[str, ...], None] = {}
    for group in [*planned, *([name] for name in sorted(names))]:
        new = []
        for name in (n for n in group if n in names):
            there = next(filter(None, (ledger.stage_of(name) for ledger in ledgers)), None)
            if there is not None:
                stages[there.domains] = None
            elif not any(name in stage for stage in stages):
                new.append(name)
        if new:
            stages[tuple(sorted(new))] = None
    return list(stages)


def start_of(store: ArtifactStore, asked: str, medium: str = "image") -> str:
    """Name of the detector that a first stage goes on from; "" to fit from nothing."""
    if asked != "auto":
        return "" if asked == "none" else asked
    names = [of_medium(name, medium) for name in (META, DEFAULT_DETECTOR)]
    there = [name for name in names if store.path(f"detectors/{name}/detector.json").exists()]
    return there[0] if there else ""


@dg.asset(
    partitions_def=domain_partitions,
    backfill_policy=every_domain_at_once,
    deps=[
        domain_manifest,
        domain_audit,
        task_sequence,
        meta_trained_detector,
        baseline_detector,
    ],
    pool=GPU_POOL,
    group_name=GROUP,
    kinds={"pytorch", "mlflow"},
    code_version=CODE,
    check_specs=CONTINUAL_CHECKS,
    description="The detector after it has learned one more domain, keeping what it knew. Stages "
    "form a chain for each medium, which a ledger records: a new domain goes on from its head, a "
    "stage that is learned again starts from its recorded parent. Shown beside it: what every "
    "stage so far knows of every domain, and what was forgotten.",
)
def continual_checkpoints(
    context: dg.AssetExecutionContext,
    config: LearningConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    manifests = {m.domain: m for m in scanned_domains(context.instance, store, domains, None)}
    keys = context.partition_keys
    groups = [(key,) for key in keys] if config.forget else stage_groups(store, keys)
    order = [name for group in groups for name in group if name in keys]
    done: dict[tuple[str, ...], Outcome] = {}

    def learn(domain: str) -> Outcome:
        group = next(group for group in groups if domain in group)
        if group not in done:
            with reporting.show(context.log.info) as progress:
                done[group] = _stage(store, config, compute, tracking, manifests, group, progress)
        return done[group]

    made = each_domain(context, learn, order)
    return domains_result(made, continual_checks([stage_rows(store, m) for m in MEDIA]))


def _stage(
    store: ArtifactStore,
    config: LearningConfig,
    compute: Compute,
    tracking: Tracking,
    manifests: "dict[str, Manifest]",
    group: Sequence[str],
    progress: Progress,
) -> Outcome:
    """Learns one stage unless it is there, measures it on every domain, and tells of both."""
    from deepward.detectors import recipe_for
    from deepward.learning.continual import StageConfig

    if missing := sorted(set(group) - set(manifests)):
        raise DomainError(
            f"{', '.join(missing)} was not scanned yet: materialize domain_manifest for it first."
        )
    medium = manifests[group[0]].medium
    if other := [name for name in group if manifests[name].medium != medium]:
        raise DomainError(
            f"{group[0]} holds {NOUNS[medium]}s and {other[0]} does not: a stage is of one medium. "
            "Name them apart in the sequence."
        )
    manifests = {name: each for name, each in manifests.items() if each.medium == medium}
    workshop = Workshop(compute.open(), store.descriptions(), progress, describe)
    chain = Chain(
        ledger_of(store, medium),
        store.path("detectors"),
        store.path("training"),
        start_of(store, config.start, medium),
        CODE,
    )
    asked = config.model_dump(exclude={"start", "rebase", "refresh", "forget"})
    asked["detector"] = recipe_for(config.detector, medium)
    settings = StageConfig(**asked, precision=compute.precision)

    def data(names: Sequence[str]) -> "tuple[ImageSet, ImageSet]":
        if gone := sorted(set(names) - set(manifests)):
            raise DomainError(
                f"{', '.join(gone)} is to be learned again, but its folder is gone: put it back."
            )
        wanted = [manifests[name] for name in names]
        return read_images(store, wanted, "train"), read_images(store, wanted, "val")

    versions = {manifests[name].domain: manifests[name].content_hash for name in group}
    again = {"rebase": config.rebase, "refresh": config.refresh}
    if config.forget:
        entry, artefact = chain.forget(group[0], workshop, data)
    else:
        entry, artefact = chain.learn(versions, data, settings, workshop, **again)
    measured = _measure(store, chain, entry, manifests, workshop)
    rows = stage_rows(store, medium)
    _record(tracking, entry, rows, measured, manifests)
    facts = stage_metadata(entry, rows, chain.ledger) | exemplars_metadata(artefact.path)
    return Outcome(artefact, facts | tracking.link())


def _measure(
    store: ArtifactStore,
    chain: Chain,
    entry: Entry,
    manifests: "dict[str, Manifest]",
    workshop: Workshop,
) -> Artefact:
    """The stage's row of the matrix: every domain of its medium, also those to come.

    A row that was measured stays when more domains come: only what it shows may make it old.
    """
    place = store.name(chain.ledger.folder / "rows" / f"{entry.detector}.json")
    inputs = {f"domain_manifest/{name}": m.content_hash for name, m in manifests.items()}
    inputs |= {"detector": entry.content_hash, "parent": entry.parent_hash}
    card = store.card(place)
    if card and card.code_version == MEASURING and card.inputs.items() <= inputs.items():
        inputs = card.inputs
    wanted = {name: m for name, m in manifests.items() if f"domain_manifest/{name}" in inputs}

    def measure() -> dict[str, Any]:
        from deepward.learning.continual.runs import stage_row

        begun = time.monotonic()
        tests = {name: read_images(store, [m], "test") for name, m in wanted.items()}
        tests = {name: data for name, data in tests.items() if len(data)}
        row = stage_row(chain, entry, tests, workshop)
        return row.as_dict() | {"measured_in": round(time.monotonic() - begun, 3)}

    return store.ensure_json(place, Step("continual_checkpoints", inputs, {}, MEASURING), measure)


def stage_rows(store: ArtifactStore, medium: str = "image") -> "list[StageRow]":
    """What each stage of a medium's chain showed, as far as it was measured as it is now."""
    from deepward.learning.continual.rows import StageRow

    found, ledger = [], ledger_of(store, medium)
    for entry in ledger.chain():
        name = store.name(ledger.folder / "rows" / f"{entry.detector}.json")
        if not store.path(name).is_file():
            continue
        values = store.read_json(name)
        values.pop("measured_in")
        row = StageRow.from_dict(values)
        if row.content_hash == entry.content_hash:
            found.append(row)
    return found


def _record(
    tracking: Tracking,
    entry: Entry,
    rows: "Sequence[StageRow]",
    measured: Artefact,
    manifests: "dict[str, Manifest]",
) -> None:
    """Writes the stage into MLflow, once: the matrix up to it, as curves over the stages."""
    from deepward.learning.continual.rows import draw_rows

    upto = [row for row in rows if row_number(row) <= entry.number]
    facts = {"stage": entry.stage, "parent": entry.parent, "number": entry.number}
    present = [name for name in entry.domains if name in manifests]
    tracking.record(
        f"stage {entry.content_hash} {measured.card.content_hash}",
        lambda: Record(
            name=f"stage {entry.detector}",
            params={**facts, **{k: v for k, v in entry.config.items() if v is not None}},
            curves=_matrix_curves(upto),
            headline={name: points[-1] for name, points in _matrix_curves(upto).items()},
            tags={"detector": entry.detector, "content_hash": entry.content_hash},
            datasets={name: manifests[name].content_hash for name in present},
            pictures={"figures/forgetting.png": draw_rows(upto)},
        ),
    )


def _matrix_curves(rows: "Sequence[StageRow]") -> dict[str, list[tuple[int, float]]]:
    """The matrix of stages: for each domain, what each stage so far shows on it."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        for domain, cell in row.cells.items():
            for metric in ("auc", "recall_real", "recall_fake"):
                value = getattr(cell, metric)
                if value is not None:
                    curves.setdefault(f"{metric}/{domain}", []).append((row_number(row), value))
    return curves
