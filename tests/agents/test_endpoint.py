"""Servers that speak the OpenAI protocol: real ones on loopback, well and badly behaved."""

import importlib.util
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from dataclasses import replace
from types import SimpleNamespace

import pytest

from deepward.agents.backends.endpoint import Endpoint, EndpointBackend
from deepward.agents.backends.table import agent_table, open_backends
from deepward.agents.parsing import parse
from deepward.agents.schemas import SubQueries
from deepward.errors import AgentError, UsageError
from tests.agents.requests import evidence, report_request, strategy_request
from tests.agents.tiny import make_tiny_chat
from tests.agents.wire import serve_wire
from tests.knowledge.made import HashingEncoder

KEY = "sk-very-secret-0123456789"
GOOD = '{"queries": [{"query": "traces", "purpose": "artefacts", "technique": null}]}'
SOON = {"retry-after-ms": "20"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return make_tiny_chat(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture
def wire():
    with serve_wire() as wire:
        yield wire


def backend(wire, **changes) -> EndpointBackend:
    settings = {"key": KEY, "timeout": 0.4, "retries": 2, "deadline": 10.0, **changes}
    return EndpointBackend(Endpoint(wire.url, **settings), "tiny")


def test_a_tiny_model_answers_over_the_wire(tiny):
    with serve_wire(tiny) as wire:
        asked = backend(wire, timeout=30.0)
        answer = asked.answer(strategy_request(seed=1))
        assert asked.answer(strategy_request(seed=1)) == answer
        assert asked.answer(strategy_request(seed=2)).text != answer.text
    assert answer.tokens_in > 500 and 0 < answer.tokens_out <= 24
    assert parse(answer.text, SubQueries).work is None  # random weights write nonsense
    body = wire.bodies[0]
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("tiny", 0.7, 24)
    assert wire.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("accelerate") is None, reason="transformers serve needs accelerate"
)
def test_the_server_of_transformers_answers(tiny):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [shutil.which("transformers", path=os.path.dirname(sys.executable)), "serve"]
    command += [str(tiny), "--device", "cpu", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, env=offline, **quiet)
    try:
        for _ in range(900):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, "the server ended"
                threading.Event().wait(0.2)
        asked = EndpointBackend(Endpoint(f"http://127.0.0.1:{port}", timeout=60.0), str(tiny))
        answer = asked.answer(strategy_request())
    finally:
        server.kill()
        server.wait()
    assert answer.tokens_in > 500 and 0 < answer.tokens_out <= 24
    assert parse(answer.text, SubQueries).work is None


def test_json_among_words_is_taken_out_of_an_answer(wire):
    wire.script = [f"Certainly!\n```json\n{GOOD}\n```\nGood luck."]
    assert backend(wire).answer(strategy_request()).text == GOOD


@pytest.mark.parametrize(
    "trouble",
    [
        (429, SOON, "slow down"),
        (500, SOON, "oops"),
        (503, SOON, "busy"),
        {"do": "hang"},
        {"do": "cut"},
    ],
    ids=["429", "500", "503", "slow", "cut connection"],
)
def test_passing_trouble_is_retried(wire, trouble):
    wire.script = [trouble, GOOD]
    assert backend(wire).answer(strategy_request()).text == GOOD
    assert len(wire.bodies) == 2
    assert wire.bodies[0] == wire.bodies[1]


def test_the_pause_that_a_server_asks_for_is_kept(wire):
    wire.script = [(429, {"retry-after": "1"}, "slow down"), GOOD]
    backend(wire).answer(strategy_request())
    assert wire.at[1] - wire.at[0] >= 1.0


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ((429, SOON, "slow down"), "asked too often"),
        ((500, SOON, "oops"), "HTTP 500"),
        ({"do": "cut"}, "cut the connection"),
        ({"do": "hang"}, "sent nothing for 0.4 s, 3 times"),
    ],
    ids=["429", "500", "cut connection", "slow"],
)
def test_lasting_trouble_ends_after_the_bounded_number_of_tries(wire, trouble, words):
    wire.script = [trouble] * 10
    with pytest.raises(AgentError, match=words):
        backend(wire).answer(strategy_request())
    assert len(wire.bodies) == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "understand"), (401, "accept the key"), (403, "may not use"), (404, "no such model")],
)
def test_refusals_are_not_retried_and_say_what_to_do(wire, status, words):
    wire.script = [(status, {}, "no")] * 3
    with pytest.raises(AgentError, match=words):
        backend(wire).answer(strategy_request())
    assert len(wire.bodies) == 1


def test_a_server_that_drips_is_given_up_at_the_deadline(wire):
    wire.script = [{"do": "drip"}] * 3
    begun = time.monotonic()
    with pytest.raises(AgentError, match=r"within 0\.6 s"):
        backend(wire, deadline=0.6).answer(strategy_request())
    assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b'{"choices": []}', b"{}"])
def test_an_answer_that_is_no_completion_is_an_error(wire, body):
    wire.script = [body] * 3
    with pytest.raises(AgentError):
        backend(wire, retries=0).answer(strategy_request())


def test_a_server_that_is_not_there_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    asked = EndpointBackend(Endpoint(url, retries=0), "tiny")
    with pytest.raises(AgentError, match=f"{url}/v1 failed for tiny: it cannot be reached"):
        asked.answer(strategy_request())


def test_the_key_is_in_no_error_no_log_and_no_repr(wire, caplog):
    caplog.set_level(logging.DEBUG)
    asked = backend(wire, retries=1)
    # A server may echo what it was sent.
    for trouble in [(401, {}, f"bad key {KEY}"), (500, SOON, f"Bearer {KEY}"), {"do": "cut"}]:
        wire.script = [trouble] * 2
        with pytest.raises(AgentError) as caught:
            asked.answer(strategy_request())
        assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in caplog.text
    assert KEY not in repr(asked)
    assert wire.headers[0]["authorization"] == f"Bearer {KEY}"


def test_a_redirect_does_not_carry_the_key_to_another_host(wire):
    with serve_wire() as other:
        wire.script = [(307, {"location": f"{other.url}/chat/completions"}, "moved")]
        with pytest.raises(AgentError, match="HTTP 307"):
            backend(wire).answer(strategy_request())
        assert other.headers == []


def test_requests_are_spread_over_the_minute(monkeypatch):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr("langchain_core.rate_limiters.time", clock)
    server = Endpoint("http://127.0.0.1:1", per_minute=30.0)
    waited = []
    for pause in (0.0, 0.0, 0.0, 10.0, 0.0):
        now[0] += pause
        before = len(slept)
        server.wait()
        waited.append(sum(slept[before:]))
    assert waited == pytest.approx([0.0, 2.0, 2.0, 0.0, 2.0], abs=0.11)
    before = len(slept)
    for _ in range(3):
        Endpoint("http://127.0.0.1:1").wait()
    assert len(slept) == before


def test_passages_are_trimmed_to_the_context_that_is_told(wire):
    passages = [evidence(n, "blending traces at the border " * 12) for n in range(60)]
    asked = replace(backend(wire), context=4096)
    asked.answer(report_request(passages))
    sent = sum(len(message["content"]) for message in wire.bodies[0]["messages"])
    assert sent <= 3 * 4096
    assert "evidence_left_out" in wire.bodies[0]["messages"][1]["content"]
    assert asked.input_tokens(report_request(passages)) >= sent


def test_a_schema_is_sent_where_the_server_can_keep_to_it(wire):
    replace(backend(wire), structured=True).answer(strategy_request())
    schema = wire.bodies[0]["response_format"]["json_schema"]["schema"]
    assert schema == SubQueries.model_json_schema()


def test_the_table_names_the_server_and_the_variable_of_its_key(wire, tmp_path):
    path = tmp_path / "agents.yaml"
    path.write_text(
        "agents:\n  default: {backend: endpoint, model: tiny}\n  manager: {temperature: 0}\n"
        f"endpoint: {{url: '{wire.url}', key: MY_KEY}}\n"
    )
    with pytest.raises(UsageError, match="MY_KEY is not set"):
        agent_table("embedded", path, {})
    table = agent_table("embedded", path, {"MY_KEY": KEY})
    assert KEY not in repr(table)
    backends = open_backends(table, HashingEncoder())
    wire.script = [GOOD]
    assert backends["query_strategist"].answer(strategy_request()).text == GOOD
    assert wire.headers[0]["authorization"] == f"Bearer {KEY}"
    assert backends["manager"] is not backends["info_refiner"]


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:8000", "http://", "http://user:pw@host/v1", "http://h/v1?k=secret"]
)
def test_addresses_that_are_none_or_carry_secrets_are_refused(url):
    with pytest.raises(UsageError) as caught:
        Endpoint(url)
    assert "pw@" not in str(caught.value) and "k=secret" not in str(caught.value)
