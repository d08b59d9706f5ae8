"""Evidence as sentences that can be quoted, each with its passage, and their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepward.agents.extractive.prose import is_prose, split_prose
from deepward.agents.schemas import Evidence
from deepward.knowledge.embedding import Encoder, Vectors

__all__ = ["Sentence", "SentenceVectors", "quotable"]

_LONGEST_HEADING = 90  # characters
_KEPT = 20_000  # vectors in memory: 30 MB


@dataclass(frozen=True)
class Sentence:
    """One statement of a passage.

    Attributes:
        passage: it stands in.
        heading: above it in the same passage; "" when the passage has none.
        order: place in the evidence, to restore the order of reading.
    """

    text: str
    passage: Evidence
    heading: str
    order: int

    @property
    def chunk_id(self) -> str:
        return self.passage.chunk_id


class SentenceVectors:
    """Vectors by text; a text goes through the encoder once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, Vectors] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Unit vectors (N, D), in the order of `texts`."""
        if len(self._known) > _KEPT:
            self._known.clear()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.encode(new), strict=True))
        found = [self._known[text] for text in texts] or self._encoder.encode([""])[:0]
        return np.array(found, dtype=np.float64)


def quotable(evidence: Sequence[Evidence]) -> list[Sentence]:
    """Sentences of the passages that can stand as statements, in order, each text once."""
    seen: set[str] = set()
    found: list[Sentence] = []
    for passage in evidence:
        heading = ""
        for line in passage.text.splitlines():
            words = " ".join(line.split())
            if len(words) <= _LONGEST_HEADING and words and words[-1] not in ".!?:;,":
                heading = words
                continue
            for text in split_prose(words):
                if text.casefold() not in seen and is_prose(text):
                    seen.add(text.casefold())
                    found.append(Sentence(text, passage, heading, len(found)))
    return found
