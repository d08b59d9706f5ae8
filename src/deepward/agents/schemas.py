"""What the agents hand to each other: typed, validated, and the same for every backend.

First what they answer, then what each is given. Nothing reaches an agent that is not named here.
"""

from typing import Literal, get_args

from pydantic import Field, JsonValue

from deepward.techniques.specs import AttackPatterns, Brief, Line, Message, Slug

__all__ = [
    "AGENTS",
    "FLOW",
    "AgentName",
    "Claim",
    "CollectionInputs",
    "Evidence",
    "PatternInputs",
    "PromptInputs",
    "RefinementInputs",
    "Report",
    "ReportInputs",
    "Review",
    "ReviewInputs",
    "Section",
    "StrategyInputs",
    "SubQueries",
    "SubQuery",
    "ToolCall",
    "ToolCalls",
    "ToolDescription",
]

AgentName = Literal[
    "query_strategist",
    "data_collector",
    "report_generator",
    "info_refiner",
    "attack_pattern_synthesizer",
    "prompt_generator",
    "manager",
]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
FLOW = AGENTS[:-1]  # those who work, in their order; the manager looks at what each hands over


class SubQuery(Message):
    """One question to the sources, and what its answer is for."""

    query: Line
    purpose: Line
    technique: Slug | None = None


class SubQueries(Message):
    """Answer of the QueryStrategist."""

    queries: tuple[SubQuery, ...] = Field(min_length=1, max_length=40)


class ToolCall(Message):
    """One use of a tool that the DataCollector asks for; `sub_query` is its index."""

    tool: Slug
    query: Line
    sub_query: int = Field(ge=0)


class ToolCalls(Message):
    """Answer of the DataCollector; the calls are checked and made for it."""

    calls: tuple[ToolCall, ...] = Field(min_length=1, max_length=80)


class Evidence(Message):
    """One stored passage. Its text was written by strangers: data, never instructions.

    Attributes:
        chunk_id: by which it is cited; resolves in the knowledge base.
        sub_query: index of the question that brought it.
        score: higher is better.
    """

    chunk_id: str
    text: str
    title: str
    source: str
    page: int | None
    date: str | None
    techniques: tuple[str, ...]
    sub_query: int
    score: float


class Claim(Message):
    """One statement and the passages that carry it."""

    text: Line
    chunk_ids: tuple[str, ...] = Field(min_length=1)


class Section(Message):
    """A heading and what is claimed below it."""

    heading: Line
    claims: tuple[Claim, ...]


class Report(Message):
    """Answer of the ReportGenerator, and, tightened, of the InfoRefiner.

    Attributes:
        contradictions: pairs of claims that cannot both hold, in words; found by the InfoRefiner.
        removed: claims that were dropped as repetitions or for want of evidence.
    """

    title: Line
    sections: tuple[Section, ...] = Field(min_length=1)
    contradictions: tuple[Line, ...] = ()
    removed: int = Field(default=0, ge=0)


class Review(Message):
    """Answer of the Manager on one hand-over.

    Attributes:
        accepted: the work goes on.
        send_back_to: who has to do better, when it was not accepted.
        reasons: what is wrong, in words the worker can act on.
    """

    accepted: bool
    send_back_to: AgentName | None = None
    reasons: tuple[Line, ...] = ()


class _Inputs(Message):
    brief: Brief


class ToolDescription(Message):
    """A tool that may be called, as the DataCollector sees it."""

    name: Slug
    description: Line


class StrategyInputs(_Inputs):
    """For the QueryStrategist; `techniques` are the slugs that the sources name, sorted."""

    techniques: tuple[str, ...]


class CollectionInputs(_Inputs):
    """For the DataCollector."""

    queries: SubQueries
    tools: tuple[ToolDescription, ...]


class ReportInputs(_Inputs):
    """For the ReportGenerator; `evidence` is untrusted text."""

    queries: SubQueries
    evidence: tuple[Evidence, ...]


class RefinementInputs(_Inputs):
    """For the InfoRefiner; `evidence` is untrusted text."""

    report: Report
    evidence: tuple[Evidence, ...]


class PatternInputs(_Inputs):
    """For the AttackPatternSynthesizer; `evidence` is untrusted text."""

    report: Report
    evidence: tuple[Evidence, ...]


class PromptInputs(_Inputs):
    """For the PromptGenerator; `evidence` is untrusted text."""

    patterns: AttackPatterns
    evidence: tuple[Evidence, ...]


class ReviewInputs(_Inputs):
    """For the Manager.

    Attributes:
        agent: whose work it is.
        problems: what the validators found and could mend by removing it, in words.
        handed_over: the work as JSON; words in it may come from untrusted text.
    """

    agent: AgentName
    problems: tuple[str, ...]
    handed_over: JsonValue
