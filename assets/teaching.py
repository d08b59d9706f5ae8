"""The teaching table: which synthesis engine teaches which family of fakes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.domains import domain_manifest, read_images, scanned_domains
from assets.findings import StoredDetector
from assets.metadata.teaching import teaching_metadata
from assets.outcomes import Outcome, media_result
from assets.synthesis import PREFIX, fewshot_dataset
from deepward.home import teaching_table as table_name
from deepward.media import MEDIA
from deepward.progress import Progress
from deepward.release.champion import challengers
from deepward.steps import Artefact, Step
from deepward.versions import code_version
from resources import ArtifactStore, DomainFolders, Reporting
from resources.compute import GPU_POOL

if TYPE_CHECKING:
    from deepward.domains import ImageSet, Manifest

CODE = code_version("deepward.evaluation.teaching", "deepward.domains.load_images")


class TeachingTableConfig(dg.Config):
    """How much is looked at; see `deepward.evaluation.teaching.TeachingConfig`."""

    shown: int = 120
    taught: int = 200
    asked: int = 240
    resamples: int = 1000
    seed: int = 0
    refresh: bool = False


@dg.asset(
    deps=[fewshot_dataset, domain_manifest, "baseline_detector", "continual_checkpoints"],
    pool=GPU_POOL,
    group_name="evaluation",
    kinds={"json"},
    code_version=CODE,
    description="Does an engine of synthesis teach? The detector's closed form that knows all "
    "domains but those of one family is set against one that was shown the engine's fakes too, on "
    "the fakes and reals of that family: AUC of both and their paired difference, with intervals. "
    "What was synthesized alone is released only where its engines teach its family.",
)
def teaching_table(
    context: dg.AssetExecutionContext,
    config: TeachingTableConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.release.evidence import read_lessons

    scanned = scanned_domains(context.instance, store, domains, None)
    made: dict[str, Outcome] = {}
    for medium in MEDIA:
        manifests = [each for each in scanned if each.medium == medium]
        if manifests or medium == MEDIA[0]:
            found = challengers(store.folder, medium)
            stored = StoredDetector(store, found[0].name) if found else None
            with reporting.show(context.log.info) as progress:
                kept = make_table(store, stored, manifests, config, progress)
            shown = teaching_metadata(read_lessons(store.folder, medium))
            made[medium] = Outcome(kept, shown)
    return media_result(made)


def make_table(
    store: ArtifactStore,
    stored: StoredDetector | None,
    manifests: "Sequence[Manifest]",
    config: TeachingTableConfig,
    progress: Progress,
) -> Artefact:
    """The table as the domains and few-shot sets are now, unless it is there.

    Args:
        store: where it is kept.
        stored: whose closed form is taught; None: the usual one.
        manifests: of all domains of a medium, few-shot sets among them.
        config: how much is looked at.
        progress: told of every family.
    """
    own = [each for each in manifests if not each.domain.startswith(PREFIX)]
    sets = [each for each in manifests if each.domain.startswith(PREFIX)]
    bases = sorted({base for each in sets if (base := _base_of(store, each))})
    medium = manifests[0].medium if manifests else MEDIA[0]
    member = _closed_form(stored.facts["config"]) if stored else None
    settings = {**config.model_dump(exclude={"refresh"}), "bases": bases, "member": member}
    looked_at = manifests if sets else ()
    versions = {f"domain_manifest/{each.domain}": each.content_hash for each in looked_at}

    def measure() -> list[dict[str, Any]]:
        from deepward.detectors.config import find_recipe, member_config
        from deepward.evaluation.teaching import TeachingConfig, measure_lessons

        if not sets or not own:
            return []
        # The query half of a few-shot set was made of test pictures, which may be asked about.
        made = _learned_part(read_images(store, sets, None))
        lessons = measure_lessons(
            member_config(member) if member else find_recipe("default", medium).members[0],
            [read_images(store, [each], None) for each in own],
            made,
            seen={m.domain: read_images(store, [m], "test") for m in own if m.domain in bases},
            config=TeachingConfig(**config.model_dump(exclude={"refresh"})),
            descriptions=store.descriptions(),
            progress=progress,
        )
        return [each.as_dict() for each in lessons]

    step = Step("teaching_table", versions, settings, CODE)
    return store.ensure_json(table_name(medium), step, measure, refresh=config.refresh)


def _base_of(store: ArtifactStore, manifest: "Manifest") -> str:
    """The domain whose pictures a few-shot set was made of; "" where that is not known."""
    card = store.card(f"fewshot/{manifest.domain}")
    return str(card.config["base_domain"]) if card else ""


def _learned_part(data: "ImageSet") -> "ImageSet":
    import numpy as np

    return data.subset(np.flatnonzero(np.array(data.splits) != "test"))


def _closed_form(recipe: Mapping[str, Any]) -> dict[str, Any] | None:
    """Settings of the first closed form of a recipe."""
    closed = (dict(each) for each in recipe["members"] if each["kind"] == "process")
    return next(closed, None)
