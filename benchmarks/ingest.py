"""Ingest against the bare encoder, and a second ingest of the same files against the first.

python benchmarks/ingest.py [--documents DIR] [--repeat N]

The reference encodes the same sentences with the same model and batch size, and does nothing
else: no reading, no cutting, no comparing, no storing. The shipped corpus is always part of it.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from deepward.knowledge import base, ingested
from deepward.knowledge.embedding import SentenceEncoder, load_encoder
from deepward.knowledge.index import SyncReport
from deepward.knowledge.index.chunking import split_sentences
from deepward.knowledge.index.cutting import CHUNKS
from deepward.knowledge.settings import KnowledgeFiles, KnowledgeSettings, knowledge_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=Path, help="folder of documents beside the corpus")
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    options = parser.parse_args()
    encoder = load_encoder()
    encoder.encode(["the model is loaded before the clock starts"])
    bare, first, second = [], [], []
    sentences = 0
    for _ in range(options.repeat):
        with tempfile.TemporaryDirectory() as folder:
            files = knowledge_files(Path(folder) / "knowledge")
            if options.documents:
                ingested.add(files, [options.documents])
            seconds, report = _ingest(files)
            first.append(seconds)
            sentences = report.sentences
            seconds, again = _ingest(files)
            second.append(seconds)
            assert again.sentences == 0, "the second ingest embedded something"
            bare.append(_encode(files, encoder))
            shutil.rmtree(files.root)
    rate, reference = sentences / min(first), sentences / min(bare)
    print(f"{sentences} sentences; best of {options.repeat}")
    print(f"bare encoder   {reference:7.0f} sentences/s  {min(bare):6.2f} s")
    print(f"first ingest   {rate:7.0f} sentences/s  {min(first):6.2f} s  {rate / reference:.2f}")
    faster = min(first) / min(second)
    print(f"second ingest  {min(second):.3f} s, {faster:.0f} times faster (aim: 30)")


def _ingest(files: KnowledgeFiles) -> tuple[float, SyncReport]:
    begun = time.perf_counter()
    inventory = base.scan_local(files, ingested.read_folders(files))
    report, _ = base.update_index(files, KnowledgeSettings(), inventory)
    return time.perf_counter() - begun, report


def _encode(files: KnowledgeFiles, encoder: SentenceEncoder) -> float:
    inventory = base.scan_local(files, ingested.read_folders(files))
    texts = [
        sentence.text
        for document in inventory.documents()
        for sentence in split_sentences(document.pages, CHUNKS.most)
    ]
    begun = time.perf_counter()
    encoder.model.encode(texts, batch_size=64, show_progress_bar=False)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
