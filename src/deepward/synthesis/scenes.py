"""What a base picture shows, as far as something here can tell, in words for a text-guided engine.

Edit specs are written before anybody knows which picture they will change, so they say nothing of
it. What a model is told besides is measured on the picture: its shape, and how large the face in it
is. Place, light and person are left out: nothing here can tell them.
"""

from collections.abc import Sequence

from deepward.synthesis.interfaces import Box, Pixels

__all__ = ["FACE", "shown_in"]

FACE = "face"  # what is looked for
_OBLONG = 1.15  # longer side to shorter one
# Height of a face to that of the picture, from which on it is shown so.
_SHOTS = ((0.55, "close-up of a face"), (0.25, "head and shoulders"), (0.0, "a person"))


def shown_in(pixels: Pixels, faces: Sequence[Box]) -> str:
    """A few words on a picture: "upright photograph, head and shoulders".

    Args:
        pixels: of the base, (H, W, 3).
        faces: found in it, best first; empty says nothing of faces.
    """
    height, width = pixels.shape[:2]
    form = "square"
    if height > _OBLONG * width:
        form = "upright"
    elif width > _OBLONG * height:
        form = "wide"
    words = [f"{form} photograph"]
    if faces:
        share = (faces[0].bottom - faces[0].top) / height
        words.append(next(shot for least, shot in _SHOTS if share >= least))
    return ", ".join(words)
