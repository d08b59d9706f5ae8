"""Synthesis: prompts and real pictures become a labelled few-shot set of fakes."""

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.attack_intelligence import brief_folder
from assets.checks import FEWSHOT_CHECKS, fewshot_checks
from assets.metadata.synthesis import fewshot_metadata
from assets.outcomes import Outcome, single_result
from assets.partitions import domain_partitions, technique_partitions
from deepward.errors import DomainError
from deepward.files import sha256_file
from deepward.home import FEWSHOT_PREFIX, linked_folders
from deepward.media import NOUNS
from deepward.progress import Progress
from deepward.steps import Step
from deepward.versions import code_version
from resources import ArtifactStore, DomainFolders, Reporting

if TYPE_CHECKING:
    from deepward.domains import Manifest
    from deepward.synthesis.config import SynthesisConfig

GROUP = "synthesis"
CODE = code_version("deepward.synthesis", "deepward.domains.audit", "deepward.domains.scan")
PREFIX = FEWSHOT_PREFIX


class FewshotConfig(dg.Config):
    """What a few-shot set is made of.

    `base_domain` is the domain whose reals are changed; "" takes the first of the technique's
    medium, by name, that is no few-shot set itself. `register_domain` links the set into the
    folder of domains, so that it is audited and measured like any other. The rest is as in
    `SynthesisConfig`.
    """

    base_domain: str = ""
    fakes: int = 60
    seed: int = 0
    engine: str | None = None
    inverted: bool = False
    longest_side: int = 1024
    grounding_dino: str | None = None
    sam: str | None = None
    sam_model: str = "vit_h"
    inpainting: str | None = None
    diffusion_steps: int = 50
    device: str = "auto"
    batch_size: int = 4
    register_domain: bool = True
    refresh: bool = False


@dg.asset(
    partitions_def=technique_partitions,
    deps=["prompt_set", "domain_manifest"],
    group_name=GROUP,
    kinds={"opencv", "pytorch"},
    pool="gpu",
    code_version=CODE,
    check_specs=FEWSHOT_CHECKS,
    description="Labelled fakes of one technique and their untouched originals: the regions that "
    "the prompts name are located, segmented and changed; outside the mask the originals stay "
    "pixel for pixel, and both leave through the same encoder. Of a voice technique: recordings "
    "and copies of them that a signal model speaks. With masks, provenance, and the reasons for "
    "what was rejected. It is a domain that every other step takes.",
)
def fewshot_dataset(
    context: dg.AssetExecutionContext,
    config: FewshotConfig,
    store: ArtifactStore,
    domains: DomainFolders,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.synthesis.prompts import medium_of_specs, read_prompts

    technique = context.partition_key
    prompts = store.path(brief_folder(technique)) / "prompts.json"
    if not prompts.is_file():
        raise dg.Failure(
            f"There are no prompts for {technique}: materialize prompt_set for it first."
        )
    medium = medium_of_specs(read_prompts(prompts).specs)
    base = base_domain(context.instance, domains, config.base_domain, medium)
    manifest = _scan(store, base)
    settings = _settings(config, manifest.medium)
    with reporting.show(context.log.info) as progress:
        kept = store.ensure(
            f"fewshot/{PREFIX}{technique}",
            Step(
                "fewshot_dataset",
                {"prompt_set": sha256_file(prompts), "domain_manifest": manifest.content_hash},
                {"base_domain": base.name, **vars(settings)},
                CODE,
            ),
            lambda folder: _make(
                prompts,
                manifest,
                store.path(f"unfinished/fewshot/{technique}"),
                folder,
                settings,
                progress,
            ),
            folder=True,
            refresh=config.refresh,
        )
    if config.register_domain:
        link = domains.folder / f"{PREFIX}{technique}"
        if not os.path.lexists(link):
            link.symlink_to(kept.path, target_is_directory=True)
    made = Outcome(kept, fewshot_metadata(kept.path, kept.card.summary, base))
    return single_result(made, fewshot_checks(kept.card.summary, _audit(store, kept.path)))


def base_domain(
    instance: dg.DagsterInstance, domains: DomainFolders, name: str, medium: str = "image"
) -> Path:
    """The folder whose reals are changed: the one named, or the first of a medium.

    Raises:
        DomainError: there is none.
    """
    from deepward.domains.layout import medium_at

    if name:
        return domains.path(name)
    registered = domains.present(instance.get_dynamic_partitions(str(domain_partitions.name)))
    for candidate in sorted(registered):
        if not candidate.startswith(PREFIX) and medium_at(domains.path(candidate)) == medium:
            return domains.path(candidate)
    hint = ", or run `make demo`, which draws some" if medium == "image" else ""
    raise DomainError(
        f"There is no domain with real {NOUNS[medium]}s in {domains.folder}. Put one there{hint}."
    )


def _settings(config: FewshotConfig, medium: str) -> "SynthesisConfig":
    from deepward.synthesis.config import SynthesisConfig, check_config, of_bases

    shared = {field.name for field in fields(SynthesisConfig)} & set(type(config).model_fields)
    settings = SynthesisConfig(max=config.fakes, **{n: getattr(config, n) for n in shared})
    check_config(settings)
    return of_bases(settings, medium)


def _make(
    prompts: Path,
    base: "Manifest",
    unfinished: Path,
    folder: Path,
    settings: "SynthesisConfig",
    progress: Progress,
) -> dict[str, Any]:
    """Makes the set where a killed run can go on, then moves it to its place."""
    from deepward.synthesis.dataset import synthesize
    from deepward.synthesis.prompts import read_prompts

    entries = read_prompts(prompts)
    report = synthesize(
        entries.specs, base, unfinished, settings, refused=entries.refused, progress=progress
    )
    for child in unfinished.iterdir():
        os.replace(child, folder / child.name)
    unfinished.rmdir()
    facts = report.as_dict()
    return {name: value for name, value in facts.items() if name not in ("folder", "seconds")}


def _scan(store: ArtifactStore, folder: Path) -> "Manifest":
    from deepward.domains import scan_domain

    state = store.domain_files(folder).state
    state.parent.mkdir(parents=True, exist_ok=True)
    return scan_domain(folder, allowed=[folder.parent, *linked_folders()], state=state)


def _audit(store: ArtifactStore, folder: Path) -> dict[str, Any]:
    from deepward.domains import audit_domain

    return audit_domain(_scan(store, folder)).as_dict()
