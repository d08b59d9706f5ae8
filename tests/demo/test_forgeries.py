"""The demo fakes: local where they claim to be, as large as the original, and traceable."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepward.demo import make_demo_domains
from deepward.demo.camera import CAMERAS, Shot, encode_jpeg, take_picture
from deepward.demo.forgeries import TECHNIQUES, Original, forge
from deepward.demo.portraits import draw_portrait
from deepward.domains.audit import audit_domain
from deepward.domains.scan import scan_domain

SIZE = 128
SHOT = Shot(2.0, 0.0, (1.0, 1.0), 0.2, 1.0, 0.0, 90)


def take(seed: int, camera: str) -> Original:
    rng = np.random.default_rng(seed)
    portrait = draw_portrait(rng, SIZE)
    return Original(take_picture(portrait.radiance, CAMERAS[camera], SHOT, rng), portrait)


def decode(data: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(data)), np.int64)


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_a_fake_is_as_large_a_file_as_its_original(technique: str) -> None:
    ratios = []
    for seed in range(8):
        original = take(seed, "reflex")
        donor = take(seed + 100, "webcam")
        data, _ = forge(technique, original, donor, SHOT, np.random.default_rng(seed))
        ratios.append(len(data) / len(encode_jpeg(original.pixels, SHOT.quality)))
    assert np.abs(np.log(ratios)).max() < 0.01


@pytest.mark.parametrize("technique", ["swap", "inpaint"])
def test_far_from_the_mask_a_local_fake_is_its_original(technique: str) -> None:
    for seed in range(4):
        original = take(seed, "reflex")
        data, mask = forge(
            technique, original, take(seed + 100, "phone"), SHOT, np.random.default_rng(seed)
        )
        fake, real = decode(data), decode(encode_jpeg(original.pixels, SHOT.quality))
        far = cv2.dilate(mask, np.ones((65, 65), np.uint8)) == 0
        assert far.any()
        assert np.array_equal(fake[far], real[far])
        assert np.abs(fake - real)[mask == 255].mean() > 1


def test_a_swap_without_a_donor_is_refused() -> None:
    with pytest.raises(ValueError, match="donor"):
        forge("swap", take(0, "reflex"), None, SHOT, np.random.default_rng(0))


def statistics(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Log mean magnitudes of the block DCT, and the joint histogram of second differences."""
    values: list[NDArray[np.float64]] = []
    planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    for plane in (planes[..., 0], planes[..., 1]):
        tiles = [
            np.abs(cv2.dct(plane[row : row + 8, column : column + 8]))
            for row in range(0, SIZE, 8)
            for column in range(0, SIZE, 8)
        ]
        values.append(np.log1p(np.mean(tiles, axis=0)).ravel())
        bend = 2 * plane[:, 1:-1] - plane[:, :-2] - plane[:, 2:]
        level = np.clip(np.round(bend / 2), -2, 2).astype(int) + 2
        pairs = (level[:, :-1] * 5 + level[:, 1:]).ravel()
        values.append(np.bincount(pairs, minlength=25) / pairs.size)
    return np.concatenate(values)


@pytest.mark.slow
def test_traces_tell_the_label_and_neither_thumbnails_nor_files_do(tmp_path: Path) -> None:
    make_demo_domains(tmp_path, images_per_class=100, size=SIZE, seed=0, workers=2)
    found, content = {}, {}
    for technique in TECHNIQUES:
        folder = tmp_path / f"demo_{technique}"
        assert not audit_domain(scan_domain(folder)).flagged
        pictures, labels = [], []
        for label, name in enumerate(("0_real", "1_fake")):
            for path in sorted(folder.glob(f"*/{name}/*.jpg")):
                pictures.append(np.asarray(Image.open(path)))
                labels.append(label)
        small = [cv2.resize(p, (8, 8), interpolation=cv2.INTER_AREA).ravel() for p in pictures]
        for table, seen in ((found, [statistics(p) for p in pictures]), (content, small)):
            model = make_pipeline(
                StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3)
            )
            scores = cross_val_predict(
                model, np.array(seen, float), labels, cv=5, method="decision_function"
            )
            table[technique] = roc_auc_score(labels, scores)
    assert max(content.values()) < 0.65, content
    assert min(found["upsampler"], found["regenerated"]) > 0.75, found
    assert min(found.values()) > 0.6, found
