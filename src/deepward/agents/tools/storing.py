"""What a tool found outside is stored in the knowledge base first, and only then used.

Each finding has an origin of its own, `agent:<source>`, so that storing one leaves all others as
they are. What a search engine says of a page is named `<address>#found-<hash>`: the same page can
be described in other words the next time without taking a citation's text away.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deepward.agents.schemas import Evidence, SubQuery
from deepward.agents.tools.base import evidence_of
from deepward.agents.untrusted import clean_line, clean_untrusted
from deepward.files import sha256_bytes
from deepward.knowledge.documents import Document, Page
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import Searcher

__all__ = ["EvidenceStore", "Found", "found_document"]

_MOST_TEXT = 20_000  # characters of one finding
_KIND = "agents"


@dataclass(frozen=True)
class Found:
    """One result of a search service, as it gave it.

    Attributes:
        date: ISO date of publication, or None.
    """

    url: str
    title: str
    text: str
    date: str | None = None


def found_document(found: Found) -> Document:
    """The document that a search result makes."""
    text = clean_untrusted(found.text, _MOST_TEXT)
    digest = sha256_bytes(text.encode())
    source = f"{found.url}#found-{digest[:10]}"
    title = clean_line(found.title) or found.url
    pages = (Page(None, text),)
    return Document(source, "", _KIND, title, found.date, (), None, digest, pages)


class EvidenceStore:
    """Writes findings into the index that a searcher asks."""

    def __init__(self, searcher: Searcher, chroma_url: str = "", k: int = 5) -> None:
        """Remembers where the index is; it is opened for writing only while something is stored.

        Args:
            searcher: of the index.
            chroma_url: its Chroma server, where it has one.
            k: most passages that one call brings.
        """
        self._searcher = searcher
        self._chroma_url = chroma_url
        self._k = k

    def keep(self, documents: Sequence[Document], sub_query: SubQuery) -> list[Evidence]:
        """Stores documents and returns the passages in them that answer best, best first.

        What is stored already under the same source, by whomever, is left as it is.

        Raises:
            KnowledgeError: another process is writing the index, or it cannot be written.
        """
        index = self._searcher.index
        there = index.passages.documents([document.source for document in documents])
        new = {d.source: d for d in documents if d.source not in there}
        if new:
            marked = [replace(d, origin=f"agent:{d.source}", kind=_KIND) for d in new.values()]
            with HybridIndex.writing(
                index.folder, index.encoder, chroma_url=self._chroma_url
            ) as writer:
                writer.sync(marked, [document.origin for document in marked])
        sources = list(dict.fromkeys(document.source for document in documents))
        return self._best(sources, {d.source: d for d in documents}, sub_query)

    def _best(
        self, sources: Sequence[str], documents: dict[str, Document], sub_query: SubQuery
    ) -> list[Evidence]:
        index = self._searcher.index
        ids = [chunk for source in sources for chunk in index.passages.all_ids_of(source)]
        for source in sources:
            if not index.passages.all_ids_of(source):
                ids += self._said_elsewhere(source, documents[source])
        asked = index.encoder.encode([sub_query.query])[0]  # (D,)
        found = index.passages.passages(list(dict.fromkeys(ids))).values()
        scores = {p.id: round(float(asked @ p.vector), 6) for p in found}
        best = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))[: self._k]
        return evidence_of(index, {chunk: scores[chunk] for chunk in best})

    def _said_elsewhere(self, source: str, document: Document) -> list[str]:
        """Passages of others that a document only repeats."""
        text = " ".join(page.text for page in document.pages)[:500]
        if not any(letter.isalnum() for letter in text):
            return []
        hits = self._searcher.search(text, self._k)
        return [hit.chunk_id for hit in hits if source in hit.also_in]
