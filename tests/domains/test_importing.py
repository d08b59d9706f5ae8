"""Data sets from elsewhere: what they hold comes back byte for byte, with where it came from."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from deepward.cli import app
from deepward.domains import scan_domain
from deepward.domains.importing import Fields, import_domain
from deepward.domains.importing.crc32c import crc32c, crc32c_short
from deepward.domains.importing.example import parse_example
from deepward.errors import DomainError, UsageError
from deepward.progress import Advance
from tests.domains.foreign import (
    crc32c as slow_crc32c,
)
from tests.domains.foreign import (
    example,
    framed,
    huggingface_schema,
    picture,
    sized,
    write_tar,
    write_tfrecord,
)

HOW = Fields(technique="how", group="from")


def examples(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "image/encoded": picture(n, "JPEG" if n % 3 else "PNG"),
            "image/class/label": n % 2,
            "how": "swap" if n % 2 else "",
            "from": f"scene {n // 2}",
            "height": 24,
        }
        for n in range(start, start + count)
    ]


def rows(domain: Path) -> list[dict[str, str]]:
    with (domain / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def stored(domain: Path) -> dict[str, bytes]:
    """Bytes of every picture, by source and record."""
    return {
        f"{row['source']} {row['record']}": (domain / row["path"]).read_bytes()
        for row in rows(domain)
    }


def skipped(domain: Path) -> list[tuple[int, str]]:
    facts = json.loads((domain / "import.json").read_text())
    return [(each["record"], each["reason"]) for each in facts["first_skipped"]]


def test_checksums_are_those_of_the_standard_and_of_the_polynomial() -> None:
    known = b"123456789" + bytes(32) + b"\xff" * 32 + bytes(range(32))
    spans = [(0, 9), (9, 32), (41, 32), (73, 32), (5, 0)]
    found = crc32c(known, spans)  # RFC 3720, appendix B.4
    assert [int(each) for each in found] == [0xE3069283, 0x8A9136AA, 0x62A8AB43, 0x46DD794E, 0]
    assert crc32c_short(known[:9]) == 0xE3069283
    rng = np.random.default_rng(0)
    data = rng.integers(0, 256, 5000, np.uint8).tobytes()
    spans = [(int(start), int(length)) for start, length in rng.integers(0, 2500, (40, 2))]
    assert [int(c) for c in crc32c(data, spans)] == [slow_crc32c(data[a : a + n]) for a, n in spans]


def test_features_of_every_kind_are_read_and_others_passed_over() -> None:
    made = example({"a": b"\x00\xff", "b": -3, "c": 0.5, "d": "left out"})
    wanted = frozenset({"a", "b", "c", "missing"})
    assert parse_example(made, wanted) == {"a": [b"\x00\xff"], "b": [-3], "c": [0.5]}
    for length in range(1, len(made)):
        try:
            parse_example(made[:length], wanted)
        except ValueError as error:
            assert "tf.Example" in str(error)


def test_a_tfrecord_comes_back_byte_for_byte_with_its_source(tmp_path: Path) -> None:
    shards = {"train-00000-of-00002.tfrecord": (0, 7), "test.tfrecord.gz": (7, 5)}
    expected = {}
    (tmp_path / "shards").mkdir()
    for name, (start, count) in shards.items():
        some = examples(count, start)
        path = tmp_path / "shards" / name
        write_tfrecord(path, some)
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
        expected |= {f"{name} {n}": each["image/encoded"] for n, each in enumerate(some)}
    out = tmp_path / "domain"
    made = import_domain("tfrecord", tmp_path / "shards", out, HOW)
    assert stored(out) == expected
    assert (made.pictures, made.real, made.fake, made.skipped) == (12, 6, 6, {})
    manifest = scan_domain(out)
    assert manifest.declared_splits and not manifest.strays
    assert set(manifest.table["quarantine"].dropna()) <= {"duplicate_with_other_label"}
    by_split = Counter(manifest.table["split"])
    assert by_split == {"train": 7, "test": 5}
    fakes = manifest.table[manifest.table["label"] == 1]
    assert set(fakes["technique"]) == {"swap"}
    assert manifest.table["group"].nunique() == 6  # "scene 3" lies in both files


def test_damaged_and_truncated_records_are_left_out_with_their_reason(tmp_path: Path) -> None:
    path = tmp_path / "faces.tfrecord"
    records = write_tfrecord(path, examples(9))
    data = bytearray(records[1])
    data[40] ^= 1
    records[1] = bytes(data)  # one bit of the data
    records[3] = b"\xee" + records[3][1:]  # the length: what follows must be found again
    records[4] = framed(b"\x07 no example")
    records[5] = framed(example({"image/encoded": b"no picture", "image/class/label": 1}))
    records[6] = framed(example({"image/encoded": picture(6), "image/class/label": 7}))
    records[7] = framed(example({"image/class/label": 1}))
    path.write_bytes(b"".join(records)[:-100])
    out = tmp_path / "domain"
    made = import_domain("tfrecord", path, out, HOW)
    assert skipped(out) == [
        (1, "checksum"),
        (3, "damaged_length"),
        (4, "not_an_example"),
        (5, "not_an_image"),
        (6, "label_unknown"),
        (7, "no_picture"),
        (8, "truncated"),
    ]
    assert sum(made.skipped.values()) == 7
    assert list(stored(out)) == ["faces.tfrecord 0", "faces.tfrecord 2"]


def test_every_cut_of_a_file_gives_the_records_before_it(tmp_path: Path) -> None:
    whole = b"".join(write_tfrecord(tmp_path / "whole.tfrecord", examples(3)))
    ends = [len(whole) // 3, len(whole) - 1, len(whole) - 5, 5, 11]
    for end in ends:
        path = tmp_path / f"cut{end}.tfrecord"
        path.write_bytes(whole[:end])
    out = tmp_path / "domain"
    made = import_domain("tfrecord", tmp_path, out, HOW, splits=False)
    assert made.skipped == {"truncated": len(ends)}
    there = stored(out)
    assert sum(name.startswith("whole") for name in there) == 3
    assert sum(name.startswith(f"cut{len(whole) - 1}.") for name in there) == 2


def test_parquet_and_arrow_are_read_with_the_names_of_their_classes(tmp_path: Path) -> None:
    schema = huggingface_schema(["authentic", "generated"])
    some = [
        {
            "image": {"bytes": picture(n), "path": None},
            "label": n % 2,
            "how": "diffusion" if n % 2 else None,
        }
        for n in range(6)
    ]
    (tmp_path / "side.png").write_bytes(picture(90))
    some.append({"image": {"bytes": None, "path": "side.png"}, "label": 0, "how": None})
    some.append({"image": {"bytes": None, "path": "../../etc/passwd"}, "label": 0, "how": None})
    some.append({"image": None, "label": 0, "how": None})
    table = pa.Table.from_pylist(some, schema=schema)
    pq.write_table(table, tmp_path / "validation-00000-of-00001.parquet", row_group_size=4)
    with pa.ipc.new_stream(tmp_path / "data-train.arrow", schema) as writer:
        writer.write_table(table, max_chunksize=3)
    with pa.ipc.new_file(tmp_path / "data-test.arrow", schema) as writer:
        writer.write_table(table, max_chunksize=5)
    fields = Fields(real=("authentic",), fake=("generated",), technique="how")
    out = tmp_path / "domain"
    made = import_domain("arrow", tmp_path, out, fields)
    assert made.pictures == 3 * 7 and made.real == 3 * 4
    assert made.skipped == {"link_outside_folder": 3, "no_picture": 3}
    there = stored(out)
    for name in ("validation-00000-of-00001.parquet", "data-train.arrow", "data-test.arrow"):
        assert [there[f"{name} {n}"] for n in range(6)] == [picture(n) for n in range(6)]
        assert there[f"{name} 6"] == picture(90)
    assert {row["technique"] for row in rows(out) if "1_fake" in row["path"]} == {"diffusion"}


@pytest.mark.parametrize("packed", [False, True])
def test_webdataset_shards_are_read_and_names_that_lead_out_refused(
    tmp_path: Path, packed: bool
) -> None:
    members = []
    for n in range(5):
        facts = {"made": {"by": "gan"}, "label": "fake" if n % 2 else "real"}
        members.append((f"set/{n:04d}.jpg", picture(n, "JPEG")))
        members.append((f"set/{n:04d}.json", json.dumps(facts).encode()))
    members.append(("../../outside.png", picture(70)))
    members.append(("/absolute.png", picture(71)))
    members.append(("text.txt", b"no picture in this sample"))
    members.append(("broken.jpg", picture(72, "JPEG")))
    members.append(("broken.json", b"{"))
    path = tmp_path / ("faces.tar.gz" if packed else "faces.tar")
    write_tar(path, members, "w:gz" if packed else "w")
    out = tmp_path / "domain"
    fields = Fields(label="label", technique="json.made.by", group="__key__")
    made = import_domain("webdataset", path, out, fields)
    assert list(stored(out).values()) == [picture(n, "JPEG") for n in range(5)]
    assert made.skipped == {"link_outside_folder": 2, "no_picture": 1, "damaged": 1}
    assert {row["technique"] for row in rows(out) if "1_fake" in row["path"]} == {"gan"}
    assert rows(out)[0]["group"] == "set/0000"
    assert not list(tmp_path.parent.glob("outside*"))


def test_a_shard_that_ends_early_gives_what_came_before(tmp_path: Path) -> None:
    members = [(f"{n}.{kind}", data) for n in range(4) for kind, data in _sample(n)]
    write_tar(tmp_path / "whole.tar", members)
    whole = (tmp_path / "whole.tar").read_bytes()
    with tarfile.open(tmp_path / "whole.tar") as tar:
        third = tar.getmembers()[4].offset
    (tmp_path / "cut.tar").write_bytes(whole[: third + 1000])
    spoilt = bytearray(whole)
    spoilt[third : third + 512] = b"\x55" * 512
    (tmp_path / "spoilt.tar").write_bytes(spoilt)
    out = tmp_path / "domain"
    made = import_domain("webdataset", tmp_path, out, Fields())
    counts = Counter(name.split()[0] for name in stored(out))
    assert counts["whole.tar"] == 4 and counts["spoilt.tar"] == 2 and counts["cut.tar"] == 2
    assert made.skipped == {"truncated": 1, "damaged": 1}


def _sample(n: int) -> list[tuple[str, bytes]]:
    return [("png", picture(n)), ("cls", str(n % 2).encode())]


def test_a_table_of_paths_stays_below_its_folder(tmp_path: Path) -> None:
    (tmp_path / "set" / "pictures").mkdir(parents=True)
    (tmp_path / "outside.png").write_bytes(picture(1))
    for n in range(4):
        (tmp_path / "set" / "pictures" / f"{n}.png").write_bytes(picture(n))
    os.symlink(tmp_path / "outside.png", tmp_path / "set" / "pictures" / "link.png")
    lines = ["path,label,split"]
    lines += [f"pictures/{n}.png,{n % 2},{'train' if n < 2 else 'dev'}" for n in range(4)]
    lines += ["../outside.png,0,train", "pictures/link.png,0,train", "gone.png,0,train"]
    lines += [f"{tmp_path}/outside.png,0,train", ",0,train", "pictures/0.png,0,somewhere"]
    table = tmp_path / "set" / "table.csv"
    table.write_text("\n".join(lines))
    out = tmp_path / "domain"
    made = import_domain("csv", table, out, Fields(split="split"))
    assert made.skipped == {
        "link_outside_folder": 3,
        "vanished": 1,
        "no_picture": 1,
        "split_unknown": 1,
    }
    assert Counter(row["path"].split("/")[0] for row in rows(out)) == {"train": 2, "val": 2}


def test_a_bomb_is_left_out_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = {**examples(1)[0], "image/encoded": sized(picture(0), 60_000)}
    write_tfrecord(tmp_path / "a.tfrecord", [*examples(2), bomb])
    made = import_domain("tfrecord", tmp_path, tmp_path / "domain", HOW)
    assert made.pictures == 2 and made.skipped == {"decompression_bomb": 1}


_IMPORT = """
import sys
from pathlib import Path
from deepward.domains.importing import Fields, import_domain
fields = Fields(technique="how", group="from")
def show(advance): print(advance.done, flush=True)
import_domain("tfrecord", Path(sys.argv[1]), Path(sys.argv[2]), fields, progress=show)
"""


def test_killed_it_goes_on_and_nothing_is_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "shards"
    source.mkdir()
    whole = b"".join(write_tfrecord(tmp_path / "one", examples(12))) * 20
    for shard in range(12):
        (source / f"part-{shard}.tfrecord").write_bytes(whole)
    once = tmp_path / "once"
    import_domain("tfrecord", source, once, HOW)
    out = tmp_path / "domain"
    command = [sys.executable, "-c", _IMPORT, str(source), str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for _ in range(3):
        assert process.stdout and process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    journal = tmp_path / ".domain.importing" / "journal.jsonl"
    with journal.open("a") as file:
        file.write('{"source": 0, "fir')  # as a kill may halve a line
    told: list[Advance] = []
    made = import_domain("tfrecord", source, out, HOW, progress=told.append)
    assert made.resumed >= 240 * 2 and made.pictures == 240 * 12
    assert told[0].done > 1  # what was done is not done again
    assert stored(out) == stored(once)
    assert (out / "metadata.csv").read_bytes() == (once / "metadata.csv").read_bytes()
    names = [p.relative_to(out) for p in sorted(out.rglob("*"))]
    assert names == [p.relative_to(once) for p in sorted(once.rglob("*"))]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_pictures_are_named_after_file_and_record_and_never_alike(tmp_path: Path) -> None:
    for place in ("train/data.tfrecord-00000-of-00002", "test/data.tfrecord-00000-of-00002"):
        path = tmp_path / "set" / place
        path.parent.mkdir(parents=True)
        write_tfrecord(path, examples(2))
    import_domain("tfrecord", tmp_path / "set", tmp_path / "one", HOW)
    (tmp_path / "set").rename(tmp_path / "moved")
    import_domain("tfrecord", tmp_path / "moved", tmp_path / "two", HOW)
    assert len(stored(tmp_path / "one")) == 4
    assert (tmp_path / "one" / "metadata.csv").read_bytes() == (
        tmp_path / "two" / "metadata.csv"
    ).read_bytes()
    assert {path.name for path in (tmp_path / "one" / "test").rglob("*.*g")} == {
        "data_tfrecord-00000-of-00002-0000000.png",
        "data_tfrecord-00000-of-00002-0000001.jpg",
    }


def test_another_source_or_other_fields_begin_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_tfrecord(path, examples(4))
    partial = tmp_path / ".domain.importing"
    (partial / "0_real").mkdir(parents=True)
    (partial / "0_real" / "left.png").write_bytes(b"of something else")
    made = import_domain("tfrecord", path, tmp_path / "domain", HOW)
    assert made.resumed == 0
    assert not (tmp_path / "domain" / "0_real" / "left.png").exists()


def test_what_cannot_be_imported_says_why(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    write_tfrecord(path, examples(2))
    with pytest.raises(DomainError, match=r"2 no_picture.*Name the fields"):
        import_domain("tfrecord", path, tmp_path / "x", Fields(image="photo"))
    assert not [place for place in tmp_path.iterdir() if place.is_dir()]
    with pytest.raises(UsageError, match="no format"):
        import_domain("zip", path, tmp_path / "x", Fields())
    with pytest.raises(UsageError, match="is there already"):
        import_domain("tfrecord", path, tmp_path, Fields())
    with pytest.raises(DomainError, match=r"ends in \.arrow"):
        import_domain("arrow", tmp_path, tmp_path / "x", Fields())
    (tmp_path / "bad.arrow").write_bytes(b"no table at all")
    with pytest.raises(DomainError, match="1 damaged"):
        import_domain("arrow", tmp_path / "bad.arrow", tmp_path / "y", Fields())


def test_the_command_makes_a_domain_and_counts(tmp_path: Path) -> None:
    write_tfrecord(tmp_path / "a.tfrecord", examples(6))
    out = tmp_path / "domains" / "faces"
    words = ["domains", "import-tfrecord", str(tmp_path), "--out", str(out), "--technique", "how"]
    ended = CliRunner().invoke(app, [*words, "--json"])
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    assert (found["real"], found["fake"], found["skipped"]) == (3, 3, {})
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 2 and "is there already" in again.output
    for kind in ("arrow", "webdataset", "csv"):
        helped = CliRunner().invoke(app, ["domains", f"import-{kind}", "--help"])
        assert helped.exit_code == 0 and "metadata.csv" in helped.output
