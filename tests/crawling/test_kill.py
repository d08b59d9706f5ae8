"""kill -9 at any moment: the next run completes the round, and asks for nothing a second time."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepward.crawling import Crawled
from tests.crawling.web import page

SCRIPT = """
import sys
from pathlib import Path
from deepward.crawling import CrawlConfig, Source, crawl

config = CrawlConfig(delay_seconds=0.06, minutes=1.0, allow_private_hosts=("127.0.0.1",))
source = Source(url=sys.argv[1], kind="research", depth=9, limit=1000)
report = crawl([source], Path(sys.argv[2]), config)
assert report.waiting == 0, report
"""
COUNT = 60


def start(url: str, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, url, str(folder)]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)


def children(process: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process and state != "Z":
            found.append(int(path.parent.name))
    return found


def wait_for(condition, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def finish(url: str, folder: Path) -> None:
    process = start(url, folder)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()


def documents(folder: Path) -> list[dict]:
    return [document.as_dict() for document in Crawled.open(folder).documents()]


@pytest.fixture
def many(site):
    """A tree of pages, each of which takes a moment."""

    def give(handler):
        time.sleep(0.01)
        number = int(handler.path[1:] or 0)
        links = [f"/{child}" for child in (3 * number + 1, 3 * number + 2, 3 * number + 3)]
        kept = [link for link in links if int(link[1:]) < COUNT]
        handler.give(200, page(f"Page {number}", *kept).encode())

    site.pages |= {"/robots.txt": lambda handler: handler.give(404), "*": give}
    return site


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for children in /proc")
def test_ten_kills_lose_nothing_and_double_nothing(many, tmp_path):
    rng = random.Random(7)
    folder = tmp_path / "killed"
    for number in range(10):
        process = start(many.url(), folder)
        wanted = len(many.asked_for()) + rng.randint(0, 5)
        wait_for(lambda wanted=wanted: len(many.asked_for()) >= wanted, 10)
        time.sleep(rng.uniform(0, 1.0 if number % 5 == 0 else 0.02))
        offspring = children(process.pid)
        if number % 2:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            os.kill(process.pid, signal.SIGKILL)  # its child must notice
        process.wait()
        process.stderr.close()
        assert wait_for(lambda pids=offspring: all(map(ended, pids)), 5)
        table = Crawled.open(folder).table
        finished = set(table[table.status == "new"].url.str.removeprefix(many.url()[:-1]))
        asked = {path: many.asked(path) for path in finished}

        def check(asked=asked):
            assert {path: many.asked(path) for path in asked} == asked

        check()
        if number == 9:
            finish(many.url(), folder)
            check()
            assert len(asked) > 3
    found = documents(folder)
    assert sorted(document["title"] for document in found) == sorted(
        f"Page {number}" for number in range(COUNT)
    )
    assert len({document["source"] for document in found}) == COUNT
    assert len(many.asked_for()) <= COUNT + 10  # at most the page in flight, once per kill
    assert set(Crawled.open(folder).table.status) == {"new"}
    bodies = {path.name for path in folder.glob("bodies/*/*")}
    assert bodies == {document["content_hash"] for document in found}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for children in /proc")
def test_a_crawl_whose_fetching_process_is_killed_goes_on_by_itself(many, tmp_path):
    process = start(many.url(), tmp_path)
    assert wait_for(lambda: len(many.asked_for()) >= 20)
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert len(documents(tmp_path)) == COUNT
    assert len(many.asked_for()) <= COUNT + 1
