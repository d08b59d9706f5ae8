"""What each agent is given: the brief, and what those before it handed over."""

from pydantic import BaseModel, ConfigDict, JsonValue

from deepward.agents.schemas import AgentName, Evidence, Report, SubQueries
from deepward.techniques.specs import AttackPatterns, Brief, Line, Slug

__all__ = [
    "CollectionInputs",
    "PatternInputs",
    "PromptInputs",
    "RefinementInputs",
    "ReportInputs",
    "ReviewInputs",
    "StrategyInputs",
    "ToolDescription",
]


class _Inputs(BaseModel):
    """Frozen, and closed: nothing reaches an agent that is not named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    brief: Brief


class ToolDescription(BaseModel):
    """A tool that may be called, as the DataCollector sees it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
