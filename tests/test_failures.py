"""Word of failed runs: once, without secrets, and to nobody who may not be asked."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from deepward import errors
from deepward.failures import Failure, is_refusal, note_failure, send_failure, without_secrets

FAILURE = Failure(
    "2026-11-27T00:00:00+00:00", "run-1", "learn_domain", "alpha", ("domain_manifest",), True,
    "DomainError", "There is no fake.",
)  # fmt: skip


class Listener(HTTPServer):
    """A chat that takes what it is sent, at `/ok`; sends others on, or fails."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Any]] = []
        super().__init__(("127.0.0.1", 0), Answering)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Answering(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, self.headers["Host"], body))
        self.send_response({"/ok": 200, "/away": 302}.get(self.path, 500))
        self.send_header("Location", "/ok")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_failed_run_is_one_line_however_often_it_is_told_of(tmp_path: Path) -> None:
    assert note_failure(tmp_path, FAILURE)
    assert not note_failure(tmp_path, FAILURE)
    [line] = (tmp_path / "failures.jsonl").read_text().splitlines()
    assert json.loads(line)["partition"] == "alpha" and json.loads(line)["refused"] is True


@pytest.mark.parametrize(
    ("classes", "refused"),
    [
        (["DagsterExecutionStepExecutionError", "UsageError"], True),
        (["DagsterExecutionStepExecutionError", "UnreadableImage"], True),
        (["DagsterExecutionStepExecutionError", "DagsterInvariantViolationError"], True),
        (["Failure"], True),  # domains that failed one by one
        (["DagsterExecutionStepExecutionError", "OSError"], False),
        (["DagsterExecutionStepExecutionError", "AgentError"], False),
        ([], False),  # killed
    ],
)
def test_a_refused_input_is_told_from_a_machine_that_failed(
    classes: list[str], refused: bool
) -> None:
    assert is_refusal(classes) is refused


def test_every_deliberate_error_but_one_of_a_service_is_a_refusal() -> None:
    assert {name for name in errors.__all__ if not is_refusal([name])} == {"AgentError"}


@pytest.mark.parametrize(
    "text",
    [
        "GET https://user:hunter22@host/a",
        "see https://host/hook?key=hunter22&x=1 now",
        "Authorization: Bearer hunter22hunter22",
        "{'api_key': 'hunter22', 'a': 1}",
        "password=hunter22 for it",
        "MY_SERVICE_TOKEN=hunter22",
        "the value hunter22 was refused",
    ],
)
def test_no_secret_is_told(text: str) -> None:
    found = without_secrets(text, {"COHERE_API_KEY": "hunter22", "HOME": "/home/ann"})
    assert "hunter22" not in found and "***" in found


def test_what_is_no_secret_is_told_as_it_is_on_one_line_of_bounded_length() -> None:
    text = "There is no folder /home/ann/alpha.\nPut it back: 3 of 4 tokens were read."
    assert without_secrets(text, {"HOME": "/home/ann"}) == text.replace("\n", " ")
    assert len(without_secrets("a b " * 5000, {})) == 2000


def test_an_allowed_listener_hears_the_failure(listener: Listener) -> None:
    assert send_failure(listener.url("/ok"), FAILURE, ["127.0.0.1"]) == "sent"
    [(path, host, body)] = listener.heard
    assert (path, host) == ("/ok", f"127.0.0.1:{listener.server_port}")
    assert body["run_id"] == "run-1" and "an input was refused" in body["text"]


def test_a_name_is_asked_at_the_address_that_was_checked(listener: Listener) -> None:
    url = f"http://localhost:{listener.server_port}/ok"
    assert send_failure(url, FAILURE, ["localhost"]) == "sent"
    assert listener.heard[0][1] == f"localhost:{listener.server_port}"


def test_private_addresses_are_not_asked_whatever_they_are_called(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url in (listener.url("/ok"), f"http://localhost:{listener.server_port}/ok"):
        assert "private_address" in send_failure(url, FAILURE)
    # A public name that leads to a private address leads nowhere.
    import socket

    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", listener.server_port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    url = f"http://hooks.example.org:{listener.server_port}/ok"
    assert "private_address" in send_failure(url, FAILURE)
    assert listener.heard == []


def test_what_goes_wrong_is_said_without_the_address_and_raises_nothing(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = ["127.0.0.1"]
    assert send_failure(listener.url("/broken"), FAILURE, allowed) == "not taken: HTTP 500"
    # Redirects would carry the message, and a key in the path, to another host.
    assert send_failure(listener.url("/away"), FAILURE, allowed) == "not taken: HTTP 302"
    assert [path for path, _, _ in listener.heard] == ["/broken", "/away"]
    assert "(scheme)" in send_failure("ftp://host/secret", FAILURE)
    assert "(credentials)" in send_failure("https://a:secret@host/", FAILURE)
    assert send_failure("http://127.0.0.1:9/secret", FAILURE, allowed) == "not sent (ConnectError)"
    import socket

    def nowhere(*_: Any, **__: Any) -> None:
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    said = send_failure("https://hooks.example.org/secret", FAILURE)
    assert "no address" in said and "secret" not in said
