"""Makes the tool calls that the DataCollector asked for; keeps what the knowledge base holds."""

from collections.abc import Mapping

from deepward.agents.schemas import Evidence, SubQueries, ToolCalls
from deepward.agents.tools.base import Tool
from deepward.agents.transcript import ToolUse
from deepward.agents.validation import stored
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
        found = stored([e.model_copy(update={"sub_query": call.sub_query}) for e in brought], index)
        chunk_ids = tuple(e.chunk_id for e in found)
        dropped = len({e.chunk_id for e in brought}) - len(found)
        uses.append(ToolUse(call.tool, call.query, call.sub_query, chunk_ids, dropped))
        evidence += found
    once = {e.chunk_id: e for e in reversed(evidence)}
    order = dict.fromkeys(e.chunk_id for e in evidence)
    return tuple(once[chunk] for chunk in order), tuple(uses)
