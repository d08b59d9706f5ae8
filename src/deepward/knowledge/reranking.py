"""Optional second look at the best passages: query and passage are read together."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from deepward.errors import KnowledgeError, UsageError

__all__ = ["CohereReranker", "CrossEncoderReranker", "Reranker", "load_reranker"]

COHERE_MODEL = "rerank-english-v3.0"


class Reranker(Protocol):
    """Scores passages for a query; `name` is shown with every hit."""

    name: str

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score per text, in the same order; higher is better."""
        ...


class CohereReranker:
    """Cohere's rerank service."""

    def __init__(self, key: str, url: str = "", model: str = COHERE_MODEL) -> None:
        import cohere

        self.name = f"cohere/{model}"
        self._model = model
        self._client: Any = cohere.ClientV2(
            api_key=key, base_url=url or None, timeout=30, client_name="deepward"
        )

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One relevance in [0, 1] per text.

        Raises:
            KnowledgeError: the service refused or did not answer.
        """
        from cohere.core.api_error import ApiError
        from httpx import HTTPError

        try:
            answer = self._client.rerank(model=self._model, query=query, documents=list(texts))
        except (ApiError, HTTPError) as error:
            code = getattr(error, "status_code", None)
            raise KnowledgeError(
                f"Cohere's rerank service failed ({type(error).__name__}"
                f"{f', status {code}' if code else ''}). Check COHERE_API_KEY and the network, or "
                "search without --rerank."
            ) from None  # the error's own text repeats headers of the request
        found = {result.index: float(result.relevance_score) for result in answer.results}
        if set(found) != set(range(len(texts))):
            raise KnowledgeError(
                f"Cohere scored {len(found)} of {len(texts)} passages; a score for each is needed."
            )
        return [found[i] for i in range(len(texts))]


class CrossEncoderReranker:
    """A local cross-encoder, through LangChain's wrapper of sentence-transformers."""

    def __init__(self, folder: Path) -> None:
        if not any(folder.glob("*.safetensors")):
            raise KnowledgeError(
                f"No cross-encoder lies at {folder}: a folder with config.json, a tokenizer and "
                "*.safetensors is needed."
            )
        from langchain_community.cross_encoders import HuggingFaceCrossEncoder

        self.name = f"cross-encoder/{folder.name}"
        self._model = HuggingFaceCrossEncoder(
            model_name=str(folder),
            model_kwargs={"device": "cpu", "local_files_only": True, "trust_remote_code": False},
        )

    def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """One score per text: the model's logit for `relevant`, through its own activation."""
        return [float(score) for score in self._model.score([(query, text) for text in texts])]


def load_reranker(name: str, cohere_key: str = "", cohere_url: str = "") -> Reranker | None:
    """The reranker that a setting names.

    Args:
        name: "" or `none` for none, `cohere` or `cohere:MODEL`, or the folder of a cross-encoder.
        cohere_key, cohere_url: for Cohere; "" takes its own address.

    Raises:
        UsageError: Cohere is asked for without a key.
        KnowledgeError: there is no such folder.
    """
    if name in ("", "none"):
        return None
    service, _, model = name.partition(":")
    if service == "cohere":
        if not cohere_key:
            raise UsageError("Reranking by Cohere needs its key in COHERE_API_KEY.")
        return CohereReranker(cohere_key, cohere_url, model or COHERE_MODEL)
    return CrossEncoderReranker(Path(name))
