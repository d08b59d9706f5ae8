"""The same index with a real Chroma server on loopback."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepward.errors import KnowledgeError
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import Filters, Searcher
from tests.knowledge.made import HashingEncoder, made_document, made_text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [Path(sys.executable).parent / "chroma", "run", "--path", folder]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(timeout=30)


def test_an_index_on_a_server_answers_as_one_on_disk(server: str, tmp_path: Path) -> None:
    documents = [
        made_document(f"d{i}", made_text(i), techniques=("gan",) if i % 2 else ()) for i in range(6)
    ]
    answers = []
    for name, url in (("disk", ""), ("server", server)):
        with HybridIndex.writing(tmp_path / name, HashingEncoder(), chroma_url=url) as index:
            index.sync(documents, ["folder:/made"])
            assert index.agreement().sound
            found = Searcher(index).search(made_text(3)[:200], 5, Filters(techniques=("gan",)))
            answers.append([(hit.chunk_id, hit.scores["bm25"]) for hit in found])
            index.sync(documents[1:], ["folder:/made"])
            assert index.agreement().sound
    assert answers[0] == answers[1] and answers[0]
    assert not (tmp_path / "server" / "chroma").exists()


def test_a_server_that_lost_its_data_is_filled_again_without_the_encoder(
    server: str, tmp_path: Path
) -> None:
    encoder = HashingEncoder()
    documents = [made_document(f"d{i}", made_text(i)) for i in range(3)]
    with HybridIndex.writing(tmp_path, encoder, chroma_url=server, rebuild=True) as index:
        index.sync(documents, ["folder:/made"])
        index.vectors.remove(sorted(index.vectors.ids()))
    embedded = encoder.texts
    with HybridIndex.writing(tmp_path, encoder, chroma_url=server) as index:
        assert index.agreement().sound and index.vectors.ids()
    assert encoder.texts == embedded


def test_two_knowledge_bases_share_a_server_in_collections_of_their_own(
    server: str, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        url = f"{server}/{name}"
        with HybridIndex.writing(tmp_path / name, HashingEncoder(), chroma_url=url) as index:
            index.sync([made_document(name, made_text(1))], ["folder:/made"])
    for name in ("one", "two"):
        index = HybridIndex.open(tmp_path / name, HashingEncoder(), chroma_url=f"{server}/{name}")
        assert index.agreement().sound and index.vectors.ids()
        index.close()


def test_a_server_that_does_not_answer_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"127\.0\.0\.1:9"):
        HybridIndex.writing(tmp_path, HashingEncoder(), chroma_url="http://127.0.0.1:9").__enter__()
    with pytest.raises(KnowledgeError, match="not the address"):
        HybridIndex.writing(tmp_path, HashingEncoder(), chroma_url="chroma").__enter__()
