# ruff: noqa: E501
"""Questions in scripts without spaces find their passages, and what only looks alike is alike."""

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deepward.knowledge.documents import Document
from deepward.knowledge.embedding import load_encoder
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import SearchConfig, Searcher
from tests.knowledge.made import HashingEncoder, made_document

PAIRS = json.loads((Path(__file__).parent / "languages.json").read_text(encoding="utf-8"))
ORIGIN = "folder:/made"


def index_of(folder: Path, documents: list[Document], encoder=None) -> Iterator[Searcher]:
    encoder = encoder or HashingEncoder()
    with HybridIndex.writing(folder, encoder) as index:
        index.sync(documents, [ORIGIN])
        yield Searcher(index)


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Iterator[Searcher]:
    """All languages in one index, with the encoder of English that is the default."""
    documents = [
        made_document(f"{language}-{number}", passage)
        for language, pairs in PAIRS.items()
        for number, (passage, _) in enumerate(pairs)
    ]
    yield from index_of(tmp_path_factory.mktemp("languages"), documents, load_encoder())


def first_hits(searcher: Searcher, language: str) -> tuple[float, float]:
    """Shares of the questions whose passage comes first, and among the first three."""
    ranks = []
    for number, (_, question) in enumerate(PAIRS[language]):
        titles = [hit.title for hit in searcher.search(question, 3)]
        name = f"{language}-{number}"
        ranks.append(titles.index(name) if name in titles else 9)
    return sum(r == 0 for r in ranks) / len(ranks), sum(r < 3 for r in ranks) / len(ranks)


@pytest.mark.parametrize("language", sorted(PAIRS))
def test_questions_in_unspaced_scripts_find_their_passages(everything, language, capsys) -> None:
    words = replace(everything, config=SearchConfig(mode="bm25"))
    found = {mode: first_hits(s, language) for mode, s in (("bm25", words), ("both", everything))}
    with capsys.disabled():
        print(f"\n{language}: first, among three: {found}")
    assert found["bm25"][0] >= 0.9 and found["both"][0] >= 0.9 and found["both"][1] == 1.0


def test_vectors_of_letters_that_the_encoder_does_not_know_count_for_nothing(everything) -> None:
    for hit in everything.search("换脸的边界痕迹在哪里", 5):
        assert hit.scores["vector"] is None and hit.scores["bm25"] is not None
    # Nor do such passages come up for a question in English that shares no word with them.
    assert everything.search("seam at the border of a swapped face", 5) == []


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Wombatnet leaves a \ufb01ngerprint in each arti\ufb01cial picture.", "fingerprint"),
        ("An e\ufb03cient detector of di\ufb03cult cases.", "efficient"),
        ("\uff24\uff45\uff45\uff50\uff26\uff41\uff4b\uff45 of the year \uff12\uff10\uff12\uff15.", "DeepFake"),
        ("The year \uff12\uff10\uff12\uff15 in pictures.", "2025"),
        ("\ufed3\ufef2 \u0627\ufedf\ufeee\ufe9f\ufeea \u0627\ufedf\ufee4\ufeb0\ufbfe\ufed2", "\u0627\u0644\u0648\u062c\u0647"),
        ("\u0627\u0644\u0648\u064e\u062c\u0652\u0647 \u0627\u0644\u0645\u0632\u064a\u0641", "\u0627\u0644\u0648\u062c\u0647"),
        ("\uff83\uff9e\uff70\uff80 \u306e\u6f0f\u308c", "\u30c7\u30fc\u30bf"),
        ("चेहरे की अदला-बदली से किनारे पर निशान रहते हैं।", "किनारे"),
        ("A plain fingerprint.", "\ufb01ngerprint"),
    ],
)  # fmt: skip
def test_what_only_looks_otherwise_is_found_by_the_plain_word(tmp_path, written, asked) -> None:
    others = [made_document(f"other {i}", f"Nothing of that kind, number {i}.") for i in range(3)]
    list(index_of(tmp_path, [made_document("it", written), *others]))
    with HybridIndex.writing(tmp_path, HashingEncoder()) as index:
        words = Searcher(index, SearchConfig(mode="bm25"))
        hits = words.search(asked)
        assert [hit.title for hit in hits] == ["it"]
        assert hits[0].text == unicodedata.normalize("NFC", written)  # shown as it was written


def test_a_single_character_is_a_question(everything) -> None:
    words = replace(everything, config=SearchConfig(mode="bm25"))
    titles = {hit.title for hit in words.search("歯", 3)}
    assert titles == {"ja-5"}


def test_an_index_of_words_of_an_earlier_version_is_written_anew_without_the_encoder(
    tmp_path,
) -> None:
    encoder = HashingEncoder()
    document = made_document("zh", PAIRS["zh"][0][0])
    with HybridIndex.writing(tmp_path, encoder) as index:
        index.sync([document], [ORIGIN])
        database = index.passages._db
        with database:
            database.execute("DROP TABLE words")
            database.execute("CREATE VIRTUAL TABLE words USING fts5 (title, text)")
            database.execute("INSERT INTO words (rowid, title, text) VALUES (1, 'zh', 'x')")
        index.passages.keep("facts", "2")
    embedded = encoder.texts
    with HybridIndex.writing(tmp_path, encoder) as index:
        assert index.agreement().sound
        assert index.passages.match(["边界"], 5)
        assert encoder.texts == embedded
