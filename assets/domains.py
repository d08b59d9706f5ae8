"""Domains: what lies in each folder, and whether more than the pictures tell the label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.checks import AUDIT_CHECKS, audit_checks
from assets.metadata.domains import audit_metadata, manifest_metadata
from assets.outcomes import Outcome, domains_result, each_domain
from assets.partitions import domain_partitions, every_domain_at_once
from deepward.errors import DomainError
from deepward.home import linked_folders
from deepward.steps import Step
from deepward.versions import code_version
from resources import ArtifactStore, DomainFolders, Reporting

if TYPE_CHECKING:
    from deepward.domains import Audit, ImageSet, Manifest, PixelCache

GROUP = "domains"
CODE = code_version("deepward.domains.scan_domain", "deepward.domains.Manifest")
AUDITING = code_version("deepward.domains.audit_domain")


class AuditConfig(dg.Config):
    """Settings of the audit; `refresh` does it again even where nothing changed."""

    seed: int = 0
    refresh: bool = False


def read_manifest(store: ArtifactStore, domains: DomainFolders, domain: str) -> "Manifest":
    """The manifest that `domain_manifest` wrote for a domain.

    Raises:
        DomainError: there is none yet.
    """
    from deepward.domains import Manifest

    folder = domains.path(domain)
    path = store.domain_files(folder).manifest
    if not path.exists():
        raise DomainError(
            f"The domain {domain} was not scanned yet: materialize domain_manifest for it first."
        )
    return Manifest.read(path, folder)


def scanned_domains(
    instance: dg.DagsterInstance,
    store: ArtifactStore,
    domains: DomainFolders,
    medium: str | None = "image",
) -> "list[Manifest]":
    """Manifests of the registered domains that are here and were scanned, by name.

    Those of one medium, or of all where it is None.
    """
    names = domains.present(instance.get_dynamic_partitions(str(domain_partitions.name)))
    found = [
        read_manifest(store, domains, name)
        for name in sorted(names)
        if store.domain_files(domains.path(name)).manifest.exists()
    ]
    return [manifest for manifest in found if medium in (None, manifest.medium)]


def open_pixels(store: ArtifactStore, manifest: "Manifest") -> "PixelCache":
    """The decoded pictures of a domain; decoded now where `domain_manifest` has not done it."""
    from deepward.domains import PixelCache, build_cache

    folder = store.domain_files(manifest.root).pixels
    try:
        cache = PixelCache.open(folder)
    except DomainError:
        return build_cache(manifest, folder)
    wanted = set(manifest.usable()["content_hash"])
    return cache if wanted <= set(cache) else build_cache(manifest, folder)


def read_images(
    store: ArtifactStore, manifests: "Sequence[Manifest]", split: str | None
) -> "ImageSet":
    """The usable pictures of one split, decoded; all of them where `split` is None."""
    from deepward.domains import load_images

    return load_images(manifests, [open_pixels(store, each) for each in manifests], split)


def audit_facts(manifest: "Manifest", audit: "Audit") -> dict[str, Any]:
    """What is written of an audit: also what the checks and the report need of the manifest."""
    return {
        "domain": manifest.domain,
        "files": len(manifest.table),
        "counts": manifest.counts(),
        **audit.as_dict(),
    }


@dg.asset(
    partitions_def=domain_partitions,
    backfill_policy=every_domain_at_once,
    group_name=GROUP,
    kinds={"parquet"},
    code_version=CODE,
    description="One row per file of a domain: content and perceptual hash, label, technique, "
    "split, size, format, JPEG quality, group of near-duplicates, and why it was set aside if it "
    "was. Files that did not change are not decoded again. Decoded pictures are kept beside it.",
)
def domain_manifest(
    context: dg.AssetExecutionContext,
    store: ArtifactStore,
    domains: DomainFolders,
    reporting: Reporting,
) -> dg.MaterializeResult:
    from deepward.domains import build_cache, scan_domain

    def scan(domain: str) -> Outcome:
        files = store.domain_files(domains.path(domain))
        files.state.parent.mkdir(parents=True, exist_ok=True)
        with reporting.show(context.log.info) as progress:
            manifest = scan_domain(
                domains.path(domain),
                allowed=[domains.folder, *linked_folders()],
                state=files.state,
                progress=progress,
            )
            pixels = build_cache(manifest, files.pixels, progress=progress)
        kept = store.ensure(
            store.name(files.manifest),
            Step("domain_manifest", {"files": manifest.content_hash}, {}, CODE),
            lambda path: manifest.write(path) or {"files": len(manifest.table)},
        )
        return Outcome(kept, manifest_metadata(manifest, pixels))

    return domains_result(each_domain(context, scan))


@dg.asset(
    partitions_def=domain_partitions,
    backfill_policy=every_domain_at_once,
    deps=[domain_manifest],
    group_name=GROUP,
    kinds={"json", "scikitlearn"},
    code_version=AUDITING,
    check_specs=AUDIT_CHECKS,
    description="Shortcut audit of a domain: a classifier that sees only size, format, "
    "quantization tables, bits per pixel and metadata, never a picture. An AUC above 0.55 means "
    "that a detector can look good here without having learned anything about fakes.",
)
def domain_audit(
    context: dg.AssetExecutionContext,
    config: AuditConfig,
    store: ArtifactStore,
    domains: DomainFolders,
) -> dg.MaterializeResult:
    from deepward.domains import audit_domain

    def audit(domain: str) -> Outcome:
        manifest = read_manifest(store, domains, domain)
        kept = store.ensure_json(
            store.domain_artefact("audits", manifest.root, ".json"),
            Step(
                "domain_audit",
                {"domain_manifest": manifest.content_hash},
                {"seed": config.seed},
                AUDITING,
            ),
            lambda: audit_facts(manifest, audit_domain(manifest, seed=config.seed)),
            refresh=config.refresh,
        )
        return Outcome(kept, audit_metadata(store.read_json(kept)))

    made = each_domain(context, audit)
    facts = {name: store.read_json(each.artefact) for name, each in made.items() if each.artefact}
    return domains_result(made, audit_checks(facts))
