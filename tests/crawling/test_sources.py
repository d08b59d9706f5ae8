"""The list of sources: the one that ships, and ones that are wrong."""

from collections import Counter

import pytest

from deepward.crawling import Source, SourcesError, load_sources
from deepward.errors import KnowledgeError

KINDS = [
    *("datasets", "research", "news", "security_blogs", "ai_labs", "government"),
    *("detection_tools", "academia", "industry", "forums"),
]


def test_the_shipped_list_has_the_ten_kinds_each_with_limits():
    sources = load_sources()
    counts = Counter(source.kind for source in sources)
    assert list(counts) == KINDS and min(counts.values()) >= 5
    assert 65 <= len(sources) <= 90
    deep = {source.kind for source in sources if source.depth >= 2}
    assert deep == {"datasets", "research"}
    assert all(source.limit <= 100 and source.hosts for source in sources)
    assert all(source.url.startswith("http") for source in sources)
    assert sum(source.feed for source in sources) >= 15
    assert all(source.feed for source in sources if source.api)
    assert all(source.keywords or source.api for source in sources)


def test_settings_of_a_kind_hold_for_its_addresses_unless_these_say_otherwise(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "mine:\n  depth: 1\n  limit: 5\n  keywords: [Deep]\n  techniques: [face-swap]\n"
        "  addresses:\n    - https://www.example.com/a\n    - {url: https://b.example, depth: 3}\n"
        "  feeds:\n    - https://c.example/feed\n"
    )
    one, two, three = load_sources(path)
    assert one == Source(
        url="https://www.example.com/a",
        kind="mine",
        depth=1,
        limit=5,
        keywords=("deep",),
        techniques=("face-swap",),
        hosts=("example.com",),
    )
    assert (two.depth, two.url, two.feed) == (3, "https://b.example/", False)
    assert (three.depth, three.feed) == (0, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "must name kinds"),
        ("a: [", "cannot be read"),
        ("a:\n  addresses:\n    - ftp://x.example\n", "line 3: .*scheme"),
        ("a:\n  addresses:\n    - http://me:pw@x.example\n", "line 3: .*credentials"),
        ("a:\n  addresses:\n    - 17\n", "line 3: url is 17"),
        (
            "a:\n  addresses:\n    - http://x.example\n    - http://x.example/#y\n",
            "line 4: .*twice",
        ),
        ("a:\n  addresses:\n    - url: http://x.example\n      depht: 2\n", "line 3: .*depht"),
        ("a:\n  depth: many\n  addresses: [http://x.example]\n", "line 3: depth is 'many'"),
        ("a:\n  keywords: x\n  addresses: [http://x.example]\n", "keywords must be a list"),
        ("a:\n  limit: 0\n  addresses: [http://x.example]\n", "limit >= 1"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path, text, words):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(SourcesError, match=words) as caught:
        load_sources(path)
    assert isinstance(caught.value, KnowledgeError) and str(path) in str(caught.value)


def test_a_list_that_is_not_there_says_so(tmp_path):
    with pytest.raises(SourcesError, match="nowhere"):
        load_sources(tmp_path / "nowhere.yaml")
