"""What a run knows after each node: typed for the nodes, plain JSON in the checkpoint."""

from pydantic import BaseModel, ConfigDict

from deepward.agents.budgets import Spent
from deepward.agents.schemas import FLOW, AgentName, Evidence, Report, SubQueries
from deepward.techniques.specs import AttackPatterns, Brief, PromptSet

__all__ = ["END", "RunState"]

END = "end"


class RunState(BaseModel):
    """The whole of a run. Nodes hand back changed fields as JSON; LangGraph keeps them so.

    Attributes:
        asked: hash of the brief, the backends and the tools.
        index: content hash of the knowledge base, after the last node that may have added to it.
        turn: who is asked next, or `end`.
        under_review: whose work the manager looks at.
        queries, evidence, report, refined, patterns, prompts: work that passed the validators, or
            what of it could be used; accepted only when its agent is in `accepted`.
        accepted: agents whose work the manager let pass.
        attempts: answers that each agent gave for its hand-over; the manager's for this review.
        feedback: what each agent has to do better.
        problems: what the validators removed from the work under review.
        removed: how many parts they removed, by agent.
        models: what wrote each agent's last answer.
        ended: why the run ended before its end, or "".
    """

    model_config = ConfigDict(extra="forbid")

    asked: str
    index: str
    brief: Brief
    turn: str = FLOW[0]
    under_review: AgentName | None = None
    queries: SubQueries | None = None
    evidence: tuple[Evidence, ...] | None = None
    report: Report | None = None
    refined: Report | None = None
    patterns: AttackPatterns | None = None
    prompts: PromptSet | None = None
    accepted: tuple[AgentName, ...] = ()
    attempts: dict[AgentName, int] = {}
    feedback: dict[AgentName, tuple[str, ...]] = {}
    problems: tuple[str, ...] = ()
    removed: dict[AgentName, int] = {}
    models: dict[AgentName, str] = {}
    spent: Spent = Spent()
    ended: str = ""
