"""From words to regions, and where each region lies on a frontal face.

Face coordinates: the origin lies midway between the pupils, x runs along the line through them to
the picture's right, y down the face; the unit is the distance between the pupils. The outlines are
drawn after average adult proportions (Farkas, Anthropometry of the Head and Face, 1994): width of
the face 2.1, pupils to nose tip 0.6, to the line of the mouth 1.05, to the chin 1.75.
"""

import re

import numpy as np
from numpy.typing import NDArray

__all__ = ["FACE_HULL", "INNER_HULL", "OUTLINES", "regions_in"]

Outline = NDArray[np.float64]  # (N, 2) corners of a polygon, face coordinates


def _polygon(*corners: tuple[float, float]) -> Outline:
    return np.array(corners, np.float64)


def _mirrored(*right: tuple[float, float]) -> Outline:
    """A symmetric polygon from its right half, given from top to bottom."""
    left = [(-x, y) for x, y in reversed(right) if x > 0]
    return np.array([*right, *left], np.float64)


def _ellipse(x: float, y: float, rx: float, ry: float) -> Outline:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.column_stack([x + rx * np.cos(angle), y + ry * np.sin(angle)])


def _both(outline: Outline) -> tuple[Outline, ...]:
    return outline, outline * (-1.0, 1.0)


# From the hair line to the chin; what a mask of the face covers.
FACE_HULL = _mirrored(
    (0.0, -0.86), (0.42, -0.82), (0.78, -0.62), (0.99, -0.25), (1.04, 0.2), (1.0, 0.65),
    (0.89, 1.08), (0.68, 1.43), (0.4, 1.66), (0.0, 1.76),
)  # fmt: skip
# From the brows to the chin: the hull of the 68 landmarks that most face swaps replace.
INNER_HULL = _mirrored(
    (0.0, -0.38), (0.4, -0.5), (0.8, -0.4), (0.97, -0.05), (0.98, 0.4), (0.92, 0.85),
    (0.78, 1.22), (0.52, 1.52), (0.0, 1.72),
)  # fmt: skip

OUTLINES: dict[str, tuple[Outline, ...]] = {
    "face": (FACE_HULL,),
    "head": (_ellipse(0, 0.2, 1.4, 1.85),),
    "eyes": _both(_ellipse(0.5, 0.0, 0.33, 0.2)),
    # The subject's left is the picture's right.
    "left eye": (_ellipse(0.5, 0.0, 0.33, 0.2),),
    "right eye": (_ellipse(-0.5, 0.0, 0.33, 0.2),),
    "glasses": (_mirrored((0.0, -0.2), (0.85, -0.32), (1.0, -0.15), (0.9, 0.35), (0.4, 0.42),
                          (0.15, 0.15), (0.0, 0.08)),),
    "eyebrows": _both(_polygon((0.17, -0.26), (0.45, -0.5), (0.8, -0.44), (0.92, -0.22),
                               (0.55, -0.3), (0.2, -0.14))),
    "nose": (_mirrored((0.0, -0.08), (0.13, -0.05), (0.2, 0.35), (0.36, 0.55), (0.33, 0.72),
                       (0.14, 0.78), (0.0, 0.8)),),
    "mouth": (_ellipse(0, 1.08, 0.54, 0.28),),
    "teeth": (_ellipse(0, 1.06, 0.4, 0.14),),
    "jaw": (_mirrored((0.0, 1.3), (0.45, 1.2), (0.75, 0.85), (1.05, 0.7), (0.95, 1.12),
                      (0.72, 1.48), (0.42, 1.74), (0.0, 1.84)),),
    "chin": (_ellipse(0, 1.55, 0.45, 0.26),),
    "cheeks": _both(_ellipse(0.64, 0.6, 0.32, 0.38)),
    "forehead": (_mirrored((0.0, -0.95), (0.5, -0.9), (0.85, -0.62), (0.95, -0.35), (0.45, -0.5),
                           (0.0, -0.42)),),
    "lower face": (_mirrored((0.0, 0.7), (0.98, 0.6), (0.9, 1.08), (0.68, 1.43), (0.4, 1.66),
                             (0.0, 1.76)),),
    "hair": (_polygon((-1.15, -0.1), (-1.4, -0.5), (-1.3, -1.15), (-0.85, -1.55), (0.0, -1.72),
                      (0.85, -1.55), (1.3, -1.15), (1.4, -0.5), (1.15, -0.1), (0.98, -0.4),
                      (0.72, -0.74), (0.4, -0.9), (0.0, -0.95), (-0.4, -0.9), (-0.72, -0.74),
                      (-0.98, -0.4)),),
    "ears": _both(_ellipse(1.18, 0.32, 0.2, 0.42)),
    "neck": (_polygon((-0.8, 1.5), (-0.45, 1.74), (0.0, 1.84), (0.45, 1.74), (0.8, 1.5),
                      (0.85, 2.4), (-0.85, 2.4)),),
    "body": (_polygon((-0.6, 2.0), (0.6, 2.0), (2.2, 2.7), (2.6, 5.0), (-2.6, 5.0), (-2.2, 2.7)),),
    "person": (_polygon((-0.85, -1.5), (0.85, -1.5), (1.35, -0.6), (1.2, 0.8), (0.8, 1.6),
                        (0.85, 2.2), (2.2, 2.7), (2.6, 5.0), (-2.6, 5.0), (-2.2, 2.7),
                        (-0.85, 2.2), (-0.8, 1.6), (-1.2, 0.8), (-1.35, -0.6)),),
}  # fmt: skip

# The first pattern that fits decides; parts stand before wholes, since "lips of the face" are lips.
_WORDS: tuple[tuple[str, str], ...] = (
    ("whole", r"(whole|entire|full) (picture|image|frame|photo(graph)?|scene)|everything"),
    ("background", r"back ?ground|backdrop|surroundings?|scenery|behind|sky|wall"),
    ("left eye", r"left (eye|iris|pupil|eyelid)"),
    ("right eye", r"right (eye|iris|pupil|eyelid)"),
    ("glasses", r"(eye ?)?glasses|spectacles?|sunglasses"),
    ("eyebrows", r"(eye ?)?brows?"),
    ("eyes", r"eyes?|iris(es)?|pupils?|cornea[es]?|gaze|eyelids?|eyelashe?s?|blink(ing)?"),
    ("teeth", r"teeth|tooth|dental"),
    ("mouth", r"mouth|lips?|tongue|smil(e|ing)|lipstick"),
    ("nose", r"nose|nostrils?|nasal"),
    ("chin", r"chin|goatee"),
    ("lower face", r"(lower|bottom) (half of the )?face|beard|stubble|moustache|mustache"),
    ("jaw", r"jaw( ?line)?|jaws"),
    ("cheeks", r"cheeks?|cheekbones?"),
    ("forehead", r"forehead|temples?"),
    ("ears", r"ears?|earrings?|earlobes?"),
    ("hair", r"hair( ?(line|style|cut))?|strands?|bangs|fringe"),
    ("neck", r"neck|throat"),
    ("body", r"body|torso|cloth(es|ing)|shoulders?|shirt|collar|jacket"),
    ("head", r"head"),
    ("face", r"faces?|facial|skin|pores?|wrinkles?|freckles?|complexion|identity|portrait"
             r"|expression"),
    ("person", r"persons?|people|man|woman|child|human|subject|silhouette"),
    ("whole", r"picture|image|photo(graph)?|frame|scene"),
)  # fmt: skip
_PATTERNS = tuple((name, re.compile(rf"\b({words})\b")) for name, words in _WORDS)
_AND = re.compile(r"\band\b|[,;/+&]")


def regions_in(phrase: str) -> tuple[str, ...]:
    """The regions that a phrase names, in its order: `background`, `whole`, or keys of `OUTLINES`.

    Each part of an enumeration names at most one. Empty where no word is known.
    """
    found: dict[str, None] = {}
    for part in _AND.split(re.sub(r"[^a-z,;/+&]+", " ", phrase.lower().replace("-", " "))):
        name = next((name for name, words in _PATTERNS if words.search(part)), None)
        if name is not None:
            found[name] = None
    return tuple(found)
