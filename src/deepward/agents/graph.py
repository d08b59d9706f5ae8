"""The graph: one node per agent, the manager after each hand-over, ways back, an end.

    query_strategist → data_collector → report_generator → info_refiner
      → attack_pattern_synthesizer → prompt_generator → end

A node is one call. A worker whose answer does not hold goes again; one whose answer holds goes to
the manager, who lets the work pass or sends it back to this agent or to one before. Whatever would
break a budget leads to the end. The state is checkpointed after each node.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from deepward.agents.asking import Asked, Asker, BudgetEnded
from deepward.agents.backends import Request
from deepward.agents.collection import collect
from deepward.agents.handover import ANSWERS, check_work, given_to, shown_to_manager
from deepward.agents.inputs import ReviewInputs
from deepward.agents.parsing import parse
from deepward.agents.schemas import AgentName, Evidence, Review, ToolCalls
from deepward.agents.state import END, FIELDS, FLOW, RunState
from deepward.agents.tools.base import Tool
from deepward.agents.transcript import ToolUse
from deepward.agents.validation import check_review
from deepward.knowledge.retrieval import Searcher
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

__all__ = ["BriefGraph"]

_ANSWER_TOKENS = 2048  # of one answer
_PROMPT_TOKENS = 220  # of one edit spec as JSON, when many are wanted
_MOST_REASONS = 12  # that a worker is told at once
Update = dict[str, Any]


class BriefGraph:
    """The agents with all they need for one run."""

    def __init__(
        self,
        searcher: Searcher,
        tools: Mapping[str, Tool],
        asker: Asker,
        progress: Progress = no_progress,
    ) -> None:
        self._index = searcher.index
        self._tools = tools
        self._asker = asker
        self._progress = progress

    def compile(
        self, saver: "BaseCheckpointSaver[str]"
    ) -> "CompiledStateGraph[RunState, None, RunState, RunState]":
        """The graph, checkpointed by `saver`."""
        from langgraph.graph import END as FINISH
        from langgraph.graph import START, StateGraph

        finish: dict[Hashable, str] = {END: FINISH, "manager": "manager"}
        graph = StateGraph(RunState)
        graph.add_edge(START, FLOW[0])
        for agent in FLOW:
            graph.add_node(agent, partial(self._worker, agent), input_schema=RunState)
            graph.add_conditional_edges(agent, _turn, {**finish, agent: agent})
        graph.add_node("manager", self._manager)
        back: dict[Hashable, str] = {agent: agent for agent in FLOW}
        graph.add_conditional_edges("manager", _turn, {**finish, **back})
        return graph.compile(checkpointer=saver)

    def _worker(self, agent: AgentName, state: RunState) -> Update:
        try:
            return self._work(agent, state)
        except BudgetEnded as ended:
            return _end(ended)

    def _work(self, agent: AgentName, state: RunState) -> Update:
        """Asks a worker once; what holds goes into the state and to the manager."""
        attempt = state.attempts.get(agent, 0) + 1
        last = attempt >= self._asker.budgets.attempts
        tokens = _ANSWER_TOKENS
        if agent == "prompt_generator":
            tokens = max(tokens, _PROMPT_TOKENS * state.brief.prompts)
        request = Request(
            agent=agent,
            inputs=given_to(agent, state, self._index, self._tools),
            answer=ANSWERS[agent],
            feedback=state.feedback.get(agent, ()),
            max_tokens=tokens,
            seed=state.brief.seed + attempt - 1,  # asked again, a model that samples says more
        )
        self._say(state, f"{agent.replace('_', ' ')}, attempt {attempt}")
        asked = self._asker.ask(request, attempt, state.spent)
        checked = check_work(agent, asked.text, state, self._index, self._tools)
        work, missing = checked.work, checked.missing
        again = bool(missing) or (bool(checked.removed) and not last)
        uses: tuple[ToolUse, ...] = ()
        handed: Any = None if work is None else work.model_dump(mode="json")
        if isinstance(work, ToolCalls):
            evidence: tuple[Evidence, ...] = ()
            if not again:
                evidence, uses = self._collect(asked, work, state)
                missing = () if evidence else _nothing_found(uses)
                again = bool(missing)
            handed = [e.model_dump(mode="json") for e in evidence] or None

        reasons = (*missing, *checked.removed)
        verdict = "sent back" if again else "mended" if checked.removed else "passed"
        self._asker.record(asked, verdict, reasons, uses)
        update = self._after(state, asked, agent, attempt)
        update |= {FIELDS[agent]: handed, "index": self._index.content_hash}
        if not again:
            return update | {
                "turn": "manager",
                "under_review": agent,
                "problems": list(checked.removed),
                "removed": {**state.removed, agent: len(checked.removed)},
            }
        if last:
            reason = (
                f"{agent} was asked {attempt} times, as often as one hand-over allows, and its "
                f"last answer could not be used: {_first(reasons)}"
            )
            return update | {"turn": END, "ended": reason}
        return update | {"turn": agent, "feedback": _told(state, agent, attempt, reasons)}

    def _collect(
        self, asked: Asked, calls: ToolCalls, state: RunState
    ) -> tuple[tuple[Evidence, ...], tuple[ToolUse, ...]]:
        queries = state.queries
        assert queries is not None
        return self._asker.use_tools(
            asked, lambda: collect(calls, queries, self._tools, self._index)
        )

    def _manager(self, state: RunState) -> Update:
        try:
            return self._review(state)
        except BudgetEnded as ended:
            return _end(ended)

    def _review(self, state: RunState) -> Update:
        """Asks the manager about one hand-over, and follows what it says when it makes sense."""
        agent = state.under_review
        assert agent is not None
        attempt = state.attempts.get("manager", 0) + 1
        inputs = ReviewInputs(
            brief=state.brief,
            agent=agent,
            problems=state.problems,
            handed_over=shown_to_manager(agent, state),
        )
        request = Request(
            agent="manager",
            inputs=inputs,
            answer=Review,
            feedback=state.feedback.get("manager", ()),
            max_tokens=_ANSWER_TOKENS,
            seed=state.brief.seed + attempt - 1,
        )
        self._say(state, f"manager, on the work of {agent.replace('_', ' ')}")
        asked = self._asker.ask(request, attempt, state.spent)
        before = FLOW[: FLOW.index(agent)]
        read = parse(asked.text, Review)
        review, faults = read.work, read.missing
        if review is not None:
            faults = check_review(review, agent, before).missing
        update = self._after(state, asked, "manager", attempt)
        if review is None or faults:
            self._asker.record(asked, "refused", faults)
            if attempt < self._asker.budgets.attempts:
                return update | {"feedback": _told(state, "manager", attempt, faults)}
            reason = (
                f"The manager was asked {attempt} times about the work of {agent}, as often as "
                f"one hand-over allows, and gave no review that can be used: {_first(faults)}"
            )
            return update | {"turn": END, "ended": reason}
        update["attempts"]["manager"] = 0
        update["feedback"] = {a: list(f) for a, f in state.feedback.items() if a != "manager"}
        if review.accepted:
            self._asker.record(asked, "accepted", review.reasons)
            following = (*FLOW, END)[FLOW.index(agent) + 1]
            return update | {"turn": following, "accepted": [*before, agent], "problems": []}
        worker = review.send_back_to or agent
        self._asker.record(asked, f"sent back to {worker}", review.reasons)
        return update | self._sent_back(state, agent, worker, review.reasons, update["attempts"])

    def _sent_back(
        self,
        state: RunState,
        agent: AgentName,
        worker: AgentName,
        reasons: Sequence[str],
        attempts: Mapping[AgentName, int],
    ) -> Update:
        """The work of `worker` is wanted again, and all that was built on it with it."""
        asked = attempts[worker]
        if asked >= self._asker.budgets.attempts:
            reason = (
                f"The manager sent the work of {agent} back to {worker}, who has been asked "
                f"{asked} times, as often as one hand-over allows: {_first(reasons)}"
            )
            return {"turn": END, "ended": reason}
        stale = FLOW[FLOW.index(worker) + 1 : FLOW.index(agent) + 1]
        feedback = _told(state, worker, asked, [f"The manager: {reason}" for reason in reasons])
        return {
            "turn": worker,
            "under_review": None,
            "problems": [],
            "accepted": list(FLOW[: FLOW.index(worker)]),
            "attempts": {a: 0 if a in stale else n for a, n in attempts.items()},
            "feedback": {a: f for a, f in feedback.items() if a not in (*stale, "manager")},
            "removed": {a: n for a, n in state.removed.items() if a not in (*stale, worker)},
            **{FIELDS[a]: None for a in stale},
        }

    def _after(self, state: RunState, asked: Asked, agent: AgentName, attempt: int) -> Update:
        """What every call changes in the state."""
        return {
            "spent": asked.spent.model_dump(mode="json"),
            "attempts": {**state.attempts, agent: attempt},
            "models": {**state.models, agent: asked.call.model},
        }

    def _say(self, state: RunState, note: str) -> None:
        self._progress(Advance("agents", len(state.accepted), len(FLOW), "hand-over", note))


def _turn(state: RunState) -> str:
    return state.turn


def _end(ended: BudgetEnded) -> Update:
    return {"turn": END, "ended": str(ended), "spent": ended.spent.model_dump(mode="json")}


def _told(
    state: RunState, agent: AgentName, attempt: int, reasons: Sequence[str]
) -> dict[AgentName, list[str]]:
    """All agents' feedback, with what is wrong with this attempt added to that of `agent`."""
    told = [f"Attempt {attempt}: {reason}" for reason in reasons[:_MOST_REASONS]]
    if len(reasons) > _MOST_REASONS:
        told.append(f"Attempt {attempt}: and {len(reasons) - _MOST_REASONS} more of that kind.")
    feedback = {a: list(f) for a, f in state.feedback.items()}
    feedback[agent] = [*feedback.get(agent, []), *told]
    return feedback


def _first(reasons: Sequence[str]) -> str:
    """Enough of the reasons to act on; the transcript has all."""
    return " ".join(reason if len(reason) <= 200 else reason[:199] + "…" for reason in reasons[:3])


def _nothing_found(uses: Sequence[ToolUse]) -> tuple[str, ...]:
    failed = [f"{use.tool} on {use.query!r}: {use.error}" for use in uses if use.error]
    return ("The calls brought no evidence; ask in other words or use other tools.", *failed)
