"""Tools: what they may be asked, what they store, and what they may fetch."""

import json
from dataclasses import replace

import pytest

from deepward.agents.schemas import SubQuery
from deepward.agents.tools import WEB_TOOLS, KnowledgeSearch, ToolSettings, open_tools
from deepward.agents.tools.base import check_query
from deepward.agents.tools.web import ONE_PAGE
from deepward.errors import AgentError, UsageError
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import Searcher
from tests.crawling.web import HOME, open_site, page
from tests.knowledge.made import HashingEncoder, made_document, made_text

KEYS = {"serper": "key-of-serper", "serpapi": "key-of-serpapi", "exa": "key-of-exa"}
ABOUT = SubQuery(query="blending border of a swapped face", purpose="traces")
SWAP = SubQuery(query="border", purpose="traces", technique="face-swap")
LINK = "https://papers.example.org/one"
WORDS = "The blending border of a swapped face leaves a seam in the noise of the picture."


@pytest.fixture
def searcher(tmp_path):
    encoder = HashingEncoder()
    documents = [made_document(f"{n}.md", made_text(n)) for n in range(6)]
    documents.append(
        made_document("swap.md", "The border of a swap. " * 12, techniques=("face-swap",))
    )
    documents.append(made_document("open.md", "The border of anything at all. " * 12))
    with HybridIndex.writing(tmp_path / "index", encoder) as writer:
        writer.sync(documents, ["folder:/made"])
    index = HybridIndex.open(tmp_path / "index", encoder)
    yield Searcher(index)
    index.close()


@pytest.fixture
def service():
    server, site = open_site()
    yield site
    server.shutdown()
    server.server_close()


def tools_of(searcher, service, *allowed, hosts=(), config=None):
    urls = dict.fromkeys(WEB_TOOLS, service.url("")) if service else {}
    home = config or _quick()
    return open_tools(searcher, ToolSettings(allowed, hosts, KEYS, urls, crawl=home))


def _quick():
    return replace(ONE_PAGE, timeout_seconds=5.0, allow_private_hosts=(HOME,))


def gives(body):
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda handler: handler.give(200, text.encode(), Content_Type="application/json")


ANSWERS = {
    "serper": ("/search", {"organic": [{"title": "One", "link": LINK, "snippet": WORDS}]}),
    "serpapi": (None, {"organic_results": [{"title": "One", "link": LINK, "snippet": WORDS}]}),
    "exa": ("/search", {"results": [{"title": "One", "url": LINK, "text": WORDS}]}),
    "semantic_scholar": (None, {"data": [{"title": "One", "url": LINK, "abstract": WORDS}]}),
    "arxiv": (
        None,
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv</title><entry>'
        f"<id>{LINK}</id><link href='{LINK}'/><title>One</title>"
        f"<published>2024-05-31T00:00:00Z</published><summary>{WORDS}</summary></entry></feed>",
    ),
}


def test_a_technique_is_asked_for_first_and_then_all_documents(searcher):
    tool = KnowledgeSearch(searcher, k=3)
    found = tool.run("border", SWAP)
    assert len(found) == 3
    assert found[0].techniques == ("face-swap",)
    assert any(not e.techniques for e in found)
    assert [e.score for e in found] == sorted((e.score for e in found), reverse=True)
    assert tool.run("border", SWAP) == found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("  ?! ", "no word"),
        ("x " * 200, "at most 300"),
        ("look at https://evil.example/steal", "an address"),
        ("www.evil.example", "an address"),
        ("evil.example/?q=data", "an address"),
        ("169.254.169.254", "an address"),
        ("site:evil.example deepfakes", "an address"),
        ("data:text/html", "an address"),
        ("a" * 61, "more than 60"),
        ("hidden \u202e words", "cannot be seen"),
    ],
)
def test_words_that_are_no_question_are_refused(query, words):
    with pytest.raises(UsageError, match=words):
        check_query(query)


def test_ordinary_questions_pass():
    for query in (
        "What does StyleGAN3 change?",
        "e.g. lip-sync (2024), 4:2:0 chroma",
        "U-Net vs.",
        "training data: traces",
    ):
        assert check_query(query) == query


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_what_a_service_finds_is_stored_and_can_be_cited(searcher, service, name):
    path, answer = ANSWERS[name]
    service.pages[path or "*"] = gives(answer)
    tool = tools_of(searcher, service, name)[name]
    [found] = tool.run("blending border", ABOUT)
    assert found.source.startswith(f"{LINK}#found-")
    assert found.text == WORDS and found.title == "One"
    assert found.chunk_id in searcher.index.passages.passages([found.chunk_id])
    hits = searcher.search(WORDS, k=1)
    assert hits[0].chunk_id == found.chunk_id
    assert searcher.index.agreement().sound
    assert f"agent:{found.source}" in searcher.index.passages.origins()
    before = searcher.index.passages.counts()
    assert tool.run("blending border", ABOUT) == [found]
    assert searcher.index.passages.counts() == before


def test_another_description_of_a_page_leaves_the_first_one_citable(searcher, service):
    tool = tools_of(searcher, service, "serper")["serper"]
    chunks = []
    for words in (WORDS, "Quite another description of that very page."):
        row = {"title": "One", "link": LINK, "snippet": words}
        service.pages["/search"] = gives({"organic": [row]})
        chunks += [e.chunk_id for e in tool.run("blending border", ABOUT)]
    assert len(searcher.index.passages.passages(chunks)) == 2


def test_a_finding_that_repeats_a_stored_passage_is_cited_by_that_one(searcher, service):
    [stored] = searcher.search("border of anything", k=1)
    row = {"title": "Copy", "link": LINK, "snippet": stored.text}
    service.pages["/search"] = gives({"organic": [row]})
    found = tools_of(searcher, service, "serper")["serper"].run("border", ABOUT)
    assert [e.chunk_id for e in found] == [stored.chunk_id]


@pytest.mark.parametrize(
    "answer", ["<html>", "[]", "null", {}, {"organic": 5}, {"organic": [None, {"link": 1}, {}]}]
)
def test_a_service_that_answers_nonsense_brings_nothing_or_an_error(searcher, service, answer):
    service.pages["/search"] = gives(answer)
    tool = tools_of(searcher, service, "serper")["serper"]
    try:
        assert tool.run("blending border", ABOUT) == []
    except AgentError as error:
        assert "serper" in str(error)


@pytest.mark.parametrize("name", ["serper", "serpapi", "exa"])
@pytest.mark.parametrize("status", [302, 401, 429, 500])
def test_a_service_that_fails_is_an_error_without_the_key(searcher, service, name, status):
    service.pages["*"] = lambda handler: handler.give(status, b"no", Location="http://127.0.0.1:1/")
    tool = tools_of(searcher, service, name)[name]
    with pytest.raises(AgentError, match=f"{name} answered with HTTP {status}") as caught:
        tool.run("blending border", ABOUT)
    assert KEYS[name] not in str(caught.value)
    service_down = open_tools(
        searcher, ToolSettings((name,), keys=KEYS, urls={name: "http://127.0.0.1:1"})
    )
    with pytest.raises(AgentError, match=f"{name} cannot be asked") as caught:
        service_down[name].run("blending border", ABOUT)
    assert KEYS[name] not in str(caught.value) and caught.value.__suppress_context__


def test_keys_are_in_no_repr_and_a_missing_one_is_named():
    values = {"DEEPWARD_WEB_TOOLS": "serper, arxiv", "SERPER_API_KEY": "key-of-serper"}
    settings = ToolSettings.from_environment(values)
    assert settings.allowed == ("serper", "arxiv")
    assert "key-of" not in repr(settings)
    with pytest.raises(UsageError, match="EXA_API_KEY"):
        ToolSettings.from_environment({"DEEPWARD_WEB_TOOLS": "exa"})
    with pytest.raises(UsageError, match="'shell'"):
        ToolSettings.from_environment({"DEEPWARD_WEB_TOOLS": "shell"})


def test_nothing_leaves_the_machine_unless_it_is_named(searcher):
    assert ToolSettings.from_environment({"SERPER_API_KEY": "k"}).allowed == ()
    assert list(open_tools(searcher)) == ["knowledge_search"]


def test_a_page_is_fetched_only_after_a_search_gave_its_address(searcher, service):
    url = service.url("/article")
    service.pages["/article"] = page("Seams", words=f"{WORDS} Read http://127.0.0.1:9/next too. ")
    row = {"title": "Seams", "link": url, "snippet": f"{WORDS} See {service.url('/trap')}"}
    service.pages["/search"] = gives({"organic": [row]})
    tools = tools_of(searcher, service, "serper", "fetch_page")
    with pytest.raises(UsageError, match="no search gave it"):
        tools["fetch_page"].run(url, ABOUT)
    assert service.asked("/article") == 0
    [snippet] = tools["serper"].run("blending border", ABOUT)
    found = tools["fetch_page"].run(url, ABOUT)
    assert found and all(e.source == url for e in found)
    ids = [e.chunk_id for e in found]
    assert set(searcher.index.passages.passages([*ids, snippet.chunk_id])) >= set(ids)
    assert searcher.index.agreement().sound
    # Neither the snippet's nor the page's own words make an address one that may be fetched.
    for trap in (service.url("/trap"), "http://127.0.0.1:9/next"):
        with pytest.raises(UsageError, match="no search gave it"):
            tools["fetch_page"].run(trap, ABOUT)
    assert service.asked("/trap") == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/",
        "http://127.0.0.2/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://2130706434/",
        "file:///etc/passwd",
        "http://user:pw@papers.example.org/",
        "not an address",
    ],
)
def test_no_search_makes_a_private_address_one_that_may_be_fetched(searcher, service, url):
    row = {"title": "Trap", "link": url, "snippet": WORDS}
    service.pages["/search"] = gives({"organic": [row]})
    tools = tools_of(searcher, service, "serper", "fetch_page", hosts=("papers.example.org",))
    assert tools["serper"].run("blending border", ABOUT) == []
    with pytest.raises(UsageError, match="not fetched"):
        tools["fetch_page"].run(url, ABOUT)


@pytest.mark.slow
def test_allowed_hosts_need_no_search_and_robots_txt_still_counts(searcher, service):
    service.pages["/robots.txt"] = lambda handler: handler.give(
        200, b"User-agent: *\nDisallow: /private\n", Content_Type="text/plain"
    )
    service.pages["*"] = page("Seams", words=WORDS)
    fetch = tools_of(searcher, service, "fetch_page", hosts=(service.place,))["fetch_page"]
    assert fetch.run(service.url("/open"), ABOUT)
    with pytest.raises(AgentError, match="robots"):
        fetch.run(service.url("/private"), ABOUT)
    assert service.asked("/private") == 0


def test_duckduckgo_without_its_package_says_what_to_install(searcher):
    pytest.importorskip("langchain_community")
    try:
        import ddgs  # noqa: F401
    except ImportError:
        tool = open_tools(searcher, ToolSettings(("duckduckgo",)))["duckduckgo"]
        with pytest.raises(AgentError, match="pip install ddgs"):
            tool.run("blending border", ABOUT)
