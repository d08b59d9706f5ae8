"""Which resources a profile gives. `DEEPWARD_PROFILE` is read here and nowhere else.

- `embedded` (default): no key, no download, no GPU needed; SQLite; files below `DEEPWARD_HOME`.
- `full`: a CUDA device is demanded. What is missing is an error that names the setting.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from deepward.errors import UsageError
from resources import (
    Agents,
    ArtifactStore,
    Compute,
    DomainFolders,
    Knowledge,
    Reporting,
    Tracking,
    Watching,
)

__all__ = ["PROFILES", "profile_resources"]


def _embedded() -> dict[str, Any]:
    return {
        "store": ArtifactStore(),
        "compute": Compute(device="auto"),
        "domains": DomainFolders(),
        "knowledge": Knowledge(),
        "agents": Agents(),
        "tracking": Tracking(),
        "reporting": Reporting(),
        "watching": Watching(),
    }


def _full() -> dict[str, Any]:
    return {
        **_embedded(),
        "compute": Compute(device="cuda"),
        "knowledge": Knowledge(
            sources="shipped",
            reranker="cohere",
            demands=["FIRECRAWL_API_KEY", "COHERE_API_KEY"],
        ),
        "agents": Agents(table="full"),
    }


PROFILES: Mapping[str, Callable[[], dict[str, Any]]] = {"embedded": _embedded, "full": _full}


def profile_resources(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The resources of the profile that `DEEPWARD_PROFILE` names.

    Raises:
        UsageError: the profile is not known.
    """
    name = environment.get("DEEPWARD_PROFILE") or "embedded"
    if name not in PROFILES:
        raise UsageError(
            f"DEEPWARD_PROFILE is {name!r}. Known profiles are: {', '.join(sorted(PROFILES))}."
        )
    return PROFILES[name]()
