"""kill -9 during ingest at any moment: nothing is lost or doubled, and the parts agree."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from deepward.knowledge.index import HybridIndex
from tests.knowledge.made import HashingEncoder, made_text

SCRIPT = """
    import sys
    from pathlib import Path

    from deepward.knowledge import base, ingested
    from deepward.knowledge.index import cutting
    from deepward.knowledge.settings import KnowledgeSettings, knowledge_files
    from tests.knowledge.made import HashingEncoder

    base.load_encoder = lambda model: HashingEncoder()
    cutting._BATCH = 40  # many small batches: many moments to be killed in
    files = knowledge_files(Path(sys.argv[1]))
    tell = lambda advance: print(advance.task, int(advance.done), flush=True)
    print("begin", flush=True)
    ingested.add(files, [Path(sys.argv[2])])
    inventory = base.scan_local(files, ingested.read_folders(files), tell)
    print("scanned", flush=True)
    report, _ = base.update_index(files, KnowledgeSettings(), inventory, progress=tell)
    print("end", report.chunks, flush=True)
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for number in range(30):
        # Every fifth repeats another one's text, so that duplicates are part of the test.
        text = made_text(number if number % 5 else number // 10, paragraphs=3)
        (folder / f"{number:02}.md").write_text(f"# Title {number}\n\n{text}\n")
    return folder


def contents(folder: Path) -> dict[str, tuple[str, bool]]:
    """id -> (text hash, whether it is searched), after the parts were seen to agree."""
    index = HybridIndex.open(folder / "index", HashingEncoder())
    try:
        assert index.agreement().sound and index.passages.unresolved() == []
        assert index.passages.ids() == index.vectors.ids() == index.passages.word_ids()
        found = index.passages.passages(sorted(index.passages.ids()))
        return {i: (p.text_hash, p.duplicate_of is None) for i, p in found.items()}
    finally:
        index.close()


@pytest.mark.slow
def test_ten_kills_at_random_moments_end_in_the_index_of_an_undisturbed_run(
    start_script, documents: Path, tmp_path: Path
) -> None:
    def run(out: Path, kill_at: int | None = None, delay: float = 0.0) -> list[str]:
        process = start_script(SCRIPT, out, documents, DEEPWARD_HOME=str(tmp_path / "home"))
        words = []
        for line in process.stdout:
            words.append(line.strip())
            if len(words) == kill_at:
                time.sleep(delay)  # a moment between two words
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.close()
        process.wait()
        return words

    whole = run(tmp_path / "undisturbed")
    assert whole[-1].startswith("end") and len(whole) > 15
    expected = contents(tmp_path / "undisturbed")
    rng = random.Random(7)
    out = tmp_path / "killed"
    for number in range(10):
        if number == 5:  # a second time from the beginning
            assert run(out)[-1] == whole[-1]
            assert contents(out) == expected
            out = tmp_path / "killed again"
        run(out, rng.randint(1, len(whole) - 1), rng.uniform(0, 0.05))
    assert run(out)[-1] == whole[-1]
    assert contents(out) == expected
