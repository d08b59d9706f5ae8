"""From a path, or a picture that was sent, to a verdict."""

from deepward.scoring.explaining import explain_picture
from deepward.scoring.film_strip import explain_clip
from deepward.scoring.paths import expand_paths
from deepward.scoring.reading import SECONDS
from deepward.scoring.requests import SentPicture, score_sent
from deepward.scoring.streams import score_media, score_paths
from deepward.scoring.verdicts import VERDICTS, Verdict

__all__ = [
    "SECONDS",
    "VERDICTS",
    "SentPicture",
    "Verdict",
    "expand_paths",
    "explain_clip",
    "explain_picture",
    "score_media",
    "score_paths",
    "score_sent",
]
