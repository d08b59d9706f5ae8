"""The released detector: a challenger that passed the gate, and what is known of those refused."""

import time
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.contest import degraded, measured, on_all_pictures, synthesized_evidence
from assets.continual import continual_checkpoints
from assets.domains import domain_audit, scanned_domains
from assets.evaluation import EvaluationConfig, domain_metrics
from assets.findings import StoredDetector, read_audit
from assets.learning import baseline_detector
from assets.metadata.release import release_metadata
from assets.outcomes import Outcome, media_result
from assets.synthesis import PREFIX
from deepward.errors import DetectorFileError
from deepward.inbox import Answer, Inbox
from deepward.markdown import bullets
from deepward.media import MEDIA
from deepward.progress import Progress
from deepward.release.champion import Release, Releases, challengers
from deepward.steps import Artefact, Step
from deepward.versions import code_version
from resources import ArtifactStore, Compute, DomainFolders, Reporting, Tracking
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import Manifest
    from deepward.evaluation import DomainMetrics
    from deepward.release import Decision, Evidence

CODE = code_version(
    "deepward.release.judge_challenger",
    "deepward.release.evidence",
    "deepward.release.degraded",
    "deepward.release.crossfit",
)
_SPECIMENS = "Put specimens, found in the wild, into the inbox."
_ASKING = (
    "Specimens are files made with the technique, found in the wild, and real ones of the same "
    "kind. Put them in with\n\n    deepward inbox add NOTE --specimens DIR --reals DIR"
)

RELEASE_CHECKS = [
    dg.AssetCheckSpec(
        "passes_the_gate",
        asset="released_detector",
        description="Warns when the challenger was refused: the champion stays, and the reasons "
        "say what would settle it.",
    ),
]


class ReleaseConfig(dg.Config):
    """Which detector wants to be champion, and what is allowed.

    Attributes:
        detector: name of the challenger; empty: of each medium the newest stage, else what
            meta-training made, else the baseline.
        subject: technique or domain that it answers; empty: that of the newest note whose
            specimens, or whose synthesized fakes, it learned and the champion did not.
        since: when the news came that it answers, seconds since the epoch; 0: as the note says.
        unproven: domain to reason, where what was learned rests on evidence that is not enough;
            few-shot sets of a technique without specimens are such by themselves, unless the
            teaching table says that their engines teach the technique's family.
        margin: of AUC that a known domain may lose at most, by the interval's lower end.
        false_alarms: share of a domain's reals that may be called fake.
        robustness_margin: of AUC that may be lost under a degradation; of mean recall twice that.
        force: why it is released whatever the gate says; empty: keep to the gate.
    """

    detector: str = ""
    subject: str = ""
    since: float = 0.0
    unproven: dict[str, str] = Field(default_factory=dict)
    margin: float = 0.05
    false_alarms: float = 0.08
    robustness_margin: float = 0.1
    resamples: int = 1000
    seed: int = 0
    force: str = ""


@dg.asset(
    deps=[continual_checkpoints, domain_metrics, domain_audit, baseline_detector],
    pool=GPU_POOL,
    group_name="release",
    kinds={"pytorch", "mlflow"},
    code_version=CODE,
    check_specs=RELEASE_CHECKS,
    description="The champion of each medium: the detector that `deepward score` uses. A "
    "challenger takes its place when it is not worse on any domain that the champion knows, better "
    "on what it learned since, and calls few reals fake everywhere, clean and laundered, on the "
    "same files, and is not worse where pictures are degraded. Synthesized fakes alone are enough "
    "only where their engines are known to teach. Refusals are kept with their reasons.",
)
def released_detector(
    context: dg.AssetExecutionContext,
    config: ReleaseConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    compute: Compute,
    tracking: Tracking,
    reporting: Reporting,
) -> dg.MaterializeResult:
    begun = time.monotonic()
    found = scanned_domains(context.instance, store, domains, None)
    made: dict[str, tuple[Release, Outcome]] = {}
    for challenger in _challengers(store, config.detector, compute):
        medium = challenger.medium
        manifests = [each for each in found if each.medium == medium]
        with reporting.show(context.log.info) as progress:
            release, kept = _decide(config, store, compute, challenger, manifests, progress)
        _register(store, release, compute, tracking)
        releases = Releases(store.folder, medium)
        now = releases.champion()
        version = tracking.champion(now.content_hash, now.reasons, medium) if now else ""
        shown = release_metadata(release, releases.entries(), version) | tracking.link()
        made[medium] = release, Outcome(kept, shown)
    check = dg.AssetCheckResult(
        check_name="passes_the_gate",
        passed=all(release.released for release, _ in made.values()),
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(r for release, _ in made.values() for r in release.reasons)[:2000],
    )
    outcomes = {medium: outcome for medium, (_, outcome) in made.items()}
    return media_result(outcomes, [check], time.monotonic() - begun)


def _decide(
    config: ReleaseConfig,
    store: ArtifactStore,
    compute: Compute,
    challenger: StoredDetector,
    manifests: "list[Manifest]",
    progress: Progress,
) -> tuple[Release, Artefact]:
    """Measures champion and challenger on every domain of their medium; enters the decision."""
    from deepward.release import Evidence

    releases = Releases(store.folder, challenger.medium)
    releases.mend()
    now = releases.champion()
    # Under the name that it was measured by, where it is still there.
    champion = StoredDetector(store, releases.place(now).name, compute) if now else None
    gained = challenger.learned - (champion.learned if champion else frozenset())
    answer = _answered(store, gained)
    subject = config.subject or (answer.slug if answer else "")
    evidence = {
        **synthesized_evidence(store, challenger, gained, manifests, progress),
        **{name: Evidence(False, why, _SPECIMENS) for name, why in config.unproven.items()},
    }
    settings = EvaluationConfig(seed=config.seed, resamples=config.resamples)
    new = measured(store, challenger, manifests, settings, progress)
    old = measured(store, champion, manifests, settings, progress) if champion else []
    inputs = {f"domain_metrics/{each.domain}": kept.card.content_hash for kept, each in new}
    inputs |= {f"champion/{each.domain}": kept.card.content_hash for kept, each in old}
    inputs["challenger"] = challenger.facts["content_hash"]
    settled = {**config.model_dump(exclude={"since"}), "subject": subject}
    settled["unproven"] = {domain: vars(each) for domain, each in evidence.items()}
    step = Step("released_detector", inputs, settled, CODE)

    def decide() -> dict[str, Any]:
        results = [each for _, each in new], [each for _, each in old]
        decision = _judged(config, store, challenger, champion, manifests, results, evidence)
        made = releases.decide(
            decision,
            store.path(challenger.artefact),
            challenger.facts["content_hash"],
            name=challenger.name,
            subject=subject,
            evidence=step.key,
            since=config.since or (answer.since if answer else None),
            force=config.force,
        )
        if subject and not made.released:
            reasons = bullets(made.reasons)
            title = f"{subject}: what was learned of it is not released"
            Inbox(store.folder).ask(subject, title, f"{reasons}\n\n{_ASKING}")
        return made.as_dict()

    kept = store.ensure_json(store.name(releases.folder / "decision.json"), step, decide)
    return Release.of(store.read_json(kept)), kept


def _judged(
    config: ReleaseConfig,
    store: ArtifactStore,
    challenger: StoredDetector,
    champion: StoredDetector | None,
    manifests: "list[Manifest]",
    results: "tuple[list[DomainMetrics], list[DomainMetrics]]",
    evidence: "dict[str, Evidence]",
) -> "Decision":
    """What the gate says of the results of challenger and champion, and of both side by side."""
    from deepward.release import GateConfig, judge_challenger

    audits = {m.domain: read_audit(store, m) for m in manifests}
    return judge_challenger(
        *results,
        learned=challenger.learned,
        learned_before=champion.learned if champion else (),
        card=challenger.facts["lineage"],
        flagged={d: a["reason"] for d, a in audits.items() if a.get("flagged")},
        evidence=evidence,
        pairs=on_all_pictures(store, challenger, champion, manifests) if champion else None,
        degraded=degraded(store, challenger, champion, manifests, config.seed)
        if champion
        else None,
        config=GateConfig(
            config.margin,
            config.false_alarms,
            robustness_margin=config.robustness_margin,
            resamples=config.resamples,
            seed=config.seed,
        ),
    )


def _answered(store: ArtifactStore, gained: frozenset[str]) -> Answer | None:
    """The newest note whose specimens or synthesized fakes are among the domains."""
    found = [
        answer
        for answer in Inbox(store.folder).answers()
        if answer.domain in gained or f"{PREFIX}{answer.slug}" in gained
    ]
    return max(found, key=lambda answer: answer.since, default=None)


def _register(store: ArtifactStore, made: Release, compute: Compute, tracking: Tracking) -> None:
    """Makes a released stage a version of the registered model, where it is not one yet."""
    if not made.released or not store.path(f"detectors/{made.detector}").is_dir():
        return
    stored = StoredDetector(store, made.detector, compute)
    if stored.facts["content_hash"] == made.content_hash:
        config = {"detector": made.detector, "answers": made.subject or None}
        place = store.path(stored.artefact)
        tracking.detector(made.detector, place, config, stored.facts, medium=stored.medium)


def _challengers(store: ArtifactStore, name: str, compute: Compute) -> list[StoredDetector]:
    """The detector of that name; without one, the most advanced of each medium."""
    standing = [challengers(store.folder, medium) for medium in MEDIA]
    names = [name] if name else [places[0].name for places in standing if places]
    if not names:
        raise DetectorFileError(
            "There is no detector that could be released: materialize continual_checkpoints or "
            "baseline_detector first."
        )
    return [StoredDetector(store, each, compute) for each in names]
