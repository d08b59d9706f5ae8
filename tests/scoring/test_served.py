"""The registered model, served over HTTP by MLflow's own server."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from resources import MODEL_NAME, Tracking
from resources.served import write_served

Ask = Callable[[Any], tuple[int, Any]]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A real server, on a port that was free a moment ago; asks it and gives status and answer."""
    model = tmp_path_factory.mktemp("served") / "model"
    write_served(shared_home / "detectors" / "baseline", model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (model.parent / "server.log").open("wb")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    place = ["--model-uri", str(model), "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    server = subprocess.Popen(
        [*command, *place], env=environment, stdout=log, stderr=log, start_new_session=True
    )

    def ask(payload: Any, path: str = "invocations") -> tuple[int, Any]:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"Content-Type": "application/json"}
        address = f"http://127.0.0.1:{port}/{path}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(address, data or None, headers), timeout=120
            ) as answer:
                return answer.status, json.loads(answer.read().strip() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    try:
        until = time.monotonic() + 240
        while True:
            assert server.poll() is None and time.monotonic() < until, Path(log.name).read_text()
            try:
                ask(b"", "ping")
                break
            except OSError:
                time.sleep(0.3)
        yield ask
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def sent(*files: Path) -> list[dict[str, str]]:
    return [
        {"picture": base64.b64encode(file.read_bytes()).decode(), "name": str(file)}
        for file in files
    ]


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few bytes."""
    header = pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_it_says_what_the_command_says_to_the_bit(
    served: Ask,
    home: Path,
    domains: Path,
    deepward: Callable[..., Any],
    json_lines: Callable[[str], list[dict[str, Any]]],
) -> None:
    files = sorted((domains / "alpha" / "test").glob("*/*.jpg"))
    assert any(file.name == "broken.jpg" for file in files)
    for some in (files, files[:1]):
        expected = json_lines(deepward("score", "--json", *some).stdout)
        status, found = served({"dataframe_records": sent(*some)})
        assert status == 200
        assert found["predictions"] == expected


def test_a_row_that_cannot_be_judged_says_why_and_the_others_are_judged(
    served: Ask, domains: Path
) -> None:
    good = sent(domains / "alpha" / "test" / "1_fake" / "000.jpg")[0]["picture"]
    rows = ["no base64!", "", base64.b64encode(bomb()).decode(), good[:600], None, 7, good]
    status, found = served({"dataframe_records": [{"picture": row} for row in rows]})
    assert status == 200
    *bad, judged = found["predictions"]
    assert {each["verdict"] for each in bad} == {"not applicable"}
    assert all(each["probability"] is None for each in bad)
    words = ["not base64", "empty", "decompression bomb", "truncated", "not base64", "not base64"]
    assert [each["reason"][: len(word)] for each, word in zip(bad, words, strict=True)] == words
    assert "/tmp" not in json.dumps(bad)
    assert judged["verdict"] in ("real", "fake", "inconclusive") and judged["path"] == ""
    # With the prefix of a data URL, and broken into lines, it is the same picture.
    lines = (good[start : start + 76] for start in range(0, len(good), 76))
    folded = "data:image/jpeg;base64," + "\n".join(lines)
    alone, again = (served({"inputs": [{"picture": each}]})[1] for each in (good, folded))
    assert alone == again


def test_what_is_no_request_is_refused_and_the_server_stays_up(served: Ask, domains: Path) -> None:
    empty = {"dataframe_split": {"columns": ["picture"], "data": []}}
    assert served(empty) == (200, {"predictions": []})
    for wrong in (b"{", {"inputs": []}, {"dataframe_records": [{"photo": "x"}]}, [1, 2]):
        assert served(wrong)[0] == 400
    row = sent(domains / "alpha" / "test" / "0_real" / "000.jpg")
    assert served({"dataframe_records": row})[0] == 200


def test_the_registered_version_loads_by_its_alias_and_holds_no_pickle(
    shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, domains: Path
) -> None:
    import mlflow.pyfunc

    monkeypatch.setenv("DEEPWARD_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    tracking = Tracking()
    folder = shared_home / "detectors" / "baseline"
    facts = json.loads((folder / "detector.json").read_text())
    content_hash = facts["sha256"]
    tracking.detector("baseline", folder, {}, {**facts, "content_hash": content_hash})
    tracking.champion(content_hash)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.address)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}@champion")
    (verdict,) = model.predict(sent(domains / "alpha" / "test" / "0_real" / "000.jpg"))
    assert verdict["detector"] == content_hash and verdict["verdict"] == "real"
