"""Clips are scored beside pictures and sounds, part by part, and explained as a film strip."""

import io
import json
import math
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from deepward.detectors import Detector, Finding
from deepward.detectors.decision import Decision
from deepward.drift import TrafficLog
from deepward.scoring import explain_clip, score_media, score_paths
from deepward.scoring.parts import Part, fuse, pooled
from deepward.sounds.prepare import RATE
from tests.filmed import film, loudness, moving, speech, talking
from tests.spoken import spoken_sounds, voice, write_sound

DECISION = Decision(threshold=0.8, false_positive_rate=0.05, low=0.6)
ABSENT = Part("not applicable", reason="there is none")


def found(*probabilities: float, unfamiliarity: float = 0.5) -> list[Finding]:
    return [Finding(p, unfamiliarity, p, "swap", "faces") for p in probabilities]


def part(probability: float, threshold: float = 0.8, unfamiliarity: float = 0.5) -> Part:
    verdict = (
        "fake" if probability >= threshold else "real" if probability < 0.6 else "inconclusive"
    )
    verdict = "inconclusive" if unfamiliarity > 1 else verdict
    return Part(verdict, probability, threshold, "a reason", unfamiliarity)


def test_the_median_decides_and_the_top_fifth_is_shown() -> None:
    one = pooled(found(*[0.1] * 9, 0.95), DECISION)
    assert one.verdict == "real" and one.probability == pytest.approx(0.1)
    assert one.top == pytest.approx((0.95 + 0.1) / 2) and one.judged == 10 and one.reaching == 1
    some = pooled(found(*[0.1] * 8, 0.95, 0.95), DECISION)
    assert some.verdict == "inconclusive" and "2 of 10 pictures reach" in some.reason
    most = pooled(found(*[0.95] * 6, *[0.1] * 4), DECISION)
    assert most.verdict == "fake" and "most like swap" in most.reason


def test_unfamiliar_pictures_are_counted_and_never_called_fake() -> None:
    strange = pooled(found(*[0.99] * 5, unfamiliarity=3.0), DECISION)
    assert strange.verdict == "inconclusive" and strange.unfamiliar == 5 and not strange.speaks
    assert "unlike anything the detector was trained on" in strange.reason
    few = pooled([*found(*[0.1] * 5), *found(0.1, unfamiliarity=3.0)], DECISION)
    assert few.verdict == "real" and "1 of 6 pictures unfamiliar" in few.reason
    assert pooled(found(math.nan), DECISION).verdict == "inconclusive"


def test_one_made_part_is_enough_and_a_true_face_does_not_outvote_it() -> None:
    parts = {"faces": part(0.02), "frames": part(0.05), "sound": part(0.99)}
    verdict, probability, reason = fuse(parts, DECISION)
    assert verdict == "fake" and reason.startswith("sound: ")
    margins = [math.log(p / (1 - p)) - math.log(4) for p in (0.02, 0.05, 0.99)]
    mean = sum(math.exp(margin) for margin in margins) / 3
    assert probability == pytest.approx(1 / (1 + 1 / (4 * mean)))


def test_absent_and_abstaining_parts_have_no_say() -> None:
    alone = fuse({"faces": part(0.9)}, DECISION)
    for other in (ABSENT, part(0.01, unfamiliarity=4.0)):
        verdict, probability, _ = fuse({"faces": part(0.9), "frames": other}, DECISION)
        assert (verdict, probability) == (alone[0], pytest.approx(alone[1])) and verdict == "fake"
    verdict, probability, reason = fuse({"faces": ABSENT, "frames": ABSENT}, DECISION)
    assert (verdict, probability) == ("not applicable", None) and "there is none" in reason
    strange = fuse({"faces": ABSENT, "frames": part(0.9, unfamiliarity=4.0)}, DECISION)
    assert strange[0] == "inconclusive" and strange[1] is None


def test_the_scale_is_that_of_the_first_threshold() -> None:
    parts = {"sound": part(0.4, threshold=0.4)}
    assert fuse(parts, DECISION)[1] == pytest.approx(0.8)


def test_a_weak_fake_among_reals_and_lips_apart_are_inconclusive() -> None:
    weak = {"faces": part(0.81), "frames": part(0.01), "sound": part(0.01)}
    assert fuse(weak, DECISION)[0] == "inconclusive"
    real = {"faces": part(0.1), "frames": part(0.1), "sync": Part("inconclusive", reason="apart")}
    assert fuse({n: p for n, p in real.items() if n != "sync"}, DECISION)[0] == "real"
    verdict, _, reason = fuse(real, DECISION, apart=True)
    assert verdict == "inconclusive" and reason.startswith("sync: ")
    assert fuse(real | {"faces": part(0.99)}, DECISION, apart=True)[0] == "fake"
    assert fuse(real | {"faces": part(0.7)}, DECISION)[0] == "inconclusive"


@pytest.fixture(scope="module")
def sounds() -> Detector:
    from deepward.learning import TrainingConfig, train_detector

    data = spoken_sounds(40)
    return train_detector(TrainingConfig(), data, data.subset([]))


@pytest.fixture
def voiced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Path]:
    """Makes a clip of a talking face for which an `ffmpeg` gives the voice, some seconds late."""

    def make(late: float) -> Path:
        loud = loudness(4, 4.0)
        with wave.open(str(tmp_path / "voice.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(RATE)
            sound.writeframes(speech(loud, 4.0, late).tobytes())
        program = tmp_path / "bin" / "ffmpeg"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\nimport shutil, sys\n"
            f"shutil.copy({str(tmp_path / 'voice.wav')!r}, sys.argv[-1].removeprefix('file:'))\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        return film(tmp_path / "clip.mp4", talking(loud, 4.0))

    return make


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No ffmpeg on PATH: these clips have no sound, and need not be asked for it."""
    monkeypatch.setenv("PATH", "")


def test_a_folder_of_pictures_sounds_and_clips_scores_as_one(
    detector: Detector, sounds: Detector, domains: Path, tmp_path: Path, silent: None
) -> None:
    picture = sorted((domains / "alpha" / "test" / "0_real").iterdir())[0]
    files = [
        film(tmp_path / "a.mp4", talking(loudness(0, 2.0), 2.0)),
        picture,
        write_sound(tmp_path / "b.wav", voice(1)),
        film(tmp_path / "c.avi", moving(20, (160, 160))),
        tmp_path / "d.mp4",
    ]
    files[-1].write_bytes(picture.read_bytes())
    scored = list(score_media({"image": detector, "audio": sounds}, files))
    assert [verdict.path for _, verdict in scored] == [str(file) for file in files]
    assert [judge is sounds for judge, _ in scored] == [False, False, True, False, False]
    by_name = {Path(verdict.path).name: verdict for _, verdict in scored}
    assert by_name["a.mp4"].clip is not None and by_name["c.avi"].clip is not None
    assert by_name["b.wav"].clip is None and by_name["b.wav"].probability is not None
    assert by_name["d.mp4"].verdict == "not applicable"
    assert by_name["d.mp4"].reason == "not a video: is of no kind known here"
    faceless = by_name["c.avi"].clip.parts["faces"]
    assert faceless.verdict == "not applicable" and "no face was seen" in faceless.reason


def test_pictures_of_a_clip_are_judged_as_the_detector_judges_pictures(
    detector: Detector, tmp_path: Path, silent: None
) -> None:
    path = film(tmp_path / "a.mp4", talking(loudness(0, 2.0), 2.0))
    (verdict,) = score_paths(detector, [path], medium="video")
    assert verdict.clip is not None
    from deepward.videos.clip import read_clip

    clip = read_clip(str(path), detector.minimum_size, tmp_path / "scratch.wav")
    expected = detector.predict([shot.pixels for shot in clip.frames]).probability
    whole = [shot.probability for shot in verdict.clip.shots if shot.track < 0]
    np.testing.assert_allclose(whole, expected, atol=1e-6)
    assert verdict.clip.parts["frames"].probability == pytest.approx(np.median(expected), abs=1e-6)
    assert verdict.threshold == detector.decision.threshold
    assert "the detector learned no frames of video codecs" in verdict.reason


def test_sound_and_sync_are_parts_of_the_verdict(
    detector: Detector, sounds: Detector, voiced: Callable[[float], Path]
) -> None:
    both = {"image": detector, "audio": sounds}
    for late, together in ((0.0, True), (0.28, False)):
        ((_, verdict),) = score_media(both, [voiced(late)])
        assert verdict.clip is not None
        assert verdict.clip.parts["sound"].probability is not None
        assert verdict.clip.sync.together is together
        told = verdict.as_dict()["clip"]["parts"]["sync"]
        assert told["offset_seconds"] == pytest.approx(late, abs=0.041)
        assert told["confidence"] > 0.3 and len(told["curve"]) == 31
        if not together:
            assert told["verdict"] == "inconclusive" and "apart" in told["reason"]
            assert verdict.verdict != "real"


def test_a_detector_of_sounds_alone_judges_the_sound(
    sounds: Detector, voiced: Callable[[float], Path]
) -> None:
    ((_, verdict),) = score_media({"audio": sounds}, [voiced(0.0)])
    assert verdict.clip is not None and verdict.clip.shots == ()
    assert verdict.clip.parts["faces"].reason == "no detector of pictures was given"
    assert verdict.probability == pytest.approx(verdict.clip.parts["sound"].probability)


def test_the_command_tells_what_was_looked_at(
    home: Path,
    tmp_path: Path,
    deepward: Callable[..., Result],
    json_lines: Callable[[str], list[dict[str, Any]]],
    silent: None,
) -> None:
    film(tmp_path / "in" / "a.mp4", talking(loudness(0, 2.0), 2.0))
    logged = TrafficLog(home).position().rows
    ended = deepward("score", tmp_path / "in", "--json", "--log")
    assert ended.exit_code == 0, ended.stderr
    assert TrafficLog(home).position().rows == logged  # it compares samples; a clip has many
    (line,) = json_lines(ended.stdout)
    clip = line["clip"]
    assert (clip["frames_decoded"], clip["faces_tracked"]) == (50, 1)
    assert clip["frames_judged"] == clip["faces_judged"] == len(clip["shots"]) / 2 > 5
    assert list(clip["parts"]) == ["faces", "frames", "sound", "sync"]
    for name in ("faces", "frames"):
        told = clip["parts"][name]
        assert told["judged"] == clip["frames_judged"] and told["top"] >= told["probability"]
    assert clip["parts"]["sound"]["reason"].startswith("no sound was read: ")
    assert clip["parts"]["sync"]["offset_frames"] is None
    json.dumps(line, allow_nan=False)
    assert deepward("score", tmp_path / "in").exit_code == 0


def test_the_explanation_of_a_clip_is_a_film_strip(
    home: Path, tmp_path: Path, deepward: Callable[..., Result], detector: Detector, silent: None
) -> None:
    for name, frames in (("a", talking(loudness(0, 2.0), 2.0)), ("b", moving(30, (64, 160)))):
        path = film(tmp_path / f"{name} $x_1$.mp4", frames)
        ended = deepward("explain", path, "--out", tmp_path / f"{name}.png")
        assert ended.exit_code == 0, ended.stderr
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.width > 1200 and np.asarray(image).std() > 10
    verdict, png = explain_clip({"image": detector}, tmp_path / "a $x_1$.mp4")
    assert png is not None and Image.open(io.BytesIO(png)).format == "PNG"
    assert verdict.clip is not None
    (tmp_path / "no.mp4").write_text("words")
    refused = deepward("explain", tmp_path / "no.mp4", "--out", tmp_path / "no.png")
    assert refused.exit_code == 1 and "not a video" in refused.stderr
