"""Documents and an encoder that are made for tests: quick, and the same every time."""

import hashlib
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepward.knowledge.documents import Document, Page
from deepward.knowledge.reading import read_bytes, read_file

WORDS = [
    a + b
    for a in ("bran", "cor", "dul", "fen", "gar", "hol", "jas", "kel", "lor", "mun", "nev", "pol")
    for b in ("a", "ed", "ing", "or", "ums", "ide", "et", "ow")
]


class HashingEncoder:
    """Bag of words hashed to 64 signed dimensions: equal words, equal vectors."""

    name = "hashing-64"

    def __init__(self) -> None:
        self.texts = 0  # that were embedded so far

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.texts += len(texts)
        vectors = np.full((len(texts), 64), 1e-3, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                digest = hashlib.sha256(word.encode()).digest()
                vectors[row, digest[0] % 64] += 1.0 if digest[1] % 2 else -1.0
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def knows(self, text: str) -> bool:
        return True


def made_text(seed: int, paragraphs: int = 4) -> str:
    """Sentences of made words; another seed gives others."""
    draw = random.Random(seed)
    return "\n\n".join(
        " ".join(
            " ".join(draw.choices(WORDS, k=draw.randint(6, 14))).capitalize() + "."
            for _ in range(5)
        )
        for _ in range(paragraphs)
    )


def made_document(
    name: str,
    text: str,
    origin: str = "folder:/made",
    kind: str = "local",
    date: str | None = None,
    techniques: tuple[str, ...] = (),
) -> Document:
    """A document of one page without a number."""
    return Document(
        source=f"/made/{name}",
        origin=origin,
        kind=kind,
        title=name,
        date=date,
        techniques=techniques,
        language="en",
        content_hash=hashlib.sha256(text.encode()).hexdigest(),
        pages=(Page(None, text),),
    )


def read_document(path: Path, origin: str, kind: str = "local") -> Document:
    """The document that a file makes when it is read directly, without a pool or a text store."""
    return read_bytes(read_file(path), source=path.as_posix(), origin=origin, kind=kind)
