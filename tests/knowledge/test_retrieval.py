"""Fusion, diversity and reranking."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepward.errors import KnowledgeError, UsageError
from deepward.knowledge import base
from deepward.knowledge.reranking import CohereReranker, CrossEncoderReranker, load_reranker
from deepward.knowledge.retrieval import (
    Filters,
    SearchConfig,
    Searcher,
    fuse,
    maximal_marginal_relevance,
)
from deepward.knowledge.settings import KnowledgeSettings

KEY = "secret-of-the-test"


@pytest.fixture(scope="module")
def searcher(corpus_files) -> Iterator[Searcher]:
    with base.open_searcher(corpus_files, KnowledgeSettings()) as opened:
        yield opened


def test_fusion_is_the_weighted_sum_of_reciprocal_ranks() -> None:
    fused = fuse([["a", "b"], ["b", "c"]], [0.7, 0.3], constant=60)
    assert fused == pytest.approx({"a": 0.7 / 61, "b": 0.7 / 62 + 0.3 / 61, "c": 0.3 / 62})


def test_fusion_agrees_with_langchains_ensemble_retriever() -> None:
    from langchain_classic.retrievers import EnsembleRetriever
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever

    class Fixed(BaseRetriever):
        names: list[str]

        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document(page_content=name) for name in self.names]

    one, two = list("abcdefg"), list("gxbya")
    ensemble = EnsembleRetriever(
        retrievers=[Fixed(names=one), Fixed(names=two)], weights=[0.7, 0.3], c=60
    )
    expected = [document.page_content for document in ensemble.invoke("?")]
    fused = fuse([one, two], [0.7, 0.3], 60)
    assert sorted(fused, key=lambda name: -fused[name]) == expected


def test_without_diversity_the_order_is_that_of_relevance() -> None:
    vectors = np.eye(4)
    assert maximal_marginal_relevance([0.1, 0.4, 0.3, 0.2], vectors, 4, 0.0) == [1, 2, 3, 0]
    assert maximal_marginal_relevance([], np.zeros((0, 4)), 3, 0.5) == []


def test_diversity_prefers_what_was_not_said_yet() -> None:
    vectors = np.array([[1, 0], [0.999, 0.045], [0, 1]])
    assert maximal_marginal_relevance([1.0, 0.9, 0.6], vectors, 2, 0.5) == [0, 2]
    assert maximal_marginal_relevance([1.0, 0.9, 0.6], vectors, 2, 0.05) == [0, 1]


def test_both_parts_are_always_active(searcher: Searcher) -> None:
    hits = searcher.search("Wav2Lip", 5)
    assert hits[0].scores["bm25"] is not None and "Wav2Lip" in hits[0].text
    assert all(hit.scores["vector"] is not None for hit in hits)
    meaning = searcher.search("making somebody's lips follow another voice", 5)
    assert any("lip-sync" in hit.techniques for hit in meaning)


def test_the_same_question_gets_the_same_answer(searcher: Searcher) -> None:
    first, second = (searcher.search("where are blending seams seen?", 8) for _ in range(2))
    assert [hit.as_dict() for hit in first] == [hit.as_dict() for hit in second]


@pytest.mark.parametrize("query", ["", "   ", "?!", "\x00"])
def test_a_query_without_a_word_is_refused(searcher: Searcher, query: str) -> None:
    with pytest.raises(UsageError):
        searcher.search(query)


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="since"):
        Filters(since="last year")


class Service(BaseHTTPRequestHandler):
    """Speaks Cohere's rerank protocol: scores are shares of the query's words."""

    seen: list[dict[str, Any]] = []  # noqa: RUF012
    failure: int = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Service.seen.append({"path": self.path, "key": self.headers["Authorization"], "body": body})
        words = body["query"].lower().split()
        results = [
            {"index": i, "relevance_score": sum(w in text.lower() for w in words) / len(words)}
            for i, text in enumerate(body["documents"])
        ]
        results.sort(key=lambda result: -result["relevance_score"])
        answer = json.dumps({"id": "1", "results": results}).encode()
        self.send_response(Service.failure or 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    Service.seen, Service.failure = [], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_cohere_reranks_over_its_own_protocol(searcher: Searcher, service: str) -> None:
    reranked = replace(
        searcher,
        reranker=CohereReranker(KEY, service),
        config=SearchConfig(diversity=0.0),
    )
    hits = reranked.search("double eyebrows seam", 5)
    [call] = Service.seen
    assert call["path"].endswith("/rerank") and KEY in call["key"]
    assert call["body"]["model"] == "rerank-english-v3.0"
    assert len(call["body"]["documents"]) >= 20
    scores = [hit.scores["rerank"] for hit in hits]
    assert scores == sorted(scores, reverse=True) and scores[0] == 1.0
    assert all(hit.reranked_by == "cohere/rerank-english-v3.0" for hit in hits)


def test_a_service_that_refuses_is_an_error_without_the_key_in_it(searcher, service) -> None:
    Service.failure = 401
    reranked = replace(searcher, reranker=CohereReranker(KEY, service))
    with pytest.raises(KnowledgeError, match="401") as caught:
        reranked.search("seam")
    assert KEY not in str(caught.value) and caught.value.__cause__ is None
    assert KEY not in repr(KnowledgeSettings(cohere_key=KEY))


def test_cohere_without_a_key_is_refused_before_any_work() -> None:
    with pytest.raises(UsageError, match="COHERE_API_KEY"):
        load_reranker("cohere")


@pytest.fixture(scope="module")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder with random weights, saved as the real ones are."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny-cross-encoder"
    folder.mkdir()
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=1,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_local_cross_encoder_reranks(searcher: Searcher, cross_encoder: Path) -> None:
    reranker = load_reranker(str(cross_encoder))
    assert isinstance(reranker, CrossEncoderReranker)
    config = SearchConfig(diversity=0.0)
    hits = replace(searcher, reranker=reranker, config=config).search("seam at the jaw", 5)
    scores = [hit.scores["rerank"] for hit in hits]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) > 1
    assert hits[0].reranked_by == "cross-encoder/tiny-cross-encoder"
    with pytest.raises(KnowledgeError, match="safetensors"):
        load_reranker(str(cross_encoder.parent))
