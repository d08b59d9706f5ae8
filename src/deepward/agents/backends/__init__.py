"""Who does an agent's work: algorithms, local models, a server; `table` says which does whose."""

from deepward.agents.backends.base import Answer, Backend, Request

__all__ = ["Answer", "Backend", "Request"]
