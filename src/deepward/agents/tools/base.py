"""What a tool is, and which words it may be asked with."""

import re
from collections.abc import Mapping
from typing import Protocol

from deepward.agents.schemas import Evidence, SubQuery
from deepward.errors import UsageError
from deepward.knowledge.index import HybridIndex

__all__ = ["MOST_QUERY", "Tool", "check_query", "evidence_of"]

MOST_QUERY = 300  # characters; as many as a search engine reads
_LONGEST_WORD = 60  # longer ones carry data, not meaning
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|\bwww\.|\b(?:data|javascript|mailto):\S|(?:[\w-]+\.)+[a-z]{2,}[/:?]"
    r"|\b(?:\d{1,3}\.){3}\d{1,3}\b",
    re.IGNORECASE,
)
# Operators by which a search leads to one place: an address by another name.
_OPERATOR = re.compile(r"\b(?:site|inurl|allinurl|link|related|cache|info):\S", re.IGNORECASE)


class Tool(Protocol):
    """Something that brings evidence.

    Attributes:
        name: by which it is called.
        description: what it is good for, in one line; the DataCollector reads it.
    """

    name: str
    description: str

    def run(self, query: str, sub_query: SubQuery) -> list[Evidence]:
        """Brings passages that are stored, best first, with their chunk ids.

        Raises:
            DeepwardError: the query is refused, or the tool failed; in words.
        """
        ...


def evidence_of(
    index: HybridIndex, scores: Mapping[str, float], sub_query: int = 0
) -> list[Evidence]:
    """Passages as the knowledge base holds them, in the order given; unknown ones are left out.

    Args:
        index: of the knowledge base.
        scores: chunk id -> score.
        sub_query: index of the question that brought them.
    """
    passages = index.passages.passages(list(scores))
    documents = index.passages.documents(sorted({p.source for p in passages.values()}))
    return [
        Evidence(
            chunk_id=chunk,
            text=passages[chunk].text,
            title=documents[passages[chunk].source].title,
            source=passages[chunk].source,
            page=passages[chunk].page,
            date=documents[passages[chunk].source].date,
            techniques=documents[passages[chunk].source].techniques,
            sub_query=sub_query,
            score=score,
        )
        for chunk, score in scores.items()
        if chunk in passages
    ]


def check_query(query: str) -> str:
    """The words of a query on one line.

    Raises:
        UsageError: it has no words, is too long, or holds an address or what leads to one.
    """
    words = " ".join(query.split())
    if not re.search(r"\w", words):
        raise UsageError("The query holds no word.")
    if len(words) > MOST_QUERY:
        raise UsageError(f"The query has {len(words)} characters; at most {MOST_QUERY} are read.")
    if not words.isprintable():
        raise UsageError("The query holds characters that cannot be seen.")
    if _ADDRESS.search(words) or _OPERATOR.search(words):
        raise UsageError("The query holds an address; ask in words.")
    if max(map(len, words.split())) > _LONGEST_WORD:
        raise UsageError(f"The query holds a word of more than {_LONGEST_WORD} characters.")
    return words
