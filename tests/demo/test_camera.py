"""The demo camera: colours come back, noise behaves like a sensor's, editing is linear."""

from dataclasses import replace

import numpy as np
import pytest

from deepward.demo.camera import CAMERAS, Camera, Shot, draw_shot, edit, take_picture
from deepward.demo.portraits import draw_portrait

STEADY = Shot(
    gain=1.0,
    stops=0.0,
    balance=(1.0, 1.0),
    defocus=0.0,
    zoom=1.0,
    crispness=0.0,
    quality=90,
)


def bare(**changes: object) -> Camera:
    """A camera without lens faults and without processing after demosaicing."""
    clean = {"vignetting": 0.0, "noise_reduction": 0.0, "sharpening": 0.0, "contrast": 0.0}
    return replace(CAMERAS["reflex"], **(clean | changes))


@pytest.mark.parametrize("bayer", ["RGGB", "GRBG", "BGGR", "GBRG"])
@pytest.mark.parametrize("edge_aware", [False, True])
def test_a_colour_survives_the_mosaic(bayer: str, edge_aware: bool) -> None:
    camera = bare(
        bayer=bayer, edge_aware=edge_aware, read_noise=0.0, shot_noise=0.0, fixed_pattern=0.0
    )
    colour = np.array([0.6, 0.35, 0.2], np.float32)
    picture = take_picture(
        np.broadcast_to(colour, (32, 32, 3)).copy(), camera, STEADY, np.random.default_rng(0)
    )
    expected = colour ** (1 / 2.2) * 255
    assert np.abs(picture[4:-4, 4:-4] - expected).max() <= 1.5


def test_noise_grows_with_the_signal_as_photons_do() -> None:
    camera = bare(read_noise=0.0, fixed_pattern=0.0)
    variances = []
    for level in (0.1, 0.4):
        scene = np.full((256, 256, 3), level, np.float32)
        picture = take_picture(scene, camera, STEADY, np.random.default_rng(1)) / 255.0
        variances.append(float((picture[..., 1] ** 2.2).var()))
    assert variances[1] / variances[0] == pytest.approx(4.0, rel=0.25)


def test_demosaicing_ties_neighbours_together() -> None:
    scene = np.full((256, 256, 3), 0.3, np.float32)
    red = take_picture(scene, bare(), STEADY, np.random.default_rng(2))[..., 0].astype(float)
    red -= red.mean()
    assert (red[:, 1:] * red[:, :-1]).mean() / red.var() > 0.3


def test_the_fixed_pattern_is_that_of_the_camera() -> None:
    scene = np.full((128, 128, 3), 0.5, np.float32)
    names = ("reflex", "reflex", "phone")
    greens = []
    for seed, name in enumerate(names):
        camera = bare(name=name, fixed_pattern=0.02)
        picture = take_picture(scene, camera, STEADY, np.random.default_rng(seed))
        greens.append(picture[..., 1].ravel())
    same, other = np.corrcoef(greens)[0, 1:]
    assert same > 0.3
    assert abs(other) < 0.05


def test_edits_may_be_made_term_by_term() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    shot = replace(STEADY, zoom=1.1, crispness=0.4)
    np.testing.assert_allclose(edit(a + b, shot), edit(a, shot) + edit(b, shot), atol=1e-2)


def test_settings_and_portraits_repeat_with_their_seed() -> None:
    first, second = (np.random.default_rng(5) for _ in range(2))
    assert draw_shot(first) == draw_shot(second)
    one, two = draw_portrait(first, 96), draw_portrait(second, 96)
    assert np.array_equal(one.radiance, two.radiance)
    assert one.traits == two.traits


@pytest.mark.parametrize("size", [64, 130])
def test_a_portrait_holds_a_face_with_its_landmarks_inside(size: int) -> None:
    for seed in range(6):
        portrait = draw_portrait(np.random.default_rng(seed), size)
        assert portrait.radiance.shape == (size, size, 3)
        assert portrait.radiance.dtype == np.float32
        assert np.isfinite(portrait.radiance).all()
        assert 0.1 < (portrait.face > 0.5).mean() < 0.6
        for x, y in np.round(portrait.landmarks[:5]).astype(int):
            assert portrait.face[y, x] == 1.0
