"""Attack intelligence: per technique a cited report, attack patterns, and prompts from them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from assets.checks import PROMPT_CHECKS, REPORT_CHECKS, prompt_checks, report_checks
from assets.metadata.attack_intelligence import prompt_metadata, report_metadata
from assets.outcomes import artefact_facts
from assets.partitions import technique_partitions
from deepward.files import printable, sha256_bytes, sha256_file
from deepward.steps import Artefact, Step
from deepward.versions import code_version
from resources import Agents, ArtifactStore, Knowledge, Reporting

if TYPE_CHECKING:
    from deepward.knowledge.index.passages import Passages

GROUP = "attack_intelligence"
CODE = code_version("deepward.agents.brief", "deepward.agents.backends.table")


class BriefConfig(dg.Config):
    """What the agents are asked.

    In the words `{technique}` stands for the partition, `{medium}` for what its fakes are: "image"
    or, where the technique or the note about it says that they are heard, "audio".
    """

    words: str = (
        "Write {prompts} few-shot prompts to create novel {medium} deepfakes by {technique}"
    )
    prompts: int = 15
    regions: list[str] = Field(default_factory=list)
    seed: int = 0
    refresh: bool = False


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            "attack_pattern_report",
            deps=["vector_db"],
            group_name=GROUP,
            kinds={"langgraph", "markdown"},
            code_version=CODE,
            description="What is known of a technique: a report in which every claim cites stored "
            "passages, and attack patterns: what is changed, into what, which traces to expect. "
            "Written by seven agents whose work is reviewed and sent back where it falls short.",
        ),
        dg.AssetSpec(
            "prompt_set",
            deps=["attack_pattern_report"],
            group_name=GROUP,
            kinds={"langgraph", "json"},
            code_version=CODE,
            description="Edit specs that carry out the attack patterns of a technique: region, "
            "operation, positive and negative prompt, strength and seed. Synthesis takes them as "
            "they are.",
        ),
    ],
    check_specs=[*REPORT_CHECKS, *PROMPT_CHECKS],
    partitions_def=technique_partitions,
    name="attack_intelligence",
    pool="gpu",
)
def attack_intelligence(
    context: dg.AssetExecutionContext,
    config: BriefConfig,
    store: ArtifactStore,
    knowledge: Knowledge,
    agents: Agents,
    reporting: Reporting,
) -> Iterator[dg.MaterializeResult]:
    from deepward.inbox import Inbox
    from deepward.knowledge.base import open_searcher
    from deepward.techniques.specs import Brief
    from deepward.techniques.taxonomy import load_taxonomy

    technique = context.partition_key
    medium = load_taxonomy().medium_of(technique, Inbox(store.folder).text_of(technique))
    asked = {"technique": technique, "prompts": config.prompts, "medium": medium}
    brief = Brief(
        words=config.words.format(**asked),
        technique=technique,
        prompts=config.prompts,
        regions=tuple(config.regions),
        seed=config.seed,
    )
    if unused := agents.unused_server():
        context.log.warning(printable(unused))
    with open_searcher(knowledge.files(store), knowledge.settings()) as searcher:
        with reporting.show(context.log.info) as progress:
            kept = store.ensure(
                brief_folder(technique),
                Step(
                    "attack_intelligence",
                    {"vector_db": searcher.index.content_hash},
                    {"brief": brief.model_dump(mode="json"), "agents": agents.describe()},
                    CODE,
                ),
                lambda folder: agents.write(
                    brief, searcher, folder, store.path(f"unfinished/{technique}"), progress
                ),
                folder=True,
                refresh=config.refresh,
            )
        facts = read_brief(kept.path, searcher.index.passages)
    yield _result(
        "attack_pattern_report",
        kept,
        ("report.md", "report.json", "attack_patterns.json"),
        report_metadata(facts),
        report_checks(facts, config.regions),
    )
    yield _result(
        "prompt_set",
        kept,
        ("prompts.json",),
        prompt_metadata(facts),
        prompt_checks(facts, config.prompts),
    )


def brief_folder(technique: str) -> str:
    """Name of the artefact that holds what the agents wrote about a technique."""
    return f"briefs/{technique}"


def read_brief(folder: Path, passages: "Passages") -> dict[str, Any]:
    """What the agents wrote, and what the checks ask of it, from the files that are kept."""
    from deepward.agents.results import REPORT, TRANSCRIPT, read_results

    found = read_results(folder)
    assert found.report and found.patterns and found.prompts  # only finished briefs are kept
    calls = (folder / TRANSCRIPT).read_text(encoding="utf-8").splitlines()
    return {
        "report": (folder / REPORT).read_text(encoding="utf-8"),
        "claims": sum(len(section.claims) for section in found.report.report.sections),
        "patterns": [pattern.model_dump(mode="json") for pattern in found.patterns.patterns],
        "prompts": [spec.model_dump(mode="json") for spec in found.prompts.prompts],
        "calls": [json.loads(line) for line in calls],
        "cited": len(found.cited),
        "unresolved": sorted(set(found.cited) - passages.passages(found.cited).keys()),
    }


def _result(
    asset: str,
    kept: Artefact,
    files: Sequence[str],
    shown: Mapping[str, Any],
    checks: Sequence[dg.AssetCheckResult],
) -> dg.MaterializeResult:
    metadata = {
        **shown,
        **artefact_facts(kept),
        "path": dg.MetadataValue.path(str(kept.path / files[0])),
        "seconds": 0.0 if kept.reused else kept.card.made_in,
    }
    version = dg.DataVersion(
        sha256_bytes("".join(sha256_file(kept.path / name) for name in files).encode())
    )
    return dg.MaterializeResult(
        asset_key=asset, metadata=metadata, data_version=version, check_results=checks
    )
