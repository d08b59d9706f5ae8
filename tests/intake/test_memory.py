"""What was noted of a file is known again as long as the file is as it was."""

import os
import time

import pytest

from deepward.errors import WorkError
from deepward.intake.memory import Memory

FACTS = {"width": 3, "notes": None, "name": "ü\udcff"}


def stat_of(path):
    status = os.stat(path)
    return (status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def state(tmp_path):
    return tmp_path / "deep" / "state"


def test_what_was_noted_is_known_again_by_the_same_code_only(state, file):
    with Memory(state, "1") as memory:
        assert memory.recall({"file": stat_of(file)}) == {}
        memory.note("file", stat_of(file), FACTS)
    with Memory(state, "1") as memory:
        assert memory.recall({"file": stat_of(file), "other": stat_of(file)}) == {"file": FACTS}
    with Memory(state, "2") as memory:
        assert memory.recall({"file": stat_of(file)}) == {}


@pytest.mark.parametrize("place", range(4))
def test_size_date_and_identity_all_count(state, file, place):
    stat = stat_of(file)
    with Memory(state, "1") as memory:
        memory.note("file", stat, FACTS)
        other = [number + (index == place) for index, number in enumerate(stat)]
        assert memory.recall({"file": other}) == {}


def test_a_file_changed_right_after_it_was_read_is_missed(state, file):
    """Without the wait both contents, equally long, could have the same times."""
    with Memory(state, "1") as memory:
        for number in range(30):
            file.write_bytes(b"%03d" % number)
            stat = stat_of(file)
            assert memory.recall({"file": stat}) == {}
            memory.note("file", stat, {"content": file.read_text()})
            assert memory.recall({"file": stat}) == {"file": {"content": f"{number:03d}"}}


def test_what_is_gone_is_forgotten_where_it_was_looked_for(state, file):
    stat = stat_of(file)
    sources = ["/a/1", "/a/2", "/ab/1", "/b/1"]
    with Memory(state, "1") as memory:
        for source in sources:
            memory.note(source, stat, FACTS)
        memory.forget({"/a/2"}, ["/a/"])
        assert sorted(memory.recall(dict.fromkeys(sources, stat))) == ["/a/2", "/ab/1", "/b/1"]
        memory.forget({"/b/1"}, ["/"])
        memory.note("/a/2", stat, FACTS)
        memory.forget({"/a/2"})
        assert sorted(memory.recall(dict.fromkeys(sources, stat))) == ["/a/2"]


def test_a_whole_scan_is_known_by_its_key(state):
    with Memory(state, "1") as memory:
        memory.keep_whole("domain", "a", b"\0table")
        assert memory.whole("domain", "a") == b"\0table"
        assert memory.whole("domain", "b") is None
        memory.keep_whole("domain", "b", b"other")
        assert memory.whole("domain", "a") is None


def test_what_was_noted_stands_before_the_memory_is_closed(state, file):
    memory = Memory(state, "1")
    memory.note("file", stat_of(file), FACTS)
    with Memory(state, "1") as other:
        assert other.recall({"file": stat_of(file)}) == {"file": FACTS}
    memory.__exit__(None, None, None)
    assert [path.name for path in state.parent.iterdir()] == ["state"]


def test_one_that_cannot_be_opened_is_an_error_and_no_reason_to_delete_it(state):
    state.mkdir(parents=True)
    with pytest.raises(WorkError, match="cannot be opened"):
        Memory(state, "1")
    assert state.is_dir()


def test_only_a_fresh_file_is_waited_for(state, file, monkeypatch):
    waited = []
    monkeypatch.setattr("deepward.intake.memory.time.sleep", waited.append)
    with Memory(state, "1") as memory:
        memory.recall({"file": (1, 2, 3, 4)})
        assert not waited
        memory.recall({"file": (1, 2, 3, time.time_ns())})
        assert len(waited) == 1
