"""What models and servers answer in the wild: read, or sent back with what is wrong with it."""

import json

import pytest

from deepward.agents.backends.endpoint import Endpoint, EndpointBackend
from deepward.agents.brief import run_brief
from deepward.agents.parsing import parse
from deepward.agents.schemas import SubQueries
from deepward.errors import AgentError
from tests.agents.requests import strategy_request
from tests.agents.wire import serve_wire
from tests.agents.workers import BRIEF, calls, everybody, small_searcher

SOON = {"retry-after-ms": "20"}


def queries(words: str) -> str:
    return json.dumps({"queries": [{"query": words, "purpose": "to know"}]})


GOOD = queries("traces")
LONGER = queries("a draft that is longer than the answer which follows it in the end")
PARTS = [
    {"type": "reasoning", "text": LONGER},
    {"type": "text", "text": GOOD[:20]},
    {"type": "text", "text": GOOD[20:]},
]
CUT = '{"queries": [{"query": "traces", "purpose": "to know"}, {"query": "and then'


@pytest.fixture
def wire():
    with serve_wire() as wire:
        yield wire


def ask(wire, order):
    wire.script = [order]
    backend = EndpointBackend(Endpoint(wire.url, timeout=2.0, retries=0), "odd")
    return parse(backend.answer(strategy_request()).text, SubQueries)


@pytest.mark.parametrize(
    "order",
    [
        f"<think>First {LONGER} Or not.</think>\n{GOOD}",
        f"First {LONGER} Or not.</think>\n```json\n{GOOD}\n```",
        f"<think>Is {{this}} one?</think><think>{LONGER}</think>{GOOD}",
        f"<reasoning>{LONGER}</reasoning>Here you are:\n~~~\n{GOOD}\n~~~",
        f"{GOOD}\n<think>Perhaps rather {LONGER}",
        f"```\n{GOOD}\n```",
        f"```JSON\r\n{GOOD}\r\n```\r\nI hope that helps {{you}}!",
        {"content": GOOD, "reasoning_content": LONGER},
        {"content": PARTS},
        {"content": GOOD, "finish": "length"},
    ],
    ids=[
        "thinking",
        "thinking that the template opened",
        "thinking twice",
        "reasoning",
        "thinking afterwards",
        "fence",
        "named fence",
        "reasoning in a field",
        "parts",
        "cut after the object",
    ],
)
def test_an_answer_is_found_in_what_a_model_says_around_it(wire, order):
    checked = ask(wire, order)
    assert checked.missing == () and checked.removed == ()
    assert [query.query for query in checked.work.queries] == ["traces"]


def test_a_sign_in_two_halves_is_one_sign(wire):
    assert ask(wire, GOOD.replace("traces", "\\ud83d\\ude00")).work.queries[0].query == "😀"


def test_thoughts_that_an_answer_quotes_are_left_in_it(wire):
    words = "what </think> and <think> do in a prompt"
    assert ask(wire, queries(words)).work.queries[0].query == words


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (CUT, "ends in the middle"),
        (f"Like {GOOD} but:\n```json\n{CUT}", "ends in the middle"),
        ({"content": CUT, "finish": "length"}, "ends in the middle"),
        (f"<think>Perhaps {LONGER}, or", "still thinking"),
        ({"content": None, "finish": "length", "reasoning_content": LONGER}, "empty"),
        ({"content": None}, "empty"),
        ({"content": None, "refusal": "I cannot help with that."}, "I cannot help"),
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "empty"),
        ({"content": ""}, "empty"),
        ("{'queries': []}", "no JSON object"),
        (GOOD.replace("traces", "\\ud83d"), r"half of a character, '\ud83d'"),
        (GOOD.replace("traces", "\\udc00 \\ud83d"), "half of a character"),
    ],
    ids=[
        *("cut", "cut after an example", "cut by length", "cut while thinking"),
        *(
            "thought alone",
            "null",
            "refusal",
            "a picture",
            "nothing",
            "Python",
            "half a sign",
            "halves in the wrong order",
        ),
    ],
)
def test_an_answer_that_cannot_be_read_is_sent_back_with_the_reason(wire, order, words):
    checked = ask(wire, order)
    assert checked.work is None and len(checked.missing) == 1
    assert words in checked.missing[0]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (b"<!doctype html><html><title>Log in</title></html>", "a web page.*check `url`"),
        (b"[]", "no chat completion"),
        ((500, SOON, "oops"), "HTTP 500: .*oops"),
        ((500, SOON, "<html>\x1b[2J</html>"), r"HTTP 500: [^\x1b]*$"),
    ],
    ids=["page", "list", "500", "500 with control characters"],
)
def test_a_server_that_gives_no_completion_is_named_with_what_it_gave(wire, order, words):
    with pytest.raises(AgentError, match=words):
        ask(wire, order)


def test_a_run_goes_on_after_answers_that_could_not_be_read(wire, tmp_path):
    wire.script = [
        {"content": CUT, "finish": "length"},
        {"content": None},
        f"<think>{LONGER}</think>{GOOD}",
    ]
    backend = EndpointBackend(Endpoint(wire.url, timeout=2.0, retries=0), "odd")
    with small_searcher(tmp_path / "index") as searcher, pytest.raises(AgentError):
        run_brief(BRIEF, searcher, everybody(backend), tmp_path / "out")  # then it says {} only
    made = [c for c in calls(tmp_path / "out") if c["agent"] == "query_strategist"]
    assert [c["verdict"] for c in made] == ["sent back", "sent back", "passed"]
    assert "ends in the middle" in made[1]["input"]["feedback"][0]
    assert json.loads(made[2]["output"]) == json.loads(GOOD)
