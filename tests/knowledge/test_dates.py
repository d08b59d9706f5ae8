"""A date is an interval of days, and both parts of the index keep to the same one."""

import datetime
from pathlib import Path

import pytest

from deepward.errors import KnowledgeError, UsageError
from deepward.knowledge.dates import Days, iso_date
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.index.filters import Filters
from tests.knowledge.made import HashingEncoder, made_document, made_text

DATES = ["2023", "2023-12-31", "2024", "2024-02", "2024-06-15", "2024-12-31", "2025-01", None]
ASKED = [
    (None, "2024"),
    ("2024", None),
    ("2024-02-29", "2024-02-29"),
    ("2024-06-16", None),
    (None, "2024-06"),
    ("2023-06", "2024-01"),
    ("2025-01-31", "2025"),
    ("2024", "2024"),
]


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024", (2024, 1, 1), (2024, 12, 31)),
        ("2024-02", (2024, 2, 1), (2024, 2, 29)),
        ("2023-02", (2023, 2, 1), (2023, 2, 28)),
        ("2024-12", (2024, 12, 1), (2024, 12, 31)),
        ("2024-06-15", (2024, 6, 15), (2024, 6, 15)),
    ],
)
def test_a_date_is_all_the_days_it_may_mean(text: str, first, last) -> None:
    assert Days.parse(text) == Days(datetime.date(*first), datetime.date(*last))


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize(
    "date",
    ["2024-13-45", "2024-00", "2023-02-29", "0000", "24", "2024-6-1", "yesterday", "2024-01-01T0"],
)
def test_a_date_that_no_calendar_has_is_wrong_use(field: str, date: str) -> None:
    with pytest.raises(UsageError, match=field):
        Filters(**{field: date})


def test_an_interval_that_ends_before_it_begins_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="later"):
        Filters(since="2025", until="2024")
    assert Filters(since="2024-06", until="2024").days is not None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("2024-06-15T10:00:00Z", "2024-06-15"),
        ("2024-06 ", "2024-06"),
        ("2024-13-45", None),
        ("June 12, 2024", None),
        (datetime.datetime(2024, 6, 15, 10), "2024-06-15"),
        (None, None),
    ],
)
def test_what_a_page_gives_as_its_date_is_a_date_or_nothing(found, expected) -> None:
    assert iso_date(found) == expected


def test_words_and_vectors_agree_on_every_date(tmp_path: Path) -> None:
    encoder = HashingEncoder()
    documents = [
        made_document(f"d{i}", f"A seam. {made_text(100 + i, 1)[:150]}", date=date)
        for i, date in enumerate(DATES)
    ]
    with HybridIndex.writing(tmp_path, encoder) as index:
        index.sync(documents, ["folder:/made"])
        titles = {p.id: d.title for d in documents for p in _passages(index, d.source)}
        for since, until in ASKED:
            asked = Filters(since=since, until=until)
            by_words = {titles[i] for i, _ in index.passages.match(["seam"], 99, asked)}
            [near] = index.vectors.nearest(encoder.encode(["seam"]), 99, asked)
            assert {titles[i] for i, _ in near} == by_words == _expected(since, until), asked


def _passages(index: HybridIndex, source: str):
    return index.passages.passages(index.passages.all_ids_of(source)).values()


def _expected(since: str | None, until: str | None) -> set[str]:
    """Day by day: some day that the document's date may mean is one that was asked for."""
    asked = {day for day in _calendar() if (since or "") <= day <= (until or "9") + "~"}
    return {
        f"d{i}"
        for i, date in enumerate(DATES)
        if date and any(day.startswith(date) for day in asked)
    }


def _calendar() -> list[str]:
    begin = datetime.date(2022, 1, 1)
    return [str(begin + datetime.timedelta(days=n)) for n in range(5 * 366)]


def test_what_a_document_no_longer_says_of_itself_finds_it_no_longer(tmp_path: Path) -> None:
    encoder, text = HashingEncoder(), made_text(5, 1)[:190]
    said = made_document("d", text, date="2024-05", techniques=("gan",))
    with HybridIndex.writing(tmp_path, encoder) as index:
        for document, number in ((said, 1), (made_document("d", text), 0)):
            index.sync([document], ["folder:/made"])
            for asked in (Filters(techniques=("gan",)), Filters(since="2024")):
                [near] = index.vectors.nearest(encoder.encode([text]), 9, asked)
                assert len(near) == len(index.passages.match(text.split(), 9, asked)) == number


def test_vectors_with_facts_of_another_version_are_stored_anew_without_the_encoder(
    tmp_path: Path,
) -> None:
    encoder, text = HashingEncoder(), made_text(6, 1)
    with HybridIndex.writing(tmp_path, encoder) as index:
        index.sync([made_document("d", text, date="2024-05")], ["folder:/made"])
        every = sorted(index.passages.ids())
        index.vectors._collection.update(
            every, metadatas=[{"first_day": None, "last_day": None, "day": 20240501}] * len(every)
        )
        index.passages.keep("facts", "1")
    with pytest.raises(KnowledgeError, match="another version"):
        HybridIndex.open(tmp_path, encoder)
    embedded = encoder.texts
    with HybridIndex.writing(tmp_path, encoder) as index:
        [near] = index.vectors.nearest(encoder.encode([text]), 9, Filters(until="2024"))
        assert {i for i, _ in near} == index.passages.ids()
    assert encoder.texts == embedded + 1
