"""The hybrid index: what it holds follows the documents, and its parts agree."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from deepward.errors import KnowledgeError
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import Filters, Searcher
from tests.knowledge.made import HashingEncoder, made_document, made_text

ORIGIN = "folder:/made"


@pytest.fixture
def encoder() -> HashingEncoder:
    return HashingEncoder()


def sync(folder: Path, encoder: HashingEncoder, documents, origins=(ORIGIN,)):
    with HybridIndex.writing(folder, encoder) as index:
        report = index.sync(documents, origins)
        assert index.agreement().sound
        assert index.passages.unresolved() == []
    return report


def found(folder: Path, encoder: HashingEncoder, query: str, **filters) -> list[str]:
    index = HybridIndex.open(folder, encoder)
    try:
        return list(
            dict.fromkeys(h.title for h in Searcher(index).search(query, 10, Filters(**filters)))
        )
    finally:
        index.close()


def texts_of(index: HybridIndex) -> set[str]:
    return {p.text_hash for p in index.passages.passages(sorted(index.passages.ids())).values()}


def test_a_second_sync_of_the_same_documents_embeds_nothing(tmp_path: Path, encoder) -> None:
    documents = [made_document(f"d{i}", made_text(i)) for i in range(5)]
    first = sync(tmp_path, encoder, documents)
    assert (first.new, first.unchanged) == (5, 0) and first.chunks > 5
    embedded = encoder.texts
    second = sync(tmp_path, encoder, documents)
    assert (second.new, second.changed, second.removed, second.unchanged) == (0, 0, 0, 5)
    assert encoder.texts == embedded and second.chunks == first.chunks


def test_a_changed_document_keeps_the_ids_of_passages_that_did_not_change(
    tmp_path: Path, encoder
) -> None:
    text = "\n\n".join(f"# Part {i}\n\n{made_text(i, 1)}" for i in range(6))
    sync(tmp_path, encoder, [made_document("d", text)])
    index = HybridIndex.open(tmp_path, encoder)
    before = index.passages.ids()
    index.close()
    report = sync(tmp_path, encoder, [made_document("d", text + "\n\n# New\n\nA wholly new end.")])
    assert (report.new, report.changed) == (0, 1)
    index = HybridIndex.open(tmp_path, encoder)
    assert before <= index.passages.ids() and len(index.passages.ids()) == len(before) + 1
    index.close()


def test_a_document_that_left_its_origin_leaves_the_index_and_other_origins_stay(
    tmp_path: Path, encoder
) -> None:
    here = made_document("here", made_text(1))
    gone = made_document("gone", made_text(2))
    other = made_document("other", made_text(3), origin="crawl")
    sync(tmp_path, encoder, [here, gone, other], [ORIGIN, "crawl"])
    report = sync(tmp_path, encoder, [here])
    assert (report.removed, report.unchanged) == (1, 1)
    assert set(found(tmp_path, encoder, made_text(2))) == {"here", "other"}


def test_repetitions_are_stored_once_and_come_back_when_their_original_goes(
    tmp_path: Path, encoder
) -> None:
    text = made_text(1, 1)[:190]  # one passage
    nearly = text.replace(".", "!", 1).upper()
    one, two, three = (
        made_document(n, t) for n, t in zip("abc", (text, nearly, text), strict=True)
    )
    report = sync(tmp_path, encoder, [one, two, three])
    assert report.duplicates == 2
    index = HybridIndex.open(tmp_path, encoder)
    [hit] = Searcher(index).search(text, 5)
    assert hit.source == "/made/a" and hit.also_in == ("/made/b", "/made/c")
    index.close()
    sync(tmp_path, encoder, [two, three])
    index = HybridIndex.open(tmp_path, encoder)
    [hit] = Searcher(index).search(text, 5)
    assert hit.source == "/made/b" and hit.also_in == ("/made/c",)
    index.close()


def test_passages_that_differ_in_a_number_are_not_repetitions(tmp_path: Path, encoder) -> None:
    a = "The share of fakes found was 91 percent in the first year of the trial."
    b = "The share of fakes found was 47 percent in the second year of that long trial."
    report = sync(tmp_path, encoder, [made_document("a", a), made_document("b", b)])
    assert report.duplicates == 0 and report.chunks == 2


def test_filters_hold_for_both_parts(tmp_path: Path, encoder) -> None:
    text = made_text(9, 1)
    words = [f"{text} {w}" for w in ("alpha " * 9, "beta " * 9, "gamma " * 9)]
    sync(
        tmp_path,
        encoder,
        [
            made_document("old", words[0], date="2020-05-01", techniques=("face-swap", "gan")),
            made_document("new", words[1], date="2025-01-31", kind="research"),
            made_document("undated", words[2], techniques=("lip-sync",)),
        ],
    )
    assert set(found(tmp_path, encoder, text)) == {"old", "new", "undated"}
    assert found(tmp_path, encoder, text, techniques=("face-swap",)) == ["old"]
    assert set(found(tmp_path, encoder, text, techniques=("gan", "lip-sync"))) == {"old", "undated"}
    assert found(tmp_path, encoder, text, kinds=("research",)) == ["new"]
    assert found(tmp_path, encoder, text, since="2021") == ["new"]
    assert found(tmp_path, encoder, text, until="2020-05-01") == ["old"]
    assert found(tmp_path, encoder, text, since="2020-05-02", until="2025-01-30") == []


def test_words_of_a_query_are_never_operators(tmp_path: Path, encoder) -> None:
    sync(tmp_path, encoder, [made_document("d", "A seam runs along the jaw of the face.")])
    for query in ('jaw" OR "x', "jaw NEAR(", "title:jaw*", "jaw AND NOT", "-jaw ^ {", "jaw'; DROP"):
        assert found(tmp_path, encoder, query) == ["d"]


def test_an_index_of_another_encoder_or_recipe_is_refused_until_it_is_rebuilt(
    tmp_path: Path, encoder
) -> None:
    sync(tmp_path, encoder, [made_document("d", made_text(0))])
    other = HashingEncoder()
    other.name = "another"
    with pytest.raises(KnowledgeError, match="hashing-64"):
        HybridIndex.open(tmp_path, other)
    with pytest.raises(KnowledgeError, match="--rebuild"):
        HybridIndex.writing(tmp_path, other).__enter__()
    with HybridIndex.writing(tmp_path, other, rebuild=True) as index:
        assert index.passages.counts()["documents"] == 0 and index.vectors.ids() == set()
        assert index.sync([made_document("d", made_text(0))], [ORIGIN]).new == 1
        assert index.agreement().sound


def test_a_lost_or_damaged_vector_index_is_made_anew_without_the_encoder(
    tmp_path: Path, encoder
) -> None:
    sync(tmp_path, encoder, [made_document(f"d{i}", made_text(i)) for i in range(4)])
    before, embedded = found(tmp_path, encoder, made_text(2)), encoder.texts
    (tmp_path / "chroma" / "chroma.sqlite3").write_bytes(b"not a database" * 100)
    sync(tmp_path, encoder, [made_document(f"d{i}", made_text(i)) for i in range(4)])
    assert encoder.texts == embedded
    assert found(tmp_path, encoder, made_text(2)) == before


def test_a_second_writer_is_refused_while_the_first_one_writes(
    tmp_path: Path, encoder, monkeypatch
) -> None:
    monkeypatch.setattr("deepward.knowledge.index.opening._LOCK_SECONDS", 0.1)
    second = HybridIndex.writing(tmp_path, HashingEncoder())
    with (
        HybridIndex.writing(tmp_path, encoder),
        pytest.raises(KnowledgeError, match="Another process"),
    ):
        second.__enter__()


def test_a_document_of_another_origin_is_refused(tmp_path: Path, encoder) -> None:
    stray = replace(made_document("d", made_text(0)), origin="crawl")
    with (
        pytest.raises(KnowledgeError, match="crawl"),
        HybridIndex.writing(tmp_path, encoder) as index,
    ):
        index.sync([stray], [ORIGIN])


def test_no_index_is_an_error_that_says_what_to_do(tmp_path: Path, encoder) -> None:
    with pytest.raises(KnowledgeError, match="deepward ingest"):
        HybridIndex.open(tmp_path / "none", encoder)


def test_a_hit_is_json_with_every_field_that_a_citation_needs(tmp_path: Path, encoder) -> None:
    sync(tmp_path, encoder, [made_document("d", made_text(0), date="2024-01-01")])
    index = HybridIndex.open(tmp_path, encoder)
    hit = json.loads(json.dumps(Searcher(index).search(made_text(0), 1)[0].as_dict()))
    index.close()
    assert set(hit) >= {"chunk_id", "text", "title", "source", "page", "date", "scores"}
    assert set(hit["scores"]) == {"vector", "bm25", "fused", "rerank"}
    assert hit["scores"]["rerank"] is None and hit["reranked_by"] is None


def test_random_changes_always_end_in_what_a_fresh_index_would_hold(
    tmp_path: Path, encoder
) -> None:
    draw = random.Random(4)
    texts = [made_text(i, 2) for i in range(8)]
    state: dict[str, str] = {}
    for _ in range(12):
        for name in draw.sample("abcdefgh", 3):
            if state.pop(name, None) is None or draw.random() < 0.5:
                state[name] = " ".join(draw.sample(texts, draw.randint(1, 2)))
        documents = [made_document(n, t) for n, t in sorted(state.items())]
        sync(tmp_path / "kept", encoder, documents)
        index = HybridIndex.open(tmp_path / "kept", encoder)
        kept = texts_of(index)
        index.close()
        with HybridIndex.writing(tmp_path / "fresh", encoder, rebuild=True) as fresh:
            fresh.sync(documents, [ORIGIN])
            assert kept == texts_of(fresh)
