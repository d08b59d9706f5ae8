"""From a path to a verdict."""

from deepward.scoring.explaining import explain_picture
from deepward.scoring.paths import expand_paths, printable
from deepward.scoring.stream import score_paths
from deepward.scoring.verdicts import VERDICTS, Verdict

__all__ = ["VERDICTS", "Verdict", "expand_paths", "explain_picture", "printable", "score_paths"]
