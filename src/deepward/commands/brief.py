"""`deepward brief`: seven agents turn words into a cited report, attack patterns and prompts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deepward.commands.console import out as tell
from deepward.commands.console import print_json, say, shown_progress
from deepward.commands.options import JsonFlag
from deepward.errors import UsageError

__all__ = ["brief"]


def brief(
    words: Annotated[str, typer.Argument(metavar='"WORDS"', help="What is wanted, in words.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")],
    technique: Annotated[
        str | None, typer.Option("--technique", metavar="NAME", help="Only this one: face-swap …")
    ] = None,
    prompts: Annotated[
        int, typer.Option("--prompts", min=1, max=200, help="How many edit specs.")
    ] = 15,
    regions: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="NAME", help="Must be covered; may be given repeatedly."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every random choice.")] = 0,
    agents: Annotated[
        str,
        typer.Option(
            "--agents",
            metavar="TABLE",
            help="`embedded` (no language model), `full` (the reference models), or a YAML file.",
        ),
    ] = "embedded",
    as_json: JsonFlag = False,
) -> None:
    """Have the agents write a cited report, attack patterns and prompts.

    They read the knowledge base (`deepward ingest`). The folder then holds report.md for
    people, report.json, attack_patterns.json and prompts.json for programs, and transcript.jsonl
    with every call. An interrupted run is continued by the same command.
    """
    from pydantic import ValidationError

    from deepward.agents.backends.table import named_table, open_backends, unused_server
    from deepward.agents.brief import run_brief
    from deepward.agents.parsing import faults
    from deepward.agents.tools import ToolSettings, open_tools
    from deepward.knowledge.base import open_searcher
    from deepward.knowledge.settings import KnowledgeSettings, knowledge_files
    from deepward.techniques.specs import Brief

    try:
        wanted = Brief(
            words=words,
            technique=technique,
            prompts=prompts,
            regions=tuple(regions or ()),
            seed=seed,
        )
    except ValidationError as error:
        raise UsageError(f"The brief cannot be used: {' '.join(faults(error))}") from None
    table, tools = named_table(agents), ToolSettings.from_environment()
    if (unused := unused_server(table)) is not None:
        say(unused)
    files, settings = knowledge_files(), KnowledgeSettings.from_environment()
    with open_searcher(files, settings) as searcher, shown_progress() as progress:
        done = run_brief(
            wanted,
            searcher,
            open_backends(table, searcher.index.encoder),
            out,
            tools=open_tools(searcher, tools),
            budgets=table.budgets,
            progress=progress,
        )
    facts: dict[str, Any] = {
        "out": str(done.out.absolute()),
        "patterns": len(done.patterns.patterns),
        "prompts": len(done.prompts.prompts),
        "evidence": len(done.evidence),
        "claims": sum(len(section.claims) for section in done.report.sections),
        "removed": sum(done.removed.values()),
        "models": sorted(set(done.models.values())),
        "calls": done.spent.steps,
        "tokens": done.spent.tokens,
        "continued": done.continued,
    }
    if as_json:
        print_json(facts)
        return
    tell(
        f"{facts['claims']} cited claims, {facts['patterns']} attack patterns and "
        f"{facts['prompts']} prompts from {facts['evidence']} passages at {facts['out']}"
    )
    say(f"Read {done.out / 'report.md'} first.")
