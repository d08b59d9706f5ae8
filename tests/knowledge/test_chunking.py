"""Where documents are cut."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepward.knowledge.documents import Page
from deepward.knowledge.index.chunking import (
    ChunkConfig,
    Sentence,
    semantic_chunks,
    split_sentences,
    window_distances,
)
from tests.knowledge.made import HashingEncoder, made_text

FREE = ChunkConfig(percentile=90, least=0, most=10**9)


def distances_of(sentences: list[Sentence], window: int = 1) -> np.ndarray:
    vectors = HashingEncoder().encode([sentence.text for sentence in sentences])
    return window_distances(vectors, [len(s.text) for s in sentences], window)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cuts_fall_where_langchains_semantic_chunker_cuts_with_windows_of_one_sentence() -> None:
    from langchain_core.embeddings import Embeddings
    from langchain_experimental.text_splitter import SemanticChunker

    class Same(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return HashingEncoder().encode(texts).tolist()

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    for seed in range(5):
        text = " ".join(made_text(seed, paragraphs=8).split())
        expected = SemanticChunker(
            Same(), buffer_size=0, breakpoint_threshold_amount=90
        ).split_text(text)
        sentences = split_sentences([Page(None, text)], most=10**9)
        chunks = semantic_chunks(sentences, distances_of(sentences, window=0), FREE)
        assert [chunk.text for chunk in chunks] == expected
        assert len(chunks) > 2


def test_a_window_is_the_mean_of_its_sentences_weighed_by_length() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(6, 8)).astype(np.float32)
    lengths = [3, 5, 2, 9, 4, 4]
    found = window_distances(vectors, lengths, window=1)
    means = []
    for i in range(6):
        part = slice(max(i - 1, 0), i + 2)
        mean = np.average(vectors[part], axis=0, weights=lengths[part])
        means.append(mean / np.linalg.norm(mean))
    expected = [1 - float(means[i] @ means[i + 1]) for i in range(5)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 300), st.integers(60, 600))
def test_every_sentence_is_in_one_chunk_that_stays_on_its_page_and_below_the_limit(
    seed: int, least: int, most: int
) -> None:
    draw = random.Random(seed)
    pages = []
    for number in range(draw.randint(1, 4)):
        parts = made_text(draw.randrange(10**6), draw.randint(0, 3)).split("\n\n")
        pages.append(Page(number + 1, "\n\n".join(f"# Part {p[:20]}\n\n{p}" for p in parts)))
    config = ChunkConfig(percentile=70, least=min(least, most), most=most)
    sentences = split_sentences(pages, most)
    chunks = semantic_chunks(sentences, distances_of(sentences), config)
    covered = [i for chunk in chunks for i in range(chunk.first, chunk.last + 1)]
    assert covered == list(range(len(sentences)))
    for chunk in chunks:
        inside = sentences[chunk.first : chunk.last + 1]
        assert {sentence.page for sentence in inside} == {chunk.page}
        # A heading does not stand alone, so the two together may be longer.
        assert len(chunk.text) <= most or inside[0].heading


def test_a_heading_opens_a_chunk_and_never_ends_one_before_its_text() -> None:
    page = Page(None, "\n\n".join(f"# Part {i}\n\n{made_text(i, 1)}" for i in range(6)))
    sentences = split_sentences([page], most=1000)
    for chunk in semantic_chunks(sentences, distances_of(sentences), ChunkConfig(least=0)):
        assert not sentences[chunk.last].heading
        assert not any(s.heading for s in sentences[chunk.first + 1 : chunk.last + 1])


def test_a_table_without_sentence_ends_is_cut_between_words() -> None:
    text = " ".join(f"cell{i}" for i in range(500))
    sentences = split_sentences([Page(None, text)], most=100)
    assert " ".join(s.text for s in sentences) == text
    assert max(len(s.text) for s in sentences) <= 100
    assert split_sentences([Page(None, "x" * 250)], most=100)[0].text == "x" * 100


def test_nothing_gives_nothing_and_one_sentence_gives_one_chunk() -> None:
    assert semantic_chunks([], np.zeros(0, np.float32), ChunkConfig()) == []
    [only] = split_sentences([Page(3, "One alone.")], most=100)
    [chunk] = semantic_chunks([only], np.zeros(0, np.float32), ChunkConfig())
    assert (chunk.text, chunk.page) == ("One alone.", 3)
