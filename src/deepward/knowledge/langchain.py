"""The knowledge base as LangChain's retriever: what chains and agents of that world take."""

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from deepward.knowledge.retrieval import Filters, Hit

__all__ = ["HybridRetriever"]


class HybridRetriever(BaseRetriever):
    """Hybrid search behind `invoke`.

    Attributes:
        searcher: a `Searcher`, which asks the index.
        k: passages per query.
        filters: hold for every query.
    """

    searcher: Any  # Pydantic knows no schema of a Searcher
    k: int = 5
    filters: Filters = Filters()

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [_document(hit) for hit in self.searcher.search(query, self.k, self.filters)]


def _document(hit: Hit) -> Document:
    metadata = hit.as_dict()
    return Document(id=hit.chunk_id, page_content=metadata.pop("text"), metadata=metadata)
