"""From a path to a verdict."""

from deepward.scoring.explaining import explain_picture
from deepward.scoring.paths import expand_paths
from deepward.scoring.reading import SECONDS
from deepward.scoring.verdicts import VERDICTS, Verdict, score_paths

__all__ = ["SECONDS", "VERDICTS", "Verdict", "expand_paths", "explain_picture", "score_paths"]
