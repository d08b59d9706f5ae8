"""kill -9 between any two nodes: the next run goes on, and ends as one that was never disturbed."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import pytest

from deepward.agents.schemas import FLOW
from tests.agents import killed
from tests.agents.workers import small_searcher, timeless

NODES = [name for agent in FLOW for name in (agent, "manager")]
OUTPUTS = ("report.json", "attack_patterns.json", "prompts.json", "report.md")
Run = Callable[..., int]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Runs the brief in a fresh process and returns how that ended."""
    index = tmp_path_factory.mktemp("index") / "index"
    with small_searcher(index):
        pass
    processes = multiprocessing.get_context("forkserver")
    # Imported once in the process that the others are forked from; it opens nothing.
    heavy = ["chromadb.api.rust", "langgraph.checkpoint.sqlite", "langgraph.graph"]
    heavy += ["sklearn.feature_extraction.text"]
    processes.set_forkserver_preload(["tests.agents.killed", *heavy])

    def start(out: Path, log: Path, moment: str = "", number: int = 0) -> int:
        process = processes.Process(target=killed.run, args=(index, out, log, moment, number))
        process.start()
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    return start


@pytest.fixture(scope="module")
def undisturbed(run, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(folder / "out", folder / "log") == 0
    assert (folder / "log").read_text().split() == NODES
    return folder / "out"


def ends_alike(out: Path, undisturbed: Path) -> bool:
    assert [call["step"] for call in timeless(out)] == list(range(1, len(NODES) + 1))
    assert timeless(out) == timeless(undisturbed)
    assert {path.name for path in out.iterdir()} == {path.name for path in undisturbed.iterdir()}
    return all((out / n).read_bytes() == (undisturbed / n).read_bytes() for n in OUTPUTS)


# The first two checkpoints are of the input and of the start, before any node.
@pytest.mark.parametrize("number", range(1, len(NODES) + 3))
def test_killed_after_a_checkpoint_no_node_is_done_again(run, undisturbed, tmp_path, number):
    out, log = tmp_path / "out", tmp_path / "log"
    assert run(out, log, "checkpointed", number) == -9
    before = log.read_text().split() if log.exists() else []
    assert before == NODES[: max(number - 2, 0)]
    assert not any((out / name).exists() for name in OUTPUTS)

    assert run(out, log) == 0
    assert log.read_text().split() == NODES
    assert ends_alike(out, undisturbed)


@pytest.mark.parametrize("number", range(1, len(NODES) + 1))
def test_killed_between_a_call_and_its_checkpoint_the_call_is_not_made_again(
    run, undisturbed, tmp_path, number
):
    out, log = tmp_path / "out", tmp_path / "log"
    assert run(out, log, "written", number) == -9
    assert run(out, log) == 0
    assert log.read_text().split() == NODES
    assert ends_alike(out, undisturbed)


@pytest.mark.parametrize("number", [1, 5, 12])
def test_killed_during_a_call_that_call_alone_is_made_again(run, undisturbed, tmp_path, number):
    out, log = tmp_path / "out", tmp_path / "log"
    assert run(out, log, "answered", number) == -9
    assert run(out, log) == 0
    assert log.read_text().split() == [*NODES[:number], *NODES[number - 1 :]]
    assert ends_alike(out, undisturbed)


@pytest.mark.parametrize("moment", ["one output", "all outputs"])
def test_killed_while_results_are_written_the_next_run_writes_them_all(
    run, undisturbed, tmp_path, moment
):
    out, log = tmp_path / "out", tmp_path / "log"
    assert run(out, log, moment, 1) == -9
    assert run(out, log) == 0
    assert log.read_text().split() == NODES
    assert ends_alike(out, undisturbed)


def test_a_run_killed_again_and_again_comes_to_its_end(run, undisturbed, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log"
    kills = 0
    while run(out, log, "written", 2) == -9:  # each life makes one new line
        kills += 1
        assert kills < 20
    assert kills > 5
    assert log.read_text().split() == NODES
    assert ends_alike(out, undisturbed)
