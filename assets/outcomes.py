"""How an asset's work on one domain, or on many in one run, becomes Dagster's events."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from deepward.errors import DeepwardError
from deepward.files import canonical_json, sha256_bytes
from deepward.steps import Artefact


@dataclass(frozen=True)
class Outcome:
    """An artefact that is there now, and what Dagster's page of it shows."""

    artefact: Artefact
    metadata: Mapping[str, Any]


def artefact_facts(kept: Artefact) -> dict[str, Any]:
    """Where the artefact lies, and whether anything had to be done for it."""
    return {
        "path": dg.MetadataValue.path(str(kept.path)),
        "made_at": kept.card.made_at,
        "unchanged_and_kept": kept.reused,
        "card": dg.MetadataValue.json(
            {"inputs": kept.card.inputs, "config": kept.card.config, "by": kept.card.libraries}
        ),
    }


def each_domain(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Outcome],
    order: Sequence[str] | None = None,
) -> dict[str, Outcome]:
    """Does the work for every domain of this run; one that fails does not stop the others.

    They come in `order`, where one is given: all of the run's domains, each once.

    Raises:
        dg.Failure: naming the domains that failed, after the others were done.
    """
    made: dict[str, Outcome] = {}
    failed: dict[str, str] = {}
    for domain in context.partition_keys if order is None else order:
        begun = time.monotonic()
        try:
            made[domain] = work(domain)
        except DeepwardError as error:
            failed[domain] = str(error)
            continue
        facts = {**made[domain].metadata, **artefact_facts(made[domain].artefact)}
        facts["seconds"] = round(time.monotonic() - begun, 3)
        context.add_asset_metadata(facts, partition_key=domain)
    if failed:
        told = "\n".join(f"{domain}: {message}" for domain, message in failed.items())
        raise dg.Failure(
            f"{len(failed)} of {len(made) + len(failed)} domains failed.\n{told}",
            metadata={"failed_domains": sorted(failed)},
            allow_retries=False,
        )
    return made


def domains_result(
    made: Mapping[str, Outcome], checks: Sequence[dg.AssetCheckResult] = ()
) -> dg.MaterializeResult:
    """The result of a partitioned asset; its data version is the artefact's content hash.

    Dagster knows one data version per run: with several domains it is the hash of them all.
    """
    hashes = [made[domain].artefact.card.content_hash for domain in sorted(made)]
    version = hashes[0] if len(hashes) == 1 else sha256_bytes(canonical_json(hashes).encode())
    return dg.MaterializeResult(data_version=dg.DataVersion(version), check_results=checks)


def single_result(
    made: Outcome, checks: Sequence[dg.AssetCheckResult] = (), seconds: float | None = None
) -> dg.MaterializeResult:
    """The result of an asset without partitions.

    Args:
        made: the artefact and what is shown of it.
        checks: results of its checks.
        seconds: that the work took, where it is not the writing of the artefact.
    """
    spent = made.artefact.card.made_in if seconds is None else round(seconds, 3)
    return dg.MaterializeResult(
        metadata={
            **made.metadata,
            **artefact_facts(made.artefact),
            "seconds": 0.0 if made.artefact.reused else spent,
        },
        data_version=dg.DataVersion(made.artefact.card.content_hash),
        check_results=checks,
    )
