"""A sentence encoder of BERT's kind computed with NumPy.

A question is answered before PyTorch, whose import takes seconds, would be there.

    x = LayerNorm(word + position + type)                       (T, D)
    x = LayerNorm(x + softmax(q k' / sqrt(D / heads)) v W)      each layer
    x = LayerNorm(x + gelu(x W1 + b1) W2 + b2)
    the mean over tokens, of length 1

Devlin et al., NAACL 2019; Reimers and Gurevych, EMNLP 2019.
"""

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["QueryEncoder"]

Floats = NDArray[np.float32]
_KINDS = ["Transformer", "Pooling", "Normalize"]  # what such a model is made of, in this order


class QueryEncoder:
    """Weights and tokenizer of one folder; use `open`, which refuses what it cannot compute."""

    def __init__(self, weights: dict[str, Floats], tokenizer: Any, heads: int, eps: float) -> None:
        self._weights = weights
        self._tokenizer = tokenizer
        self._heads = heads
        self._eps = eps
        self._layers = sum(name.endswith("attention.self.query.weight") for name in weights)

    @classmethod
    def open(cls, folder: Path) -> Self | None:
        """The encoder that sentence-transformers saved there; None where it is of another kind."""
        try:
            config = _read(folder / "config.json")
            kinds = [part["type"].rpartition(".")[2] for part in _read(folder / "modules.json")]
            pooling = _read(folder / "1_Pooling" / "config.json")
            longest = _read(folder / "sentence_bert_config.json")["max_seq_length"]
            single = (folder / "model.safetensors").is_file()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        plain = (
            config.get("architectures") == ["BertModel"]
            and config.get("hidden_act") == "gelu"
            and config.get("position_embedding_type", "absolute") == "absolute"
        )
        modes = {
            name for name, on in pooling.items() if name.startswith("pooling_mode") and on is True
        }
        if not (plain and single and kinds == _KINDS and modes == {"pooling_mode_mean_tokens"}):
            return None
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=longest)
        weights = load_file(folder / "model.safetensors")
        return cls(weights, tokenizer, config["num_attention_heads"], config["layer_norm_eps"])

    def encode(self, text: str) -> Floats:
        """Unit vector (D,)."""
        ids = self._tokenizer.encode(text).ids
        w = self._weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = self._norm(x, "embeddings.LayerNorm")  # (T, D)
        for number in range(self._layers):
            x = self._layer(x, f"encoder.layer.{number}.")
        mean: Floats = x.mean(axis=0)
        unit: Floats = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
        return unit

    def _layer(self, x: Floats, name: str) -> Floats:
        q, k, v = (
            self._split(self._linear(x, f"{name}attention.self.{part}"))  # (H, T, D / H)
            for part in ("query", "key", "value")
        )
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(np.float32(q.shape[-1]))  # (H, T, T)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = (scores / scores.sum(axis=-1, keepdims=True)) @ v  # (H, T, D / H)
        joined = seen.transpose(1, 0, 2).reshape(x.shape)
        attended = self._linear(joined, f"{name}attention.output.dense")
        x = self._norm(x + attended, f"{name}attention.output.LayerNorm")
        inner = _gelu(self._linear(x, f"{name}intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{name}output.dense"), f"{name}output.LayerNorm")

    def _split(self, x: Floats) -> Floats:
        return x.reshape(len(x), self._heads, -1).transpose(1, 0, 2)

    def _linear(self, x: Floats, name: str) -> Floats:
        y: Floats = x @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return y

    def _norm(self, x: Floats, name: str) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + self._eps)
        y: Floats = scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return y


def _gelu(x: Floats) -> Floats:
    """x times the normal distribution function, by Abramowitz and Stegun 7.1.26 (error < 2e-7)."""
    z = np.abs(x) / np.float32(np.sqrt(2))
    t = 1 / (1 + 0.3275911 * z)
    series = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    half = 0.5 * series * np.exp(-z * z)
    y: Floats = (x * np.where(x < 0, half, 1 - half)).astype(np.float32)
    return y


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
