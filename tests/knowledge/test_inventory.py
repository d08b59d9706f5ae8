"""The inventory of local documents: everything is listed, nothing read twice, nothing stops it."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from deepward.errors import KnowledgeError
from deepward.intake import pool
from deepward.intake.reasons import REASONS
from deepward.knowledge import inventory
from deepward.knowledge.folders import Folder, list_files
from deepward.knowledge.inventory import Inventory, scan_documents
from tests.knowledge import samples
from tests.knowledge.made import made_text, read_document

SENTENCE = "Two decoders stand behind one shared encoder, and they change places."


class Read:
    """Counts the files that a scan opens, from its progress."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.total = 0

    def __call__(self, advance) -> None:
        self.first = int(advance.done) if self.first is None else self.first
        self.total = int(advance.total or 0)

    @property
    def count(self) -> int:
        return self.total - (self.first or 0)


@pytest.fixture
def real_documents() -> Path:
    """Real papers and READMEs; skips where they are absent (users do not have them)."""
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("DEEPWARD_TEST_DATA", default)) / "documents"
    if not folder.is_dir():
        pytest.skip(f"no real documents at {folder}")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    """Five good documents in four formats."""
    root = tmp_path / "papers"
    (root / "deep/er").mkdir(parents=True)
    (root / "a.md").write_text(
        f"---\ntitle: A\ndate: 2024-01-02\ntechniques: [gan]\n---\n{SENTENCE}"
    )
    (root / "b.HTML").write_text(samples.ARTICLE.format(extra=""))
    (root / "deep/c.txt").write_text(f"{SENTENCE} {SENTENCE}")
    (root / "deep/er/d.pdf").write_bytes(samples.make_pdf([["Of masks", SENTENCE], [SENTENCE]]))
    (root / "deep/er/e.markdown").write_text(f"# E\n\n{SENTENCE}")
    return root


@pytest.fixture
def scan(tmp_path, folder):
    def run(*paths: Path, **options) -> tuple[Inventory, int]:
        read = Read()
        folders = [Folder.local(path) for path in paths or [folder]]
        options = {"texts": tmp_path / "texts", "state": tmp_path / "state", "workers": 1} | options
        return scan_documents(folders, progress=read, **options), read.count

    return run


def reasons(found: Inventory) -> dict[str, str]:
    rows = found.table.dropna(subset="quarantine")
    assert set(rows["quarantine"]) <= set(REASONS)
    assert all(len(detail) > 5 for detail in rows["detail"])
    return {Path(row.source).name: row.quarantine for row in rows.itertuples()}


def test_every_document_is_listed_with_what_is_known_of_it(scan, folder):
    found, _ = scan()
    assert reasons(found) == {}
    rows = {Path(row.source).name: row for row in found.table.itertuples()}
    assert list(rows) == ["a.md", "b.HTML", "c.txt", "d.pdf", "e.markdown"]
    assert [row.format for row in rows.values()] == ["markdown", "html", "text", "pdf", "markdown"]
    first = rows["a.md"]
    assert (first.title, first.date, first.techniques) == ("A", "2024-01-02", ("gan",))
    assert first.origin == f"folder:{folder}"
    assert rows["d.pdf"].pages == 2
    assert rows["c.txt"].title == "c"
    assert set(found.table["language"]) == {"en"}
    assert rows["e.markdown"].characters == len(SENTENCE) + 5
    assert rows["a.md"].bytes == (folder / "a.md").stat().st_size


def test_the_documents_are_those_that_reading_gives(scan, folder):
    found, _ = scan()
    direct = [read_document(Path(p), f"folder:{folder}") for p in found.table["source"]]
    assert list(found.documents()) == direct


def test_an_unchanged_file_is_not_opened_again(scan, folder):
    first, count = scan()
    assert count == 5
    second, count = scan()
    assert count == 0
    assert second.table.equals(first.table)
    assert second.content_hash == first.content_hash

    (folder / "new.txt").write_text("Something new about masks.")
    (folder / "a.md").write_text("Other words.")
    (folder / "deep/c.txt").unlink()
    third, count = scan()
    assert count == 2
    assert third.content_hash != first.content_hash
    assert len(third.table) == 5
    assert next(third.documents()).pages[0].text == "Other words."


def test_a_change_that_keeps_size_and_date_is_noticed(scan, folder):
    scan()
    path = folder / "deep/c.txt"
    before = path.stat()
    path.write_text(path.read_text().replace("Two", "Six"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan()[1] == 1


def test_equal_bytes_are_extracted_once_and_stay_two_documents(scan, folder, tmp_path):
    (folder / "copy.txt").write_bytes((folder / "deep/c.txt").read_bytes())
    (folder / "same.md").write_bytes((folder / "deep/c.txt").read_bytes())
    found, _ = scan()
    assert len(list((tmp_path / "texts").iterdir())) == 6  # text and Markdown are read differently
    titles = [document.title for document in found.documents()]
    assert {"copy", "same", "c"} <= set(titles)


def test_a_text_that_is_missing_is_read_anew_and_a_damaged_one_is_told(scan, tmp_path):
    found, _ = scan()
    text = next((tmp_path / "texts").glob("*.pdf.json"))
    text.unlink()
    with pytest.raises(KnowledgeError, match="scan the documents again"):
        list(found.documents())
    assert scan()[1] == 1
    text.write_text("{")
    with pytest.raises(KnowledgeError, match="delete that file"):
        list(found.documents())
    (tmp_path / "state").unlink()
    assert len(list(scan()[0].documents())) == 5


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_a_damaged_memory_is_made_anew(scan, tmp_path, damage):
    first, _ = scan()
    state = tmp_path / "state"
    data = state.read_bytes()
    state.write_bytes(
        {"cut": data[:5000], "text": b"no database at all" * 99, "empty": b""}[damage]
    )
    second, count = scan()
    assert count == 5
    assert second.content_hash == first.content_hash
    assert scan()[1] == 0


def test_another_version_of_a_reader_reads_anew(scan, monkeypatch):
    scan()
    monkeypatch.setattr(inventory, "reader_version", lambda: "another")
    assert scan()[1] == 5


def test_an_inventory_reads_back_as_it_was_written(scan, tmp_path, folder):
    (folder / "x.png").write_bytes(b"\x89PNG")
    found, _ = scan()
    path = tmp_path / "inventory.parquet"
    found.write(path)
    again = Inventory.read(path, found.texts)
    assert again.table.equals(found.table)
    assert again.content_hash == found.content_hash
    before = path.read_bytes()
    again.write(path)
    assert path.read_bytes() == before
    path.write_bytes(before[:100])
    with pytest.raises(KnowledgeError, match="scan the documents again"):
        Inventory.read(path, found.texts)


def test_two_folders_share_a_memory_and_a_file_belongs_to_the_first(scan, tmp_path, folder):
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.md").write_text("Words.")
    assert scan(folder)[1] == 5
    assert scan(other)[1] == 1
    both, count = scan(folder / "deep", folder, other)
    assert count == 0
    origins = [origin.removeprefix(f"folder:{tmp_path}/") for origin in both.table["origin"]]
    assert origins == ["other", "papers", "papers", *["papers/deep"] * 3]


def test_a_single_file_can_be_named(scan, folder):
    found, _ = scan(folder / "a.md")
    assert found.table["origin"].tolist() == [f"folder:{folder / 'a.md'}"]
    with pytest.raises(KnowledgeError, match="no file or folder"):
        scan(folder / "absent")


def test_a_folder_without_documents_gives_an_empty_inventory(scan, tmp_path):
    (tmp_path / "bare").mkdir()
    found, _ = scan(tmp_path / "bare")
    assert len(found.table) == 0
    assert list(found.documents()) == []
    found.write(tmp_path / "i")
    assert len(Inventory.read(tmp_path / "i", found.texts).table) == 0


def test_whatever_lies_in_a_folder_is_listed_with_its_reason(scan, folder, tmp_path):
    whole = samples.make_pdf([["A title", SENTENCE]])
    files = {
        "cut.pdf": whole[:400],
        "locked.pdf": samples.locked_pdf("secret"),
        "scan.pdf": samples.make_pdf([[], []]),
        "bomb.pdf": samples.bomb_pdf(150),
        "fake.pdf": b"no PDF at all",
        "junk.txt": bytes(range(256)) * 9,
        "blank.md": b" \n \n",
        "nothing.md": b"",
        "photo.jpg": b"\xff\xd8\xff",
        "README": b"no suffix",
        ".hidden.md": b"hidden",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with (folder / "huge.txt").open("wb") as huge:
        huge.truncate(51 * 2**20)
    (folder / ".git").mkdir()
    (folder / ".git/config.txt").write_text("hidden")
    (tmp_path / "outside.md").write_text("outside")
    (folder / "out.md").symlink_to(tmp_path / "outside.md")
    (folder / "etc").symlink_to("/etc")
    (folder / "loop").symlink_to(folder)
    (folder / "round.md").symlink_to(folder / "round.md")
    (folder / "gone.md").symlink_to(folder / "absent.md")
    (folder / "secret.md").symlink_to(folder / ".hidden.md")
    (folder / "inside.md").symlink_to(folder / "deep/c.txt")
    os.mkfifo(folder / "pipe.txt")
    found, _ = scan()
    assert reasons(found) == {
        "cut.pdf": "truncated",
        "locked.pdf": "encrypted",
        "scan.pdf": "no_text",
        "bomb.pdf": "too_complex",
        "fake.pdf": "damaged",
        "junk.txt": "binary",
        "blank.md": "empty",
        "nothing.md": "empty",
        "photo.jpg": "not_a_document",
        "README": "not_a_document",
        ".hidden.md": "hidden_file",
        "huge.txt": "too_large",
        ".git": "hidden_file",
        "out.md": "link_outside_folder",
        "etc": "link_outside_folder",
        "loop": "folder_link",
        "round.md": "dangling_link",
        "gone.md": "dangling_link",
        "secret.md": "hidden_file",
        "pipe.txt": "special_file",
    }
    assert len(list(found.documents())) == 6
    assert sum(found.quarantine().values()) == 20
    assert scan()[1] == 0  # what cannot be read is not tried again either


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(scan, folder):
    (folder / "a.md").chmod(0)
    (folder / "deep").chmod(0)
    found, _ = scan()
    (folder / "deep").chmod(0o755)
    assert reasons(found) == {"a.md": "unreadable_permission", "deep": "unreadable_permission"}
    (folder / "a.md").chmod(0o644)
    assert scan()[1] == 4


def test_odd_names_are_kept_apart_and_read_back(scan, folder):
    names = [
        b"\xff\xfe.md",
        b"new\nline.md",
        b"back\\slash.md",
        "ünïcödé 字.md".encode(),
        b"a b'\".md",
    ]
    for number, name in enumerate(names):
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_text(f"Words {number}.")
    found, count = scan()
    assert count == 10
    assert reasons(found) == {}
    found.table["source"].str.encode("utf-8")  # no lone surrogates
    assert {f"Words {n}." for n in range(5)} <= {d.pages[0].text for d in found.documents()}
    assert scan()[1] == 0


@pytest.mark.slow
def test_a_file_that_never_ends_costs_its_time_and_nothing_else(scan, folder, monkeypatch):
    (folder / "endless.pdf").write_bytes(samples.endless_pdf())
    monkeypatch.setattr(inventory, "_SECONDS", 4.0)
    found, _ = scan(workers=2)
    assert reasons(found) == {"endless.pdf": "too_slow"}
    assert len(list(found.documents())) == 5
    (folder / "again.pdf").write_bytes(samples.endless_pdf() + b"\n")
    monkeypatch.setattr(inventory, "_SECONDS", 1000.0)  # as if it hung without computing
    monkeypatch.setattr(pool, "_BY_THE_CLOCK", 0.004)
    found, _ = scan(workers=1)
    assert reasons(found) == dict.fromkeys(("endless.pdf", "again.pdf"), "too_slow")
    assert len(list(found.documents())) == 5


def test_a_listing_opens_no_file(folder, monkeypatch):
    monkeypatch.setattr("builtins.open", None)
    assert len(list_files([Folder.local(folder)])) == 5


SCRIPT = """
    import sys
    from pathlib import Path
    from deepward.knowledge.inventory import Folder, scan_documents

    folder, out = map(Path, sys.argv[1:])
    found = scan_documents(
        [Folder.local(folder)], texts=out / "texts", state=out / "state", workers=2,
        progress=lambda advance: print(int(advance.done), flush=True),
    )
    found.write(out / "inventory.parquet")
    print("end", flush=True)
"""


def run_and_kill(folder: Path, out: Path, word: int | None, delay: float = 0.0) -> list[str]:
    """Runs a scan, kills it after some words, returns the words."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), folder, out],
        stdout=subprocess.PIPE,
        text=True,
    )
    words = []
    for line in process.stdout:
        words.append(line.strip())
        if len(words) == word:
            time.sleep(delay)
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    return words


@pytest.mark.slow
def test_a_scan_that_is_killed_goes_on_where_it_was_and_ends_the_same(folder, tmp_path):
    for number in range(120):
        (folder / f"{number}.md").write_text(f"# {number}\n\n{made_text(number)}")
    words = run_and_kill(folder, tmp_path / "undisturbed", None)
    assert words[-1] == "end"
    rng = random.Random(5)
    out = tmp_path / "killed"
    reached = 0
    for _ in range(5):
        heard = run_and_kill(folder, out, rng.randint(2, 6), rng.uniform(0, 0.02))
        assert int(heard[0]) >= reached  # what was told is kept
        reached = max(int(word) for word in heard if word != "end")
    assert run_and_kill(folder, out, None)[-1] == "end"
    for name in (
        "inventory.parquet",
        *(p.name for p in (tmp_path / "undisturbed/texts").iterdir()),
    ):
        place = name if name.endswith("parquet") else f"texts/{name}"
        assert (out / place).read_bytes() == (tmp_path / "undisturbed" / place).read_bytes()
    assert not [path for path in out.rglob(".*") if path.is_file()]  # nothing half written is left


def test_the_real_documents_are_read(scan, real_documents):
    found, _ = scan(real_documents, workers=2)
    assert len(found.table) == 23
    assert reasons(found) == {"Daisy-Zhang+Awesome-Deepfakes-Detection__cover.pdf": "no_text"}
    documents = {Path(d.source).name.split("__")[1]: d for d in found.documents()}
    slides = documents["melgan_slides.pdf"]
    assert slides.title.startswith("MelGAN: Generative Adversarial Network")
    assert [page.number for page in slides.pages] == list(range(1, 15))
    for document in documents.values():
        text = "\n".join(page.text for page in document.pages)
        assert document.language == "en"
        assert not any(mark in text for mark in ("<img", "<a ", "](http", "![", "&nbsp;"))
