"""The report's own words, which are of pictures, for sounds.

Fixed text goes through here before names and numbers are put in: what comes from data stays as it
is.
"""

import re

__all__ = ["in_words_of"]

# The longer before the shorter that it holds.
_OF_SOUNDS: tuple[tuple[str, str], ...] = (
    ("were halved in size and saved as JPEG again", "went through MP3 or Opus at 32 kbit/s"),
    ("were halved and saved again", "went through MP3 or Opus"),
    ("halved and saved again as JPEG", "through MP3 or Opus at 32 kbit/s"),
    (
        "that sees each picture only as a tiny thumbnail. It can tell what is shown, but no traces"
        " of forgery. Its AUC is what content alone gives away",
        "that knows of each sound only its duration, pauses, level and band, but no traces of"
        " forgery. Its AUC is what these alone give away",
    ),
    ("Resizing, recompression and screenshots weaken", "Codecs, resampling and noise weaken"),
    ("what a real picture shows is presented", "what a real recording says is presented"),
    ("without looking at the picture", "without listening"),
    ("without looking", "without listening"),
    ("where it sees the evidence", "where it finds the evidence"),
    ("thumbnail control", "control"),
    ("Thumbnail control", "Control"),
    ("still pictures", "sounds"),
    ("to look at", "to listen to"),
)
_PICTURE = re.compile(r"(?<![.\w])([Pp])ictures?\b")  # no name of a field, as in "tile.picture"


def in_words_of(medium: str, text: str) -> str:
    """Fixed text, written of pictures, as it reads of a medium."""
    if medium == "image":
        return text
    for ours, theirs in _OF_SOUNDS:
        text = text.replace(ours, theirs)
    return _PICTURE.sub(_sound, text)


def _sound(found: re.Match[str]) -> str:
    noun = "sounds" if found[0].endswith("s") else "sound"
    return noun.capitalize() if found[1] == "P" else noun
