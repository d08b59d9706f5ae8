"""The knowledge base: which encoder, which Chroma, which sources may be crawled."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from deepward.errors import UsageError

if TYPE_CHECKING:
    from deepward.knowledge.settings import KnowledgeFiles, KnowledgeSettings
    from resources.artifacts import ArtifactStore

# One step at a time writes the index: two runs that came together wait for each other.
KNOWLEDGE_POOL = "knowledge"


class Knowledge(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of the knowledge base; what is empty is taken from the environment.

    Attributes:
        encoder: `minilm`, or a folder that sentence-transformers saved (DEEPWARD_ENCODER).
        chroma_url: a Chroma server instead of files (DEEPWARD_CHROMA_URL).
        reranker: `cohere`, or the folder of a cross-encoder (DEEPWARD_RERANKER).
        sources: what may be crawled: `none`, `shipped`, or a YAML file (DEEPWARD_SOURCES).
        demands: environment variables without which no run starts; their values stay there.
    """

    encoder: str = ""
    chroma_url: str = ""
    reranker: str = ""
    sources: str = ""
    demands: list[str] = Field(default_factory=list)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """A missing key is an error before any work, not in the middle of it."""
        missing = [name for name in self.demands if not os.environ.get(name)]
        if missing:
            raise UsageError(
                f"The resource `knowledge` needs {' and '.join(missing)} in the environment, as "
                "DEEPWARD_PROFILE=full does. Set it, or use DEEPWARD_PROFILE=embedded."
            )

    def settings(self) -> "KnowledgeSettings":
        """These settings over those of the environment."""
        from deepward.knowledge.settings import KnowledgeSettings

        own = {name: getattr(self, name) for name in ("encoder", "chroma_url", "reranker")}
        own["sources"] = self.sources
        given = {name: value for name, value in own.items() if value}
        return replace(KnowledgeSettings.from_environment(), **given)

    def files(self, store: "ArtifactStore") -> "KnowledgeFiles":
        """Where the knowledge base lies: below the store."""
        from deepward.knowledge.settings import knowledge_files

        return knowledge_files(store.path("knowledge"))
