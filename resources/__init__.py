"""What assets reach the world through: artefacts on disk, compute, domains, tracking, progress."""

from resources.agents import Agents
from resources.artifacts import ArtifactStore
from resources.compute import Compute
from resources.domains import DomainFolders
from resources.knowledge import Knowledge
from resources.records import MODEL_NAME, Record
from resources.reporting import Reporting
from resources.tracking import Tracking
from resources.watching import Watching

__all__ = [
    "MODEL_NAME",
    "Agents",
    "ArtifactStore",
    "Compute",
    "DomainFolders",
    "Knowledge",
    "Record",
    "Reporting",
    "Tracking",
    "Watching",
]
