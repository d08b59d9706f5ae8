"""Records a second of an import, beside reading the same files raw.

    python benchmarks/importing.py [--records N] [--side PIXELS] [--workers N] [--folder DIR]

Every record is a JPEG with label, technique and group. Reading raw means: every byte of the files,
in blocks, and nothing done with it; writing raw: the same pictures, one file each, nothing else.
CPU is that of all processes, for a machine that others use at the same time.
"""

import argparse
import os
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from deepward.domains.importing import Fields, import_domain
from deepward.domains.importing.crc32c import crc32c, masked_crc32c
from tests.domains.foreign import example, huggingface_schema, write_tar

SHARDS = 4


def pictures(count: int, side: int) -> list[bytes]:
    """JPEGs of soft noise, all different in their last bytes."""
    import cv2

    rng = np.random.default_rng(0)
    found = []
    for number in range(64):
        coarse = rng.normal(128, 50, (side // 8, side // 8, 3)).astype(np.float32)
        image = cv2.resize(coarse, (side, side)) + rng.normal(0, 6, (side, side, 3))
        made, data = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8))
        assert made, number
        found.append(data.tobytes())
    return [found[n % 64] + struct.pack("<I", n) for n in range(count)]


def tfrecords(folder: Path, data: list[bytes]) -> None:
    for shard in range(SHARDS):
        with (folder / f"part-{shard}.tfrecord").open("wb") as file:
            for number in range(shard, len(data), SHARDS):
                features = {"image/encoded": data[number], "image/class/label": number % 2}
                record = example({**features, "how": "swap", "from": f"scene {number}"})
                length = struct.pack("<Q", len(record))
                sums = [
                    struct.pack("<I", int(masked_crc32c(crc32c(part, [(0, len(part))]))[0]))
                    for part in (length, record)
                ]
                file.write(length + sums[0] + record + sums[1])


def parquet(folder: Path, data: list[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = huggingface_schema(["real", "fake"])
    for shard in range(SHARDS):
        rows = [
            {"image": {"bytes": data[n], "path": None}, "label": n % 2, "how": "swap"}
            for n in range(shard, len(data), SHARDS)
        ]
        table = pa.Table.from_pylist(rows, schema=schema)
        pq.write_table(table, folder / f"part-{shard}.parquet", row_group_size=256)


def shards(folder: Path, data: list[bytes]) -> None:
    for shard in range(SHARDS):
        members = []
        for n in range(shard, len(data), SHARDS):
            members += [(f"{n}.jpg", data[n]), (f"{n}.cls", str(n % 2).encode())]
        write_tar(folder / f"part-{shard}.tar", members)


FORMATS: dict[str, tuple[Callable[[Path, list[bytes]], None], Fields]] = {
    "tfrecord": (tfrecords, Fields(technique="how", group="from")),
    "arrow": (parquet, Fields(technique="how")),
    "webdataset": (shards, Fields()),
}


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def read_raw(folder: Path) -> None:
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as file:
            while file.read(2**20):
                pass


def write_raw(folder: Path, data: list[bytes]) -> None:
    folder.mkdir()
    for number, each in enumerate(data):
        with (folder / f"{number}.jpg").open("wb") as file:
            file.write(each)
    os.sync()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--folder", default=None, help="where to work; in memory: /dev/shm")
    options = parser.parse_args()
    data = pictures(options.records, options.side)
    mean = sum(map(len, data)) / len(data)
    print(f"{len(data)} pictures of {mean / 1000:.1f} kB")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        place = Path(scratch)
        spent = timed(lambda: write_raw(place / "raw", data))
        print(f"{'writing raw':<24}{len(data) / spent:>10,.0f} records/s")
        shutil.rmtree(place / "raw")
        for kind, (write, fields) in FORMATS.items():
            source, out = place / kind, place / f"{kind}-domain"
            source.mkdir()
            write(source, data)
            raw = timed(lambda source=source: read_raw(source))
            before = sum(os.times()[:4])
            spent = timed(
                lambda kind=kind, source=source, out=out, fields=fields: import_domain(
                    kind, source, out, fields, workers=options.workers
                )
            )
            cpu = (sum(os.times()[:4]) - before) / len(data)
            size = sum(path.stat().st_size for path in source.iterdir())
            print(
                f"{kind:<12}import {len(data) / spent:>10,.0f} records/s {size / spent / 1e6:>7.0f}"
                f" MB/s   {cpu * 1e6:>4.0f} us CPU"
                f"   raw {len(data) / raw:>10,.0f} records/s {size / raw / 1e6:>7.0f} MB/s"
            )
            shutil.rmtree(source)
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
