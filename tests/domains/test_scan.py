"""Scanning again: what is unchanged is not opened, what changed is."""

import os
import shutil

import pytest

from deepward.domains import Manifest, scan_domain
from deepward.domains import scan as scan_module
from deepward.errors import DomainError
from deepward.progress import Advance
from deepward.versions import code_version


class Opened:
    """Counts the files that a scan decodes, from its progress."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.total = 0

    def __call__(self, advance: Advance) -> None:
        self.first = int(advance.done) if self.first is None else self.first
        self.total = int(advance.total or 0)

    @property
    def count(self) -> int:
        return self.total - (self.first or 0)


def scan(folder, state):
    opened = Opened()
    return scan_domain(folder, state=state, workers=1, progress=opened), opened.count


def test_an_unchanged_file_is_not_opened_again(domain, tmp_path, draw, save):
    state = tmp_path / "state"
    first, count = scan(domain, state)
    assert count == 12
    second, count = scan(domain, state)
    assert count == 0
    assert second.content_hash == first.content_hash
    assert second.table.equals(first.table)

    save(draw(100), domain / "val/1_fake/new.jpg")
    save(draw(101), domain / "val/1_fake/006.jpg")
    (domain / "train/0_real/000.jpg").unlink()
    third, count = scan(domain, state)
    assert count == 2
    assert third.content_hash == scan_domain(domain).content_hash != first.content_hash


def test_a_file_of_same_size_and_date_but_other_content_is_noticed(domain, tmp_path):
    scan(domain, tmp_path / "state")
    path = domain / "test/0_real/008.jpg"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan(domain, tmp_path / "state")[1] == 1


def test_a_moved_domain_keeps_its_version_and_a_renamed_one_does_not(domain, tmp_path):
    first = scan_domain(domain).content_hash
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.move(domain, tmp_path / "elsewhere/domain")
    assert scan_domain(moved).content_hash == first
    assert scan_domain(moved.rename(moved.with_name("other"))).content_hash != first


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_state_is_made_anew(domain, tmp_path, damage):
    state = tmp_path / "state"
    first, _ = scan(domain, state)
    data = state.read_bytes()
    state.write_bytes({"cut": data[: len(data) // 2], "text": b"no state", "empty": b""}[damage])
    second, count = scan(domain, state)
    assert count == 12
    assert second.content_hash == first.content_hash
    assert scan(domain, state)[1] == 0


def test_a_manifest_reads_back_as_it_was_written(domain, tmp_path):
    first = scan_domain(domain)
    first.write(tmp_path / "manifest.parquet")
    second = Manifest.read(tmp_path / "manifest.parquet", domain)
    assert second.table.equals(first.table)
    assert second.table.dtypes.equals(first.table.dtypes)
    assert (second.domain, second.declared_splits) == (first.domain, first.declared_splits)
    second.write(tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "manifest.parquet").read_bytes()


def test_a_manifest_that_cannot_be_read_says_so(domain, tmp_path):
    with pytest.raises(DomainError, match="scan again"):
        Manifest.read(tmp_path / "absent.parquet", domain)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(DomainError, match="scan again"):
        Manifest.read(tmp_path / "bad.parquet", domain)


def test_a_domain_of_reals_only_and_one_without_files(tmp_path, draw, save):
    save(draw(1), tmp_path / "reals/test/0_real/x.jpg")
    assert scan_domain(tmp_path / "reals").counts() == {
        "test": {"real": 1, "fake": 0},
        "quarantined": {},
    }
    (tmp_path / "bare/0_real").mkdir(parents=True)
    manifest = scan_domain(tmp_path / "bare")
    assert len(manifest.table) == 0
    assert manifest.counts() == {"quarantined": {}}
    with pytest.raises(DomainError, match="no split 'dev'"):
        manifest.usable("dev")


def test_a_linked_domain_goes_by_the_name_of_its_link(domain, tmp_path):
    (tmp_path / "alias").symlink_to(domain)
    manifest = scan_domain(tmp_path / "alias")
    assert manifest.domain == "alias"
    assert manifest.counts()["quarantined"] == {}


@pytest.mark.parametrize(("changed", "opened"), [(("measure", "scan"), 12), (("scan",), 0)])
def test_other_code_measures_or_arranges_anew(domain, tmp_path, monkeypatch, changed, opened):
    arranged = []
    arrange = scan_module.arrange

    def spy(*arguments):
        arranged.append(arguments)
        return arrange(*arguments)

    monkeypatch.setattr(scan_module, "arrange", spy)
    first, _ = scan(domain, tmp_path / "state")
    scan(domain, tmp_path / "state")
    assert len(arranged) == 1
    monkeypatch.setattr(
        scan_module,
        "code_version",
        lambda module: "other" if module.rpartition(".")[2] in changed else code_version(module),
    )
    again, count = scan(domain, tmp_path / "state")
    assert (count, len(arranged)) == (opened, 2)
    assert again.content_hash == first.content_hash


def test_a_domain_that_loses_its_splits_is_measured_for_crops_too(domain, tmp_path):
    scan(domain, tmp_path / "state")
    flat = domain.with_name("flat")
    for folder in ("train", "val", "test"):
        for path in (domain / folder).rglob("*.jpg"):
            target = flat / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
    shutil.rmtree(domain)
    flat.rename(domain)
    again, _ = scan(domain, tmp_path / "state")
    assert again.content_hash == scan_domain(domain).content_hash
