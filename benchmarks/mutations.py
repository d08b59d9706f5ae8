"""Damaged pictures and documents through the usual doors: each comes to a verdict or a reason.

    python benchmarks/mutations.py --work FOLDER [--count 10000] [--seed 0] [--detector DIR]

Good files of every kind that is read are drawn and written; number N of the mutations changes one
of them in a way that the seed and N alone decide: bits, bytes, blocks, lengths, ends. Pictures go
through scoring, documents through the scan of a knowledge base, at the limits that users have.
After every batch the counts stand in FOLDER/batches.jsonl; the same command goes on where it was.
Without a detector, one is trained on drawn pictures first (FOLDER/home).
"""

import argparse
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, StreamObject

from deepward.detectors import Detector, load_detector
from deepward.knowledge.inventory import Folder, scan_documents
from deepward.scoring import score_paths

BATCH = 500
PICTURES = (".jpg", ".png", ".webp", ".gif", ".tif", ".bmp", ".avif")
CRASHED = ("reader_crashed", "reader_failed", "too_slow", "too_much_memory")
WORDS = (
    "A face swap replaces the inner face of one person by that of another; a seam stays at the "
    "border of the mask. Detectors of blending look for that seam. Compression weakens it."
)


def good_files() -> dict[str, list[bytes]]:
    """Undamaged files by their ending: pictures of several sizes and modes, and documents."""
    rng = np.random.default_rng(7)
    files: dict[str, list[bytes]] = {}
    for side, mode in ((96, "RGB"), (160, "RGB"), (128, "L"), (112, "RGBA"), (104, "P")):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        noise = rng.normal(0, 6, (side, side, 3))
        drawn = Image.fromarray(np.clip(np.asarray(smooth) + noise, 0, 255).astype(np.uint8))
        for ending in PICTURES:
            flat = ending in (".jpg", ".bmp", ".avif") and mode in ("RGBA", "P")
            shown = drawn if flat else drawn.convert(mode)
            options: dict[str, Any] = {"exif": _exif()} if ending in (".jpg", ".png") else {}
            if ending == ".gif":
                options = {"save_all": True, "append_images": [shown.rotate(90)]}
            if ending == ".jpg":
                options |= {"progressive": side > 110, "quality": 88}
            if ending == ".tif":
                options = {"compression": "tiff_lzw" if side > 110 else None}
            buffer = io.BytesIO()
            kind = {".jpg": "JPEG", ".tif": "TIFF"}.get(ending, ending[1:].upper())
            shown.save(buffer, kind, **options)
            files.setdefault(ending, []).append(buffer.getvalue())
    page = f"<!doctype html><html><head><title>Seams</title></head><body>{{}}{WORDS}</body></html>"
    long = "".join(
        f"<h2>{n}</h2><p>{WORDS}</p><table><tr><td>{n}</td></tr></table>" for n in range(9)
    )
    files[".html"] = [page.format(long).encode(), page.format("<div>" * 40).encode("utf-16")]
    files[".md"] = [
        f"---\ntitle: Seams\n---\n# Seams\n\n{WORDS}\n\n| a |\n| --- |\n| b |\n".encode()
    ]
    files[".txt"] = [f"{WORDS}\n{WORDS}".encode(), f"{WORDS} Gesichter, über".encode("latin-1")]
    files[".pdf"] = [_pdf(1), _pdf(4)]
    return files


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Camera", 6
    return exif


def _pdf(pages: int) -> bytes:
    writer = PdfWriter()
    kind = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(k): NameObject(v) for k, v in kind.items()})
    for number in range(pages):
        page = writer.add_blank_page(612, 792)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = StreamObject()
        lines = [WORDS[start : start + 80] for start in range(0, len(WORDS), 80)]
        shown = [f"BT /F1 11 Tf 72 {700 - 20 * n} Td ({t}) Tj ET" for n, t in enumerate(lines)]
        stream.set_data("\n".join([f"% {number}", *shown]).encode())
        page[NameObject("/Contents")] = writer._add_object(stream.flate_encode())
    writer.add_metadata({"/Title": "Seams"})
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def mutate(data: bytes, other: bytes, draw: random.Random) -> bytes:
    """One to four changes, each of a kind and at a place that `draw` decides."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not changed:
            break
        # Heads say how the rest is to be read: every second change lies in one.
        reach = len(changed) if draw.random() < 0.5 else min(len(changed), 200)
        at, length = draw.randrange(reach), draw.choice((1, 2, 4, 16, 300, 4000))
        draw.choice(CHANGES)(changed, other, at, length, draw)
    return bytes(changed)


Change = Callable[[bytearray, bytes, int, int, random.Random], None]


def _flip(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    for _ in range(min(length, 64)):
        place = min(len(data) - 1, at + draw.randrange(64))
        data[place] ^= 1 << draw.randrange(8)


def _extreme(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    """A length, an offset or a count that is none: all ones, zeros, or the largest signed."""
    number = draw.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\1"))
    data[at : at + 4] = number[: draw.choice((1, 2, 4))]


def _noise(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    data[at : at + length] = draw.randbytes(length)


def _cut(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    del data[at : at + length]


def _end(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def _repeat(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    data[at:at] = bytes(data[at : at + length]) * draw.choice((1, 3, 50))


def _graft(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    start = draw.randrange(max(1, len(other)))
    data[at : at + length] = other[start : start + length]


def _zeros(data: bytearray, other: bytes, at: int, length: int, draw: random.Random) -> None:
    data[at : at + length] = bytes(len(data[at : at + length]))


CHANGES: Sequence[Change] = (_flip, _extreme, _noise, _cut, _end, _repeat, _graft, _zeros)


def mutation(number: int, seed: int, files: dict[str, list[bytes]]) -> tuple[str, bytes]:
    """The ending and the bytes of one mutation; the same for the same number and seed."""
    draw = random.Random(f"{seed}:{number}")
    endings = sorted(files)
    ending = endings[number % len(endings)]
    other = draw.choice(files[draw.choice(endings)])
    return ending, mutate(draw.choice(files[ending]), other, draw)


def run_batch(numbers: range, seed: int, detector: Detector) -> dict[str, Any]:
    """What became of some mutations, counted."""
    files = good_files()
    begun = time.monotonic()
    pictures: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    raised: list[str] = []
    with tempfile.TemporaryDirectory(prefix="deepward-mutations-") as place:
        folder = Path(place)
        paths: list[Path] = []
        for number in numbers:
            ending, data = mutation(number, seed, files)
            kind = "pictures" if ending in PICTURES else "documents"
            (folder / kind).mkdir(exist_ok=True)
            path = folder / kind / f"{number:06d}{ending}"
            path.write_bytes(data)
            paths.append(path)
        judged = [path for path in paths if path.parent.name == "pictures"]
        try:
            with closing(score_paths(detector, judged)) as verdicts:
                for verdict in verdicts:
                    known = verdict.verdict if verdict.probability is not None else _code(verdict)
                    pictures[known if verdict.reason else "nothing said"] += 1
        except Exception as error:
            raised.append(f"{numbers}: pictures: {type(error).__name__}: {error}")
        try:
            found = scan_documents(
                [Folder.local(folder / "documents")], texts=folder / "texts"
            ).table
            documents.update(found["quarantine"].fillna("usable").tolist())
        except Exception as error:
            raised.append(f"{numbers}: documents: {type(error).__name__}: {error}")
    return {
        "first": numbers.start,
        "files": len(numbers),
        "pictures": dict(pictures),
        "documents": dict(documents),
        "without": len(numbers) - pictures.total() - documents.total() + pictures["nothing said"],
        "raised": raised,
        "seconds": round(time.monotonic() - begun, 1),
        "peak_mib": {
            "here": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "largest reader": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        },
    }


def _code(verdict: Any) -> str:
    """The beginning of the reason, which is the same for all files set aside for it."""
    return str(verdict.reason.partition(":")[0][:60])


def own_detector(work: Path) -> Path:
    """A quick detector, trained once on drawn pictures."""
    from deepward.demo import make_demo_domains

    home = work / "home"
    detector = home / "detectors" / "baseline"
    if not detector.is_dir():
        make_demo_domains(
            home / "domains", images_per_class=40, size=96, seed=1, names={"demo_swap"}
        )
        command = [sys.executable, "-m", "deepward", "train", "--detector", "quick"]
        subprocess.run(
            [*command, "--domains", str(home / "domains")],
            env=os.environ | {"DEEPWARD_HOME": str(home)},
            check=True,
        )
    return detector


def summary(batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All batches together."""
    totals = {
        kind: sum((Counter(b[kind]) for b in batches), Counter())
        for kind in ("pictures", "documents")
    }
    verdicts = sum(totals["pictures"][name] for name in ("real", "fake", "inconclusive"))
    everything = totals["pictures"] + totals["documents"]
    return {
        "files": sum(b["files"] for b in batches),
        "verdicts": verdicts,
        "read documents": totals["documents"]["usable"],
        "reasons": everything.total() - verdicts - totals["documents"]["usable"],
        "neither": sum(b["without"] for b in batches),
        "doors that raised": [line for b in batches for line in b["raised"]],
        "readers": {name: _of_readers(everything, name) for name in CRASHED},
        "pictures": dict(totals["pictures"].most_common()),
        "documents": dict(totals["documents"].most_common()),
        "seconds": round(sum(b["seconds"] for b in batches), 1),
        "slowest batch": max((b["seconds"] for b in batches), default=0.0),
        "peak_mib": {
            name: max((b["peak_mib"][name] for b in batches), default=0)
            for name in ("here", "largest reader")
        },
    }


def _of_readers(counts: Counter[str], code: str) -> int:
    """Files of which a reader gave up in this way, whether said as a code or in words."""
    return sum(n for reason, n in counts.items() if reason.replace(" ", "_").startswith(code))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=None, help="kept, and gone on with")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detector", type=Path)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="deepward-mutations-"))
    work.mkdir(parents=True, exist_ok=True)
    log = work / "batches.jsonl"
    batches = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = sum(batch["files"] for batch in batches)
    detector = load_detector(given.detector or own_detector(work))
    while done < given.count:
        batch = run_batch(range(done, min(done + BATCH, given.count)), given.seed, detector)
        batches.append(batch)
        done += batch["files"]
        with log.open("a") as file:
            file.write(json.dumps(batch) + "\n")
        print(f"{done} of {given.count}, {batch['seconds']} s", file=sys.stderr, flush=True)
    print(json.dumps(summary(batches), indent=1))


if __name__ == "__main__":
    main()
