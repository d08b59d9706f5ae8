"""The agents as algorithms: no language model, no download, the same answer every time."""

from deepward.agents.extractive.backend import EXTRACTIVE, ExtractiveBackend

__all__ = ["EXTRACTIVE", "ExtractiveBackend"]
