"""Faces followed by overlap."""

import numpy as np
import pytest

from deepward.pictures.faces import SeenFace
from deepward.videos.tracks import Track, Tracks, boxes_at, head_of, overlap


def face(x: float, y: float = 50.0, side: float = 40.0) -> SeenFace:
    return SeenFace(x, y, x + side, y + side, 9, np.zeros((2, 2)), False)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_two_faces_that_move_stay_two_and_keep_their_numbers() -> None:
    tracks = Tracks()
    for step in range(20):
        seen = [face(10 + 2 * step), face(200 - 2 * step)]
        found = tracks.look(step / 5, seen[:: 1 if step % 2 else -1])
        assert set(found) == {0, 1}
    assert [len(track.times) for track in tracks.all] == [20, 20]
    lefts = np.array([box[0] for box in tracks.all[0].boxes])
    assert np.abs(np.diff(lefts)).max() == pytest.approx(2)


def test_what_flickers_is_no_face_and_a_gap_is_bridged() -> None:
    tracks = Tracks()
    for step in range(24):
        seen = [] if step in (7, 8) else [face(10)]
        found = tracks.look(step / 5, [*seen, face(300)] if step == 12 else seen)
        assert 0 in found  # held over the gap
    assert [track.number for track in tracks.lasting] == [0]
    assert len(tracks.all) == 2
    assert tracks.look(30.0, []) == {}  # held for half a second, no longer


def test_places_are_interpolated_and_smooth() -> None:
    track = Track(0, [0.0, 1.0], [(0, 0, 40, 40), (10, 0, 50, 40)])
    places = boxes_at(track, np.linspace(0, 1, 51))
    assert places.shape == (51, 3)
    assert places[25] == pytest.approx([25.0, 20.0, 40.0])
    assert (np.diff(places[:, 0]) > -1e-9).all()


def test_a_head_is_cut_within_the_frame() -> None:
    assert head_of((100, 100, 200, 200), (400, 400, 3)) == (62, 58, 238, 233)
    assert head_of((0, 0, 100, 100), (120, 110, 3)) == (0, 0, 110, 120)
