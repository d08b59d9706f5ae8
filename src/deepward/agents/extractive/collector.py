"""The DataCollector: every question goes to the knowledge base; searches beside it get a few."""

from deepward.agents.inputs import CollectionInputs
from deepward.agents.schemas import ToolCall, ToolCalls
from deepward.errors import AgentError

__all__ = ["plan_calls"]

_FIRST = "knowledge_search"
_PER_TOOL = 3  # questions that a further tool is asked: the sources it brings are long
_MOST = 80


def plan_calls(inputs: CollectionInputs) -> ToolCalls:
    """One call of retrieval per sub-query, then the first sub-queries for each other search.

    Page fetching is left alone: it wants an address, and addresses come from strangers' text.

    Raises:
        AgentError: there is no tool that can be asked in words.
    """
    names = [tool.name for tool in inputs.tools if "fetch" not in tool.name]
    if not names:
        raise AgentError(
            "The DataCollector has no search tool. Give it at least `knowledge_search`."
        )
    first = _FIRST if _FIRST in names else names[0]
    queries = inputs.queries.queries
    calls = [
        ToolCall(tool=first, query=query.query[:300], sub_query=number)
        for number, query in enumerate(queries)
    ]
    for name in sorted(set(names) - {first}):
        calls += [
            ToolCall(tool=name, query=query.query[:300], sub_query=number)
            for number, query in enumerate(queries[:_PER_TOOL])
        ]
    return ToolCalls(calls=tuple(calls[:_MOST]))
