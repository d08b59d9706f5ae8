"""The ledger: a chain that survives kills and rivals, and says what stands on what."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deepward.errors import WorkError
from deepward.learning.continual import Entry, Ledger
from deepward.learning.continual.ledger import FORGOT, LEARNED, stage_name


def entry(number: int, domain: str, parent: Entry | None = None, mark: str = "") -> Entry:
    return Entry(
        stage=domain,
        number=number,
        how=LEARNED,
        domains=(domain,),
        detector=stage_name(number, domain),
        content_hash=f"hash of {domain}{mark}",
        parent=parent.detector if parent else "",
        parent_hash=parent.content_hash if parent else "",
        config={"seed": 0},
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    found = Ledger(tmp_path / "stages")
    parent = None
    for number, name in enumerate("abc"):
        parent = found.append(entry(number, name, parent))
    return found


def test_an_empty_ledger_has_no_head(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "none")
    assert ledger.head() is None and ledger.entries() == [] and ledger.known() == []
    assert not ledger.folder.exists()


def test_what_was_entered_is_read_back_in_order(ledger: Ledger) -> None:
    assert [each.stage for each in ledger.entries()] == ["a", "b", "c"]
    head = ledger.head()
    assert head is not None and head.detector == "stage-002-c" and head.parent == "stage-001-b"
    assert head.made_at and dict(head.config) == {"seed": 0}
    assert ledger.known() == ["a", "b", "c"]


def test_the_same_stage_is_entered_once(ledger: Ledger) -> None:
    again = ledger.append(replace(ledger.chain()[1], made_at="", seconds=9.0))
    assert again.made_at and len(ledger.entries()) == 3


def test_a_stage_learned_anew_keeps_its_place_and_makes_the_later_ones_stale(
    ledger: Ledger,
) -> None:
    ledger.append(entry(1, "b", ledger.chain()[0], mark=" again"))
    assert len(ledger.entries()) == 4
    assert [each.stage for each in ledger.chain()] == ["a", "b", "c"]
    assert ledger.chain()[1].content_hash == "hash of b again"
    assert [each.stage for each in ledger.stale()] == ["c"]


def test_what_was_forgotten_is_no_longer_known_but_its_stage_is(ledger: Ledger) -> None:
    head = ledger.head()
    assert head is not None
    ledger.append(replace(entry(3, "b", head), how=FORGOT, detector="stage-003-forgot-b"))
    assert ledger.known() == ["a", "c"]
    assert ledger.known(head) == ["a", "b", "c"]
    gone = ledger.forgotten("b")
    assert gone is not None and gone.number == 3
    stage = ledger.stage_of("b")
    assert stage is not None and stage.number == 1


def test_a_gap_in_the_chain_is_refused(ledger: Ledger) -> None:
    with pytest.raises(WorkError, match="3 stages"):
        ledger.append(entry(5, "f"))


def test_a_changed_entry_is_named(ledger: Ledger) -> None:
    file = ledger.folder / "000001.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"content_hash": "another"}))
    with pytest.raises(WorkError, match=r"000001\.json was changed"):
        ledger.head()
    file.write_text("{")
    with pytest.raises(WorkError, match="cannot be read"):
        ledger.entries()


@pytest.mark.parametrize("name", ["swap", "a/b", "with space", "über", "x" * 200, "a+b"])
def test_names_of_stages_are_names_of_folders(name: str, tmp_path: Path) -> None:
    folder = tmp_path / stage_name(7, name)
    folder.mkdir()
    assert folder.parent == tmp_path and folder.name.startswith("stage-007-")
    assert stage_name(7, name) != stage_name(7, name + "_")


RIVAL = """
    import sys
    from deepward.learning.continual import Ledger
    from tests.learning.continual.test_ledger import entry
    ledger = Ledger(sys.argv[1])
    for turn in range(10):
        with ledger.writing():
            head = ledger.head()
            number = head.number + 1 if head else 0
            ledger.append(entry(number, f"{sys.argv[2]}{turn}", head))
"""


def test_two_processes_make_one_chain(start: Callable[..., Any], tmp_path: Path) -> None:
    rivals = [start(RIVAL, tmp_path, name) for name in ("x", "y")]
    assert [rival.wait(60) for rival in rivals] == [0, 0]
    chain = Ledger(tmp_path).chain()
    assert [each.number for each in chain] == list(range(20))
    assert all(b.parent_hash == a.content_hash for a, b in pairwise(chain))
    assert sorted(each.stage for each in chain) == sorted(
        f"{name}{turn}" for name in "xy" for turn in range(10)
    )


def test_reading_the_ledger_needs_no_torch() -> None:
    code = (
        "import sys; from deepward.learning.continual import Ledger; "
        "import deepward.learning.continual.chain; print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
