"""The graph: one node per agent, the manager after each hand-over, ways back, an end.

    query_strategist → data_collector → report_generator → info_refiner
      → attack_pattern_synthesizer → prompt_generator → end

A node is one call. A worker whose answer does not hold goes again; one whose answer holds goes to
the manager, who lets the work pass or sends it back to this agent or to one before. Whatever would
break a budget leads to the end. The state is checkpointed after each node.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from deepward.agents.agent import Desk
from deepward.agents.asking import Asked, Asker, BudgetEnded
from deepward.agents.backends.base import Request
from deepward.agents.roster import ROSTER
from deepward.agents.schemas import FLOW, AgentName, Evidence, ToolCalls
from deepward.agents.state import END, RunState
from deepward.agents.tools.base import Tool
from deepward.agents.tools.collection import collect
from deepward.agents.transcript import ToolUse
from deepward.knowledge.retrieval import Searcher
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph.state import CompiledStateGraph

__all__ = ["BriefGraph"]

_MOST_REASONS = 12  # that a worker is told at once
Update = dict[str, Any]
Step = Callable[[RunState], Update]


class BriefGraph:
    """The agents with all they need for one run."""

    def __init__(
        self,
        searcher: Searcher,
        tools: Mapping[str, Tool],
        asker: Asker,
        progress: Progress = no_progress,
    ) -> None:
        self._desk = Desk(searcher.index, tools)
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
            graph.add_node(
                agent, partial(self._node, partial(self._work, agent)), input_schema=RunState
            )
            graph.add_conditional_edges(agent, _turn, {**finish, agent: agent})
        graph.add_node("manager", partial(self._node, self._review), input_schema=RunState)
        back: dict[Hashable, str] = {agent: agent for agent in FLOW}
        graph.add_conditional_edges("manager", _turn, {**finish, **back})
        return graph.compile(checkpointer=saver)

    def _node(self, step: Step, state: RunState) -> Update:
        """One step, or the end of the run where a budget allows none."""
        try:
            return step(state)
        except BudgetEnded as ended:
            spent = ended.spent.model_dump(mode="json")
            return {"turn": END, "ended": str(ended), "spent": spent}

    def _ask(self, agent: AgentName, state: RunState, note: str) -> Asked:
        """Asks an agent once."""
        attempt = state.attempts.get(agent, 0) + 1
        asked = ROSTER[agent]
        request = Request(
            agent=agent,
            inputs=asked.given(state, self._desk),
            answer=asked.answer,
            feedback=state.feedback.get(agent, ()),
            max_tokens=asked.tokens(state.brief),
            seed=state.brief.seed + attempt - 1,  # asked again, a model that samples says more
        )
        self._progress(Advance("agents", len(state.accepted), len(FLOW), "hand-over", note))
        return self._asker.ask(request, attempt, state.spent)

    def _work(self, agent: AgentName, state: RunState) -> Update:
        """Asks a worker once; what holds goes into the state and to the manager."""
        note = f"{agent.replace('_', ' ')}, attempt {state.attempts.get(agent, 0) + 1}"
        asked = self._ask(agent, state, note)
        attempt = asked.call.attempt
        last = attempt >= self._asker.budgets.attempts
        checked = ROSTER[agent].read(asked.text, state, self._desk)
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
        update = _after(state, asked)
        update |= {ROSTER[agent].field: handed, "index": self._desk.index.content_hash}
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
            asked, lambda: collect(calls, queries, self._desk.tools, self._desk.index)
        )

    def _review(self, state: RunState) -> Update:
        """Asks the manager about one hand-over, and follows what it says when it makes sense."""
        agent = state.under_review
        assert agent is not None
        note = f"manager, on the work of {agent.replace('_', ' ')}"
        asked = self._ask("manager", state, note)
        attempt = asked.call.attempt
        read = ROSTER["manager"].read(asked.text, state, self._desk)
        review, faults = read.work, read.missing
        before = FLOW[: FLOW.index(agent)]
        update = _after(state, asked)
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
            **{ROSTER[a].field: None for a in stale},
        }


def _after(state: RunState, asked: Asked) -> Update:
    """What every call changes in the state."""
    call = asked.call
    return {
        "spent": asked.spent.model_dump(mode="json"),
        "attempts": {**state.attempts, call.agent: call.attempt},
        "models": {**state.models, call.agent: call.model},
    }


def _turn(state: RunState) -> str:
    return state.turn


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
