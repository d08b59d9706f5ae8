"""Deepward keeps deepfake detectors current.

    intake, pictures            what comes from outside, and what a picture is
    domains, demo               data sets on disk, and some that are drawn
    metrics                     intervals, metrics, calibration, thresholds
    detectors, learning, loop   what judges, and how it learns
    evaluation, scoring         how good it is; from a path to a verdict
    crawling, knowledge         what is published about fakes
    techniques, agents          ways of making fakes, and what agents write about them
    synthesis                   labelled fakes of them
    commands, cli               the command line
    oneline                     `deepward.score("photo.jpg")`
    errors, files, home, progress, steps, versions   the ground that all stand on

This package knows nothing of Dagster or MLflow; the folders beside `src/` orchestrate it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepward.oneline import load, score

__all__ = ["__version__", "load", "score"]

__version__: str


def __getattr__(name: str) -> Any:
    """Finds what `import deepward` does not pay for."""
    if name == "__version__":
        from importlib.metadata import version  # costs half of what `deepward --help` may take

        return version("deepward")
    if name in ("load", "score"):
        from deepward import oneline

        return getattr(oneline, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
