"""The roster: one record per agent says all that is particular to it.

Who it is and what it is told, what it is given, the type of its answer and how that is checked,
which model does it in the reference and which algorithm where there is no model. A new agent is one
record here, its name in `AgentName`, and a field of `RunState` for its work.
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from deepward.agents.agent import ANSWER_TOKENS, Agent, Desk, there
from deepward.agents.checks import (
    check_calls,
    check_patterns,
    check_prompts,
    check_queries,
    check_report,
    check_review,
)
from deepward.agents.extractive.patterns import synthesize
from deepward.agents.extractive.prompts import compose_prompts
from deepward.agents.extractive.refiner import refine
from deepward.agents.extractive.reporter import write_report
from deepward.agents.extractive.review import review
from deepward.agents.extractive.strategist import plan_calls, plan_queries
from deepward.agents.schemas import (
    AgentName,
    CollectionInputs,
    Evidence,
    PatternInputs,
    PromptInputs,
    RefinementInputs,
    Report,
    ReportInputs,
    Review,
    ReviewInputs,
    StrategyInputs,
    SubQueries,
    ToolCalls,
    ToolDescription,
)
from deepward.agents.state import RunState
from deepward.techniques.specs import AttackPatterns, PromptSet
from deepward.techniques.taxonomy import load_taxonomy

__all__ = ["ROSTER"]

_SHOWN = 160  # characters of a passage that tell the manager what it is about
_PROMPT_TOKENS = 220  # of one edit spec as JSON, when many are wanted
_LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
_ZEPHYR = "HuggingFaceH4/zephyr-7b-beta"


def _for_strategy(state: RunState, desk: Desk) -> StrategyInputs:
    # Of the slugs that documents name only known ones: a stranger's slug is a stranger's text.
    known = load_taxonomy()
    named = (slug for slug in desk.index.passages.techniques() if known.knows(slug))
    return StrategyInputs(brief=state.brief, techniques=tuple(named))


def _for_collection(state: RunState, desk: Desk) -> CollectionInputs:
    tools = tuple(
        ToolDescription(name=name, description=tool.description)
        for name, tool in sorted(desk.tools.items())
    )
    return CollectionInputs(brief=state.brief, queries=there(state.queries), tools=tools)


def _for_review(state: RunState, desk: Desk) -> ReviewInputs:
    agent = ROSTER[_under_review(state)]
    work = agent.work(state)
    return ReviewInputs(
        brief=state.brief,
        agent=agent.name,
        problems=state.problems,
        handed_over=None if work is None else agent.shown(work),
    )


def _under_review(state: RunState) -> AgentName:
    assert state.under_review is not None
    return state.under_review


def _beginnings(evidence: Sequence[Evidence]) -> JsonValue:
    """Of passages the beginning, for there may be many."""
    return [
        {
            "chunk_id": e.chunk_id,
            "title": e.title,
            "begins": e.text[:_SHOWN],
            "sub_query": e.sub_query,
        }
        for e in evidence
    ]


_AGENTS = (
    Agent(
        name="query_strategist",
        role=(
            "You are the QueryStrategist. You turn a brief about manipulated media into questions "
            "to a library of papers, articles and tool pages."
        ),
        task=(
            "Write 4 to 12 sub-queries that together answer the brief, each different, each with "
            "its purpose, and with the technique it is about where it is about one of "
            "`techniques`. Where the brief names a technique, all are about it."
        ),
        model=_LLAMA,
        answer=SubQueries,
        field="queries",
        called="the sub-queries",
        given=_for_strategy,
        checked=lambda work, state, desk: check_queries(work),
        algorithm=lambda given, told, taxonomy, vectors: plan_queries(given, told, taxonomy),
    ),
    Agent(
        name="data_collector",
        role=(
            "You are the DataCollector. You decide which tool is asked which question. You call "
            "only tools that are listed under `tools`, and you never put an address into a query."
        ),
        task=(
            "For each sub-query choose at least one tool and the words to ask it with. "
            "`sub_query` is the position of the sub-query in the list, from 0."
        ),
        model=_LLAMA,
        answer=ToolCalls,
        field="evidence",
        called="the evidence",
        given=_for_collection,
        checked=lambda work, state, desk: check_calls(work, there(state.queries), desk.tools),
        algorithm=lambda given, told, taxonomy, vectors: plan_calls(given),
        shown=_beginnings,
    ),
    Agent(
        name="report_generator",
        role=(
            "You are the ReportGenerator. You write what the passages say about how fakes are "
            "made and what traces they leave, claim by claim, each with its passages."
        ),
        task=(
            "Write a report on the brief from the passages: sections with claims, each claim one "
            "or two sentences with the `chunk_ids` that carry it. Cover how the techniques work, "
            "which regions they change, from what into what, and which traces they leave."
        ),
        model=_ZEPHYR,
        answer=Report,
        field="report",
        called="the report",
        given=lambda state, desk: ReportInputs(
            brief=state.brief, queries=there(state.queries), evidence=state.evidence or ()
        ),
        checked=lambda work, state, desk: check_report(work, desk.citable(state)),
        algorithm=write_report,
    ),
    Agent(
        name="info_refiner",
        role=(
            "You are the InfoRefiner. You tighten a report: repetitions become one claim with the "
            "citations of all, claims without evidence go, contradictions are named."
        ),
        task=(
            "Return the report tightened: no two claims that say the same, every claim with its "
            "`chunk_ids`, contradictions between claims in `contradictions`, and in `removed` how "
            "many claims you dropped."
        ),
        model=_ZEPHYR,
        answer=Report,
        field="refined",
        called="the refined report",
        given=lambda state, desk: RefinementInputs(
            brief=state.brief, report=there(state.report), evidence=state.evidence or ()
        ),
        checked=lambda work, state, desk: check_report(work, desk.citable(state)),
        algorithm=lambda given, told, taxonomy, vectors: refine(given, taxonomy, vectors),
    ),
    Agent(
        name="attack_pattern_synthesizer",
        role=(
            "You are the AttackPatternSynthesizer. You turn a cited report into attack patterns: "
            "what a technique changes, from which state into which, and the artefacts to expect."
        ),
        task=(
            "Write the attack patterns that the report supports, at least five where it can, "
            "covering the brief's `regions` where it names some. `existing` is what a passage "
            "describes, `predicted` a new combination of such; both cite passages."
        ),
        model="nvidia/Mistral-NeMo-Minitron-8B-Instruct",
        answer=AttackPatterns,
        field="patterns",
        called="the attack patterns",
        given=lambda state, desk: PatternInputs(
            brief=state.brief, report=there(state.refined), evidence=state.evidence or ()
        ),
        checked=lambda work, state, desk: check_patterns(work, state.brief, desk.citable(state)),
        algorithm=lambda given, told, taxonomy, vectors: synthesize(given, told, taxonomy),
    ),
    Agent(
        name="prompt_generator",
        role=(
            "You are the PromptGenerator. You turn attack patterns into edit specs that an image "
            "editor carries out on a picture."
        ),
        task=(
            "Write exactly as many edit specs as the brief's `prompts`, no two alike in region "
            "or change. Each names in `pattern` the id of the attack pattern it carries out, has "
            "its technique and its region, and cites at least one of its passages. "
            "`positive_prompt` says what the region shows after the edit, in words of the "
            "pattern's `target_state`, and how that looks. Nobody knows yet which picture will be "
            "edited: say nothing of the person, the place, the light or the camera. "
            "`negative_prompt` says what must not be seen."
        ),
        model="Qwen/Qwen2-7B-Instruct",
        answer=PromptSet,
        field="prompts",
        called="the prompts",
        given=lambda state, desk: PromptInputs(
            brief=state.brief, patterns=there(state.patterns), evidence=state.evidence or ()
        ),
        checked=lambda work, state, desk: check_prompts(
            work, state.brief, there(state.patterns), desk.citable(state), desk.index.encoder
        ),
        algorithm=compose_prompts,
        tokens=lambda brief: max(ANSWER_TOKENS, _PROMPT_TOKENS * brief.prompts),
    ),
    Agent(
        name="manager",
        role=(
            "You are the Manager. You read what one agent hands over and accept it, or send it "
            "back to the agent that can mend it, with reasons it can act on."
        ),
        task=(
            "Judge the work in `handed_over` of the agent named in `agent`. `problems` is what "
            "the checks found. Accept it when it serves the brief; otherwise name in "
            "`send_back_to` who has to do better, and in `reasons` what."
        ),
        model=_LLAMA,
        answer=Review,
        field="",
        called="",
        given=_for_review,
        checked=lambda work, state, desk: check_review(work, _under_review(state)),
        algorithm=lambda given, told, taxonomy, vectors: review(given),
    ),
)
ROSTER: Mapping[AgentName, Agent] = {agent.name: agent for agent in _AGENTS}
