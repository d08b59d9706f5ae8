"""What each agent is given, the type of its answer, and how its answer is checked."""

from collections.abc import Collection, Mapping
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from deepward.agents.inputs import (
    CollectionInputs,
    PatternInputs,
    PromptInputs,
    RefinementInputs,
    ReportInputs,
    StrategyInputs,
    ToolDescription,
)
from deepward.agents.parsing import Checked, parse
from deepward.agents.schemas import AgentName, Evidence, Report, Review, SubQueries, ToolCalls
from deepward.agents.state import FIELDS, RunState
from deepward.agents.tools.base import Tool
from deepward.agents.validation import (
    check_calls,
    check_patterns,
    check_prompts,
    check_queries,
    check_report,
)
from deepward.knowledge.index import HybridIndex
from deepward.techniques.specs import AttackPatterns, PromptSet
from deepward.techniques.taxonomy import load_taxonomy

__all__ = ["ANSWERS", "check_work", "given_to", "shown_to_manager"]

Work = TypeVar("Work", bound=BaseModel)
_SHOWN = 160  # characters of a passage that tell the manager what it is about

ANSWERS: dict[AgentName, type[BaseModel]] = {
    "query_strategist": SubQueries,
    "data_collector": ToolCalls,
    "report_generator": Report,
    "info_refiner": Report,
    "attack_pattern_synthesizer": AttackPatterns,
    "prompt_generator": PromptSet,
    "manager": Review,
}


def given_to(
    agent: AgentName, state: RunState, index: HybridIndex, tools: Mapping[str, Tool]
) -> BaseModel:
    """The inputs of a worker, out of what those before it handed over."""
    brief, evidence = state.brief, state.evidence or ()
    if agent == "query_strategist":
        # Of the slugs that documents name only known ones: a stranger's slug is a stranger's text.
        known = load_taxonomy()
        named = (slug for slug in index.passages.techniques() if known.knows(slug))
        return StrategyInputs(brief=brief, techniques=tuple(named))
    if agent == "data_collector":
        described = tuple(
            ToolDescription(name=name, description=tools[name].description)
            for name in sorted(tools)
        )
        return CollectionInputs(brief=brief, queries=_there(state.queries), tools=described)
    if agent == "report_generator":
        return ReportInputs(brief=brief, queries=_there(state.queries), evidence=evidence)
    if agent == "info_refiner":
        return RefinementInputs(brief=brief, report=_there(state.report), evidence=evidence)
    if agent == "attack_pattern_synthesizer":
        return PatternInputs(brief=brief, report=_there(state.refined), evidence=evidence)
    return PromptInputs(brief=brief, patterns=_there(state.patterns), evidence=evidence)


def shown_to_manager(agent: AgentName, state: RunState) -> JsonValue:
    """A hand-over as the manager reads it: of passages the beginning, for there may be many."""
    if agent == "data_collector":
        return [
            {
                "chunk_id": e.chunk_id,
                "title": e.title,
                "begins": e.text[:_SHOWN],
                "sub_query": e.sub_query,
            }
            for e in state.evidence or ()
        ]
    work: BaseModel | None = getattr(state, FIELDS[agent])
    return None if work is None else work.model_dump(mode="json")


def check_work(
    agent: AgentName, text: str, state: RunState, index: HybridIndex, tools: Collection[str]
) -> Checked[BaseModel]:
    """Reads a worker's answer and checks what it says against what there is."""
    read = parse(text, ANSWERS[agent])
    work = read.work
    if work is None:
        return read
    checked: Checked[BaseModel]
    if isinstance(work, SubQueries):
        checked = check_queries(work)
    elif isinstance(work, ToolCalls):
        checked = check_calls(work, _there(state.queries), tools)
    elif isinstance(work, Report):
        checked = check_report(work, _citable(state.evidence, index))
    elif isinstance(work, AttackPatterns):
        checked = check_patterns(work, state.brief, _citable(state.evidence, index))
    else:
        assert isinstance(work, PromptSet)
        citable, patterns = _citable(state.evidence, index), _there(state.patterns)
        checked = check_prompts(work, state.brief, patterns, citable, index.encoder)
    return Checked(checked.work, read.removed + checked.removed, checked.missing)


def _citable(evidence: tuple[Evidence, ...] | None, index: HybridIndex) -> set[str]:
    """Chunks of this run's evidence that are still stored: another process may write the index."""
    return set(index.passages.passages([e.chunk_id for e in evidence or ()]))


def _there(work: Work | None) -> Work:
    """Work that the order of the agents guarantees."""
    assert work is not None
    return work
