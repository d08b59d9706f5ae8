"""What makes one demo portrait differ from the next: a person and a pose, drawn by lot."""

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Traits", "draw_traits", "resemble"]

HAIR_STYLES = ("bald", "short", "long", "curly", "bun")
HAIR_ODDS = (0.1, 0.34, 0.3, 0.16, 0.1)


@dataclass(frozen=True)
class Traits:
    """One person and pose. Angles in radians; lengths on the head in units of u or v."""

    centre: tuple[float, float]
    height: float  # half the head's height, in half pictures
    width: float  # half width over half height
    jaw: float  # how much narrower the jaw is than the temples
    yaw: float
    pitch: float
    roll: float
    tone: float  # 0 light to 1 dark skin
    ruddiness: float
    age: float  # 0 smooth to 1 lined
    eye_x: float
    eye_y: float
    eye_width: float
    eye_open: float
    eye_slant: float
    gaze: tuple[float, float]
    iris: int
    brow_gap: float
    brow_arch: float
    brow_thickness: float
    nose_length: float
    nose_width: float
    nose_height: float
    mouth_y: float
    mouth_width: float
    lip_fullness: float
    smile: float
    mouth_open: float
    lipstick: float
    ear_size: float
    hair_style: str
    hair_colour: int
    hairline: float
    parting: float
    beard: float
    glasses: bool
    freckles: float
    clothes: int


def draw_traits(rng: np.random.Generator) -> Traits:
    """A person drawn by lot; beards and lipstick exclude each other."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    bearded = rng.random() < 0.28
    return Traits(
        centre=(between(-0.08, 0.08), between(-0.10, 0.04)),
        height=between(0.60, 0.76),
        width=between(0.70, 0.80),
        jaw=between(0.10, 0.28),
        yaw=float(np.clip(rng.normal(0, 0.22), -0.55, 0.55)),
        pitch=float(np.clip(rng.normal(0, 0.10), -0.25, 0.25)),
        roll=float(np.clip(rng.normal(0, 0.07), -0.2, 0.2)),
        tone=between(0.0, 1.0),
        ruddiness=between(0.2, 1.0),
        age=float(rng.random() ** 1.5),
        eye_x=between(0.37, 0.44),
        eye_y=between(-0.10, 0.0),
        eye_width=between(0.17, 0.215),
        eye_open=between(0.055, 0.09),
        eye_slant=between(-0.02, 0.03),
        gaze=(between(-0.25, 0.25), between(-0.1, 0.15)),
        iris=int(rng.integers(6)),
        brow_gap=between(0.15, 0.21),
        brow_arch=between(0.01, 0.05),
        brow_thickness=between(0.018, 0.04),
        nose_length=between(0.30, 0.42),
        nose_width=between(0.11, 0.17),
        nose_height=between(0.20, 0.34),
        mouth_y=between(0.54, 0.61),
        mouth_width=between(0.27, 0.38),
        lip_fullness=between(0.6, 1.3),
        smile=between(-0.02, 0.09),
        mouth_open=max(0.0, between(-0.10, 0.055)),
        lipstick=0.0 if bearded else max(0.0, between(-0.8, 0.9)),
        ear_size=between(0.8, 1.2),
        hair_style=str(rng.choice(HAIR_STYLES, p=HAIR_ODDS)),
        hair_colour=int(rng.integers(8)),
        hairline=between(-0.74, -0.52),
        parting=between(-0.5, 0.5),
        beard=between(0.25, 1.0) if bearded else 0.0,
        glasses=bool(rng.random() < 0.25),
        freckles=max(0.0, between(-1.2, 1.0)),
        clothes=int(rng.integers(1 << 16)),
    )


def resemble(traits: Traits, other: Traits) -> Traits:
    """The person with the complexion and nearly the pose of `other`: a fit donor for a swap."""
    return replace(
        traits,
        tone=0.85 * other.tone + 0.15 * traits.tone,
        ruddiness=other.ruddiness,
        yaw=other.yaw + 0.2 * traits.yaw,
        pitch=other.pitch + 0.2 * traits.pitch,
        glasses=other.glasses,
        beard=other.beard,
    )
