"""From a brief to a report, attack patterns and prompts in a folder."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.agents.asking import Asker
from deepward.agents.backends.base import Backend
from deepward.agents.budgets import DEFAULT_BUDGETS, Budgets, Spent
from deepward.agents.checkpoint import (
    discard,
    hash_of_request,
    open_checkpoints,
    run_name,
    unfinished_run,
)
from deepward.agents.graph import BriefGraph
from deepward.agents.results import MISSING, TRANSCRIPT, UNFINISHED, write_outputs
from deepward.agents.schemas import AGENTS, FLOW, AgentName, Evidence, Report
from deepward.agents.state import RunState
from deepward.agents.tools.base import Tool
from deepward.agents.tools.choice import open_tools
from deepward.agents.transcript import Transcript
from deepward.errors import AgentError, DeepwardError, UsageError
from deepward.knowledge.retrieval import Searcher
from deepward.progress import Advance, Progress, no_progress
from deepward.techniques.specs import AttackPatterns, Brief, PromptSet

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.sqlite import SqliteSaver

__all__ = ["BriefResult", "run_brief"]


@dataclass(frozen=True)
class BriefResult:
    """A finished run.

    Attributes:
        out: folder with the files that `results` lists.
        report: as refined; every claim cites evidence.
        evidence: all passages that the agents had.
        removed: parts that the checks removed, by agent.
        models: what wrote each agent's accepted work; `extractive` is an algorithm.
        spent: by all parts of the run.
        continued: it took up a run that had been interrupted.
    """

    out: Path
    report: Report
    patterns: AttackPatterns
    prompts: PromptSet
    evidence: tuple[Evidence, ...]
    removed: Mapping[AgentName, int]
    models: Mapping[AgentName, str]
    spent: Spent
    continued: bool


def run_brief(
    brief: Brief,
    searcher: Searcher,
    backends: Mapping[AgentName, Backend],
    out: Path,
    *,
    tools: Mapping[str, Tool] | None = None,
    budgets: Budgets = DEFAULT_BUDGETS,
    progress: Progress = no_progress,
) -> BriefResult:
    """Has the agents do a brief; continues one that was interrupted in the same folder.

    A run that was killed, or whose backend failed, goes on after its last finished call, if brief,
    backends, tools and knowledge base are the same. One that ended, well or by a budget, is over:
    the next run starts anew.

    Args:
        brief: what is wanted.
        searcher: over the knowledge base that is cited.
        backends: one for each agent.
        out: folder for the results; one run at a time.
        tools: that the DataCollector may use, by name; the knowledge base alone when None.
        budgets: what the run may cost, all its parts together.
        progress: told of hand-overs that were accepted.

    Raises:
        AgentError: a budget ended or a backend failed; `out` holds what there is, the transcript,
            and `missing.json`. Or another run is writing there.
        UsageError: an agent has no backend.
    """
    without = [agent for agent in AGENTS if agent not in backends]
    if without:
        raise UsageError(f"No backend was given for {', '.join(without)}; each agent needs one.")
    tools = open_tools(searcher) if tools is None else tools
    with _alone(out):
        asked, index = hash_of_request(brief, backends, tools), searcher.index.content_hash
        found = unfinished_run(out / UNFINISHED, asked, index)
        name = found or run_name(asked, index)
        start = RunState(asked=asked, index=index, brief=brief)
        with open_checkpoints(out / UNFINISHED) as saver:
            config: RunnableConfig = {
                "configurable": {"thread_id": name},
                # The budgets end a run before: each pass of the graph is a call, or the last one.
                "recursion_limit": budgets.steps + 10,
            }
            state = _saved(saver, config) or start
            transcript = Transcript(out / UNFINISHED / TRANSCRIPT, name, state.spent.steps)
            asker = Asker(backends, budgets, transcript, state.spent.seconds)
            graph = BriefGraph(searcher, tools, asker, progress).compile(saver)
            # As JSON, not as the model, so that the checkpoint holds nothing else.
            given: Any = start.model_dump(mode="json") if found is None else None
            failed = ""
            try:
                if found is None or graph.get_state(config).next:
                    graph.invoke(given, config, durability="sync")
            except DeepwardError as error:  # of a backend; the checkpoint stands before its call
                failed = str(error)
            state = _saved(saver, config) or start
        state = state.model_copy(update={"ended": failed or state.ended})
        missing = write_outputs(out, state, budgets)
        if not failed:
            discard(out / UNFINISHED)
        if missing:
            raise AgentError(_explained(state, missing, out, bool(failed)))
    progress(Advance("agents", len(FLOW), len(FLOW), "hand-over"))
    assert state.refined and state.patterns and state.prompts
    return BriefResult(
        out=out,
        report=state.refined,
        patterns=state.patterns,
        prompts=state.prompts,
        evidence=state.evidence or (),
        removed=state.removed,
        models=state.models,
        spent=state.spent,
        continued=found is not None,
    )


def _saved(saver: "SqliteSaver", config: "RunnableConfig") -> RunState | None:
    """The state after the last finished node; None before the first one began."""
    latest = saver.get_tuple(config)
    values = latest.checkpoint["channel_values"] if latest else {}
    known = {name: values[name] for name in RunState.model_fields if name in values}
    return RunState(**known) if "asked" in known else None


def _explained(state: RunState, missing: Sequence[str], out: Path, failed: bool) -> str:
    parts = [f"The agents did not finish the brief. {state.ended}"]
    parts.append(f"Missing: {'; '.join(missing)}.")
    parts.append(f"What there is lies in {out}, with {TRANSCRIPT} and {MISSING}.")
    if failed:
        parts.append("Ask for the same again to go on from there.")
    return " ".join(parts)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Holds the folder; the lock goes with the process, however that ends."""
    from filelock import FileLock, Timeout

    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; name a folder for the results.")
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock", blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise AgentError(
            f"Another run is writing {out}. Wait for it to end, or name another folder."
        ) from None
    try:
        yield
    finally:
        (out / ".lock").unlink()  # while it is held: one who waits for it sees that it is gone
        lock.release()
