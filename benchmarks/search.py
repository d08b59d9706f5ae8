"""100,000 passages: how long the index takes to build, and how long a search takes.

python benchmarks/search.py [--chunks N] [--queries N]

Text and vectors are made: sentences of words drawn by Zipf's law from 50,000, and unit vectors in
2,000 loose clusters, as those of related passages are. A search is measured whole, with the real
encoder for the query; the parts are BM25 and the nearest vectors alone. The reference for the
vectors is an exact search by matrix product over the same vectors, in the same run.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from deepward.knowledge.documents import Document, Page
from deepward.knowledge.embedding import Vectors, load_encoder
from deepward.knowledge.index import HybridIndex
from deepward.knowledge.retrieval import Searcher
from deepward.progress import progress_bars

WORDS, CLUSTERS, DIMENSION = 50_000, 2_000, 384
PER_DOCUMENT = 20
ORIGIN = "folder:made"


class MadeEncoder:
    """Vectors for made text by cluster; the real encoder, which reads queries, keeps its name."""

    def __init__(self, seed: int) -> None:
        self.real = load_encoder()
        self.name = self.real.name
        self._rng = np.random.default_rng(seed)
        self._centres = self._rng.normal(size=(CLUSTERS, DIMENSION))

    def encode(self, texts: Sequence[str]) -> Vectors:
        if len(texts) == 1:
            return self.real.encode(texts)
        return self.made(len(texts))

    def knows(self, text: str) -> bool:
        return True

    def made(self, count: int) -> Vectors:
        """Unit vectors (count, D), each in one of the clusters."""
        clusters = self._rng.integers(CLUSTERS, size=count)
        vectors = self._centres[clusters] + self._rng.normal(size=(count, DIMENSION))
        unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
        return unit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    encoder = MadeEncoder(1)
    encoder.real.encode(["the model is loaded before the clock starts"])
    with tempfile.TemporaryDirectory() as folder, progress_bars() as progress:
        begun = time.perf_counter()
        with HybridIndex.writing(Path(folder), encoder) as index:
            documents = made_documents(options.chunks, rng)
            report = index.sync(documents, [ORIGIN], progress)
        built = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        index = HybridIndex.open(Path(folder), encoder)
        searcher = Searcher(index)
        queries = [" ".join(sentence(rng, 8)) for _ in range(options.queries)]
        searcher.search(queries[0])
        vectors = [encoder.encode([query]) for query in queries]
        ids = sorted(index.passages.ids())
        found = index.passages.passages(ids)
        everything = np.stack([found[i].vector for i in ids])
        print(f"{report.chunks} passages built in {built:.0f} s: {report.chunks / built:.0f}/s")
        print(f"on disk {size / 2**20:.0f} MiB, memory at most {peak():.0f} MiB")
        print("                    p50       p95")
        show("search", [timed(lambda q=q: searcher.search(q)) for q in queries])
        show("  query's vector", [timed(lambda q=q: encoder.encode([q])) for q in queries])
        show("  BM25", [timed(lambda q=q: index.passages.match(q.split(), 60)) for q in queries])
        show(
            "  nearest vectors", [timed(lambda v=v: index.vectors.nearest(v, 60)) for v in vectors]
        )
        show("exact vectors", [timed(lambda v=v: exact(everything, v)) for v in vectors])
        near = [encoder.made(1) for _ in range(100)]  # queries that have neighbours at all
        right = [
            len(
                {i for i, _ in index.vectors.nearest(v, 10)[0]}
                & {ids[j] for j in exact(everything, v)}
            )
            for v in near
        ]
        print(f"recall@10 of the nearest vectors against exact search: {np.mean(right) / 10:.3f}")
        index.close()


def made_documents(chunks: int, rng: np.random.Generator) -> list[Document]:
    documents = []
    for number in range(max(chunks // PER_DOCUMENT, 1)):
        # Each paragraph is its own passage: a heading opens one.
        text = "\n\n".join(
            f"# {number} {part}\n\n{' '.join(sentence(rng, 60)).capitalize()}."
            for part in range(PER_DOCUMENT)
        )
        source = f"/made/{number:06}"
        documents.append(
            Document(source, ORIGIN, "local", source, None, (), "en", source, (Page(None, text),))
        )
    return documents


def sentence(rng: np.random.Generator, length: int) -> list[str]:
    ranks = np.minimum(rng.zipf(1.2, size=length), WORDS)
    return [f"w{rank}" for rank in ranks]


def exact(everything: Vectors, vector: Vectors) -> list[int]:
    scores = everything @ vector[0]
    best = np.argpartition(-scores, 10)[:10]
    return [int(i) for i in best]


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def show(name: str, seconds: Sequence[float]) -> None:
    low, high = np.percentile(seconds, [50, 95]) * 1000
    print(f"{name:<18} {low:6.1f} ms {high:6.1f} ms", flush=True)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
