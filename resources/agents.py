"""The seven agents: which backend does whose work, and what they may use."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from deepward.knowledge.retrieval import Searcher
    from deepward.progress import Progress
    from deepward.techniques.specs import Brief


class Agents(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Runs briefs.

    Attributes:
        table: `embedded` (algorithms, no language model), `full` (the reference models), or a
            YAML file as `deepward.agents.backends.table` describes, which also says what one brief
            may cost.
    """

    table: str = "embedded"

    def describe(self) -> dict[str, Any]:
        """What does the work, for the card: changes when another model does it."""
        from deepward.agents.backends.table import named_table

        return {name: asdict(model) for name, model in named_table(self.table).agents.items()}

    def unused_server(self) -> str | None:
        """A sentence where the environment names a server that no agent asks."""
        from deepward.agents.backends.table import named_table, unused_server

        return unused_server(named_table(self.table))

    def write(
        self,
        brief: "Brief",
        searcher: "Searcher",
        folder: Path,
        unfinished: Path,
        progress: "Progress",
    ) -> dict[str, Any]:
        """Runs a brief and puts its results into `folder`; returns a small summary.

        Args:
            brief: what is wanted.
            searcher: over the knowledge base.
            folder: an empty folder for the results.
            unfinished: where the run keeps its checkpoints, so that a killed one goes on.
            progress: told of hand-overs.
        """
        from deepward.agents.backends.table import named_table, open_backends
        from deepward.agents.brief import run_brief
        from deepward.agents.results import OUTPUTS, TRANSCRIPT
        from deepward.agents.tools import ToolSettings, open_tools

        table = named_table(self.table)
        done = run_brief(
            brief,
            searcher,
            open_backends(table, searcher.index.encoder),
            unfinished,
            tools=open_tools(searcher, ToolSettings.from_environment()),
            budgets=table.budgets,
            progress=progress,
        )
        for name in (*OUTPUTS, TRANSCRIPT):
            shutil.copyfile(done.out / name, folder / name)
        shutil.rmtree(unfinished)
        return {"patterns": len(done.patterns.patterns), "prompts": len(done.prompts.prompts)}
