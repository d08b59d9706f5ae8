"""The tool that is always there: hybrid retrieval over the knowledge base."""

from deepward.agents.schemas import Evidence, SubQuery
from deepward.agents.tools.base import check_query, evidence_of
from deepward.knowledge.retrieval import Filters, Hit, Searcher

__all__ = ["KnowledgeSearch"]

_NAMED = 0.1  # added to the cosine of a passage whose document names the technique asked about


class KnowledgeSearch:
    """Passages of the knowledge base: first of documents that name the technique, then of all."""

    name = "knowledge_search"
    description = (
        "Passages of the stored papers, articles and notes on how manipulated media are made and "
        "detected; ask in a few telling words."
    )

    def __init__(self, searcher: Searcher, k: int = 5) -> None:
        self._searcher = searcher
        self._k = k

    def run(self, query: str, sub_query: SubQuery) -> list[Evidence]:
        """The `k` best passages.

        Raises:
            UsageError: the query is not fit to be asked.
        """
        query = check_query(query)
        hits: list[Hit] = []
        if sub_query.technique:
            named = Filters(techniques=(sub_query.technique,))
            hits += self._searcher.search(query, self._k, named)
        if len(hits) < self._k:
            hits += self._searcher.search(query, self._k)
        scores = {hit.chunk_id: self._score(hit, sub_query) for hit in hits}
        ranked = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))[: self._k]
        return evidence_of(self._searcher.index, {chunk: scores[chunk] for chunk in ranked})

    @staticmethod
    def _score(hit: Hit, sub_query: SubQuery) -> float:
        """Its cosine to the query, higher where its document names the technique: comparable
        between queries."""
        named = sub_query.technique is not None and sub_query.technique in hit.techniques
        return round(float(hit.scores.get("vector") or 0.0) + (_NAMED if named else 0.0), 6)
