"""How an asset's work on one domain, or on many in one run, becomes Dagster's events."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from deepward.errors import DeepwardError
from deepward.files import canonical_json, sha256_bytes
from deepward.home import of_medium
from deepward.steps import Artefact

_NOTHING = {"unchanged_and_kept": False}  # shown where there is no artefact


@dataclass(frozen=True)
class Outcome:
    """An artefact that is there now, and what Dagster's page of it shows.

    Without an artefact what is shown says why there is none.
    """

    artefact: Artefact | None
    metadata: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Hash of the artefact; without one, of the reasons."""
        if self.artefact is None:
            return sha256_bytes(canonical_json(dict(self.metadata)).encode())
        return self.artefact.card.content_hash


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
        kept = made[domain].artefact
        facts = {**made[domain].metadata, **(artefact_facts(kept) if kept else _NOTHING)}
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
    version = version_of([made[domain].version for domain in sorted(made)])
    return dg.MaterializeResult(data_version=dg.DataVersion(version), check_results=checks)


def version_of(hashes: Sequence[str]) -> str:
    """The one hash, or the hash of several."""
    return hashes[0] if len(hashes) == 1 else sha256_bytes(canonical_json(list(hashes)).encode())


def media_result(
    made: Mapping[str, Outcome],
    checks: Sequence[dg.AssetCheckResult] = (),
    seconds: float | None = None,
) -> dg.MaterializeResult:
    """The result of an asset that has an artefact for each medium.

    What is shown of sounds goes by names of its own; see `deepward.home.of_medium`.
    """
    parts = {m: single_result(each, seconds=seconds) for m, each in made.items() if each.artefact}
    shown = {m: part.metadata or {} for m, part in parts.items()}
    shown |= {m: each.metadata for m, each in made.items() if each.artefact is None}
    whole = {
        "seconds": sum(facts.get("seconds", 0.0) for facts in shown.values()),
        "unchanged_and_kept": all(f.get("unchanged_and_kept") for f in shown.values()),
    }
    named = {of_medium(k, m): v for m, facts in shown.items() for k, v in facts.items()}
    return dg.MaterializeResult(
        metadata={**named, **whole},
        data_version=dg.DataVersion(version_of([made[m].version for m in made])),
        check_results=checks,
    )


def single_result(
    made: Outcome, checks: Sequence[dg.AssetCheckResult] = (), seconds: float | None = None
) -> dg.MaterializeResult:
    """The result of an asset without partitions.

    Args:
        made: an artefact and what is shown of it.
        checks: results of its checks.
        seconds: that the work took, where it is not the writing of the artefact.
    """
    assert made.artefact is not None
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
