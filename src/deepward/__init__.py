"""Deepward keeps deepfake detectors current.

The rooms: `domains` (pictures on disk), `detectors`, `learning`, `evaluation`, `scoring`.
This package knows nothing of Dagster or MLflow; the folders beside `src/` orchestrate it.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("deepward")
