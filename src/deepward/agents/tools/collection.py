"""Makes the tool calls that the DataCollector asked for; keeps what the knowledge base holds."""

from collections.abc import Mapping

from deepward.agents.schemas import Evidence, SubQueries, ToolCalls
from deepward.agents.tools.base import Tool, evidence_of
from deepward.agents.transcript import ToolUse
from deepward.errors import DeepwardError
from deepward.knowledge.index import HybridIndex

__all__ = ["collect"]


def collect(
    calls: ToolCalls, queries: SubQueries, tools: Mapping[str, Tool], index: HybridIndex
) -> tuple[tuple[Evidence, ...], tuple[ToolUse, ...]]:
    """Runs the calls one after the other; a tool that fails is recorded and the next one runs.

    Returns:
        Evidence without repetition in the order of the calls, and one record per call.
    """
    evidence: list[Evidence] = []
    uses = []
    for call in calls.calls:
        try:
            brought = tools[call.tool].run(call.query, queries.queries[call.sub_query])
        except DeepwardError as error:
            uses.append(ToolUse(call.tool, call.query, call.sub_query, error=str(error)))
            continue
        # As the knowledge base holds them, whatever a tool said of them.
        scores = {e.chunk_id: e.score for e in reversed(brought)}
        order = dict.fromkeys(e.chunk_id for e in brought)
        found = evidence_of(index, {chunk: scores[chunk] for chunk in order}, call.sub_query)
        chunk_ids = tuple(e.chunk_id for e in found)
        dropped = len(order) - len(found)
        uses.append(ToolUse(call.tool, call.query, call.sub_query, chunk_ids, dropped))
        evidence += found
    first = {e.chunk_id: e for e in reversed(evidence)}
    chunks = dict.fromkeys(e.chunk_id for e in evidence)
    return tuple(first[chunk] for chunk in chunks), tuple(uses)
