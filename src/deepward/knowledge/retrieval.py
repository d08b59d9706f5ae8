"""Hybrid retrieval: by meaning and by words, fused, reranked where asked, without repetition."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deepward.errors import UsageError
from deepward.knowledge.bibliographies import is_bibliography
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.index.filters import EVERYTHING, Filters
from deepward.knowledge.index.tables import Passage
from deepward.knowledge.reranking import Reranker
from deepward.knowledge.terms import terms

__all__ = ["Filters", "Hit", "SearchConfig", "Searcher", "fuse", "maximal_marginal_relevance"]

_LOOKED_AT = 10  # of the best passages by words
_STOP_WORDS = Path(__file__).with_name("stop_words.txt")  # of English, as scikit-learn ships them


@dataclass(frozen=True)
class SearchConfig:
    """How passages are found.

    Attributes:
        vector_weight, bm25_weight: of the two rankings in the fusion.
        rrf_constant: k of reciprocal rank fusion; the larger, the less the first ranks count.
        candidates: taken from each ranking; filters apply before.
        diversity: 1 - lambda of maximal marginal relevance: 0 ranks by relevance alone.
        bibliography_weight: of a list of literature, which names works and says nothing.
        least_cosine: of the nearest passage; below it, unless one passage holds the share
            `least_words` of the telling words (rounded down), nothing answers. `least_grams` is
            that share where the encoder does not know the letters, and words are cut into grams.
            Measured with MiniLM: all of 72 questions are answered, 1 of 24 on other subjects.
        mode: `hybrid`, or one part alone, to compare.
    """

    vector_weight: float = 0.7
    bm25_weight: float = 0.3
    rrf_constant: int = 60
    candidates: int = 60
    diversity: float = 0.3
    bibliography_weight: float = 0.5
    least_cosine: float = 0.28
    least_words: float = 0.75
    least_grams: float = 0.25
    mode: Literal["hybrid", "vector", "bm25"] = "hybrid"


@dataclass(frozen=True)
class Hit:
    """One passage that answers.

    Attributes:
        chunk_id: by which it is cited.
        text: the whole passage.
        title, source, kind, date, techniques: of its document; `source` is a path or an address.
        page: in a PDF, from 1.
        also_in: other documents that say the same in nearly the same words.
        scores: `vector` (cosine similarity to the query), `bm25` (higher is better; None where it
            is not among the best by words), `fused` (reciprocal rank fusion), `rerank` (of the
            reranker; None without one).
        reranked_by: name of the reranker, or None when there was none.
    """

    chunk_id: str
    text: str
    title: str
    source: str
    page: int | None
    date: str | None
    kind: str
    techniques: tuple[str, ...]
    also_in: tuple[str, ...]
    scores: Mapping[str, float | None]
    reranked_by: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, scores rounded to six places."""
        scores = {k: None if v is None else round(v, 6) for k, v in self.scores.items()}
        return {**asdict(self), "scores": scores}


@dataclass(frozen=True)
class Searcher:
    """Asks one index.

    Attributes:
        index: open for reading or writing.
        config: weights and depths.
        reranker: reads query and passage together; None leaves the fused order.
    """

    index: HybridIndex
    config: SearchConfig = field(default_factory=SearchConfig)
    reranker: Reranker | None = None

    def search(self, query: str, k: int = 5, filters: Filters = EVERYTHING) -> list[Hit]:
        """The `k` best passages, best first; fewer when there are not as many.

        None where nothing answers: see `SearchConfig.least_cosine`.

        Raises:
            UsageError: the query has no word, or `k` is not positive.
        """
        words = terms(query)
        if not words:
            raise UsageError("Ask with at least one word.")
        if k < 1:
            raise UsageError(f"k is {k}; at least one passage must be wanted.")
        depth = max(self.config.candidates, 4 * k)
        encoder = self.index.encoder
        asked = encoder.encode([query])[0]  # (D,)
        vector: list[tuple[str, float]] = []
        bm25: list[tuple[str, float]] = []
        if self.config.mode != "bm25" and encoder.knows(query):
            vector = self.index.nearest(asked, depth, filters)
        if self.config.mode != "vector":
            bm25 = self.index.passages.match(_telling(words), depth, filters)
        # Without what a running writer removed.
        passages = self.index.passages.passages(sorted({i for i, _ in (*vector, *bm25)}))
        known = {i for i, p in passages.items() if encoder.knows(query) and encoder.knows(p.text)}
        fused = fuse(
            [[i for i, _ in vector if i in known], [i for i, _ in bm25 if i in passages]],
            [self.config.vector_weight, self.config.bm25_weight],
            self.config.rrf_constant,
        )
        if not self._answered(_telling(words), vector, [i for i, _ in bm25], encoder.knows(query)):
            return []
        self._pass_on(fused, passages)
        order = sorted(fused, key=lambda i: (-fused[i], i))[:depth]
        relevance = {i: fused[i] for i in order}
        reranked: dict[str, float] = {}
        if self.reranker is not None and order:
            texts = [passages[i].text for i in order]
            reranked = dict(zip(order, self.reranker.scores(query, texts), strict=True))
            order.sort(key=lambda i: (-reranked[i], i))
            relevance = reranked
        chosen = maximal_marginal_relevance(
            [relevance[i] for i in order],
            np.stack([passages[i].vector for i in order]) if order else np.zeros((0, 1)),
            k,
            self.config.diversity,
        )
        picked = [passages[order[c]] for c in chosen]
        similar = {p.id: float(asked @ p.vector) for p in picked if p.id in known}
        parts = {"vector": similar, "bm25": dict(bm25), "fused": fused, "rerank": reranked}
        return self._hits(picked, parts)

    def _answered(
        self,
        words: Sequence[str],
        vector: Sequence[tuple[str, float]],
        found: Sequence[str],
        known: bool,
    ) -> bool:
        """Whether anything answers: one passage near the question, or with most of its words."""
        if self.config.mode != "hybrid" or (vector and vector[0][1] >= self.config.least_cosine):
            return True
        share = self.config.least_words if known else self.config.least_grams
        held = self.index.passages.held(words, found[:_LOOKED_AT])
        return max(held.values(), default=0) >= max(1, int(share * len(words)))

    def _pass_on(self, fused: dict[str, float], passages: Mapping[str, Passage]) -> None:
        """Gives the score of a list of literature, in place, to the opening of its document.

        The list names works on the subject and says nothing of it; it stays, behind the rest.
        Of a document's passages that were found, the first one tells best what it is about.
        """
        lists = [i for i in fused if is_bibliography(passages[i].text)]
        for name in lists:
            source = passages[name].source
            same = [i for i in fused if i not in lists and passages[i].source == source]
            if same:
                opening = min(same, key=lambda i: passages[i].position)
                fused[opening] = max(fused[opening], fused[name])
            fused[name] *= self.config.bibliography_weight

    def _hits(
        self, picked: Sequence[Passage], parts: Mapping[str, Mapping[str, float]]
    ) -> list[Hit]:
        documents = self.index.passages.documents(sorted({p.source for p in picked}))
        also = self.index.passages.also_in([p.id for p in picked])
        hits = []
        for passage in picked:
            document = documents[passage.source]
            others = tuple(s for s in also.get(passage.id, []) if s != passage.source)
            hits.append(
                Hit(
                    chunk_id=passage.id,
                    text=passage.text,
                    title=document.title,
                    source=passage.source,
                    page=passage.page,
                    date=document.date,
                    kind=document.kind,
                    techniques=document.techniques,
                    also_in=others,
                    scores={name: found.get(passage.id) for name, found in parts.items()},
                    reranked_by=self.reranker.name if self.reranker else None,
                )
            )
        return hits


def _telling(words: Sequence[str]) -> list[str]:
    """Words worth matching, each once: no stop words, unless there is nothing else."""
    stop = _stop_words()
    telling = [word for word in words if word.lower() not in stop]
    return list(dict.fromkeys(word.lower() for word in telling or words))


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(_STOP_WORDS.read_text(encoding="utf-8").split())


def fuse(
    rankings: Sequence[Sequence[str]], weights: Sequence[float], constant: int = 60
) -> dict[str, float]:
    """Weighted reciprocal rank fusion: sum over rankings of weight / (constant + rank).

    Ranks count from 1 (Cormack, Clarke and Büttcher, SIGIR 2009).
    """
    fused: dict[str, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, item in enumerate(ranking, start=1):
            fused[item] = fused.get(item, 0.0) + weight / (constant + rank)
    return fused


def maximal_marginal_relevance(
    relevance: Sequence[float], vectors: "np.typing.NDArray[Any]", k: int, diversity: float
) -> list[int]:
    """Indices of up to `k` items, each relevant and unlike those chosen before.

    Maximizes (1 - diversity) * relevance - diversity * greatest similarity to a chosen item
    (Carbonell and Goldstein, SIGIR 1998). Relevance is scaled to [0, 1] first, so that scores of
    any range can be given; LangChain's function of this name takes similarities only.

    Args:
        relevance: of N items; any range.
        vectors: unit vectors (N, D).
        k: how many are wanted.
        diversity: from 0 (relevance alone) to 1.
    """
    scores = np.asarray(relevance, dtype=np.float64)
    if not len(scores):
        return []
    spread = float(scores.max() - scores.min())
    scaled = (scores - scores.min()) / spread if spread > 0 else np.ones(len(scores))
    chosen: list[int] = []
    nearest = np.zeros(len(scores))
    left = np.ones(len(scores), dtype=bool)
    while left.any() and len(chosen) < k:
        value = (1 - diversity) * scaled - diversity * nearest
        best = int(np.argmax(np.where(left, value, -np.inf)))
        chosen.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return chosen
