import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from PIL import Image

from deepward.errors import EvaluationError
from deepward.evaluation.adaptation import adaptation_figure
from deepward.evaluation.curves import det_figure, reliability_figure, roc_figure
from deepward.evaluation.domain_metrics import DomainMetrics
from deepward.evaluation.grids import confusion_figure, heat_map
from deepward.evaluation.matrices import TransferMatrix
from deepward.evaluation.measurement import evaluate_detector
from deepward.evaluation.spreads import overview_figure, score_histograms
from deepward.metrics.intervals import Estimate

NASTY = "a$x_{$ <script>--> & é"
OF_ONE_DOMAIN = (
    roc_figure,
    det_figure,
    reliability_figure,
    confusion_figure,
    score_histograms,
)


@pytest.fixture(scope="module")
def evaluated(request: pytest.FixtureRequest) -> Callable[..., DomainMetrics]:
    return lambda detector, data: evaluate_detector(detector, data, NASTY, "test", resamples=20)


@pytest.fixture(scope="module")
def found(
    detector: Any, invented: Callable[..., Any], evaluated: Callable[..., DomainMetrics]
) -> DomainMetrics:
    return evaluated(detector, invented(NASTY, reals=40, fakes=40, techniques=(NASTY, "b")))


def test_figures_of_a_domain_are_pictures_with_steady_bytes(found: DomainMetrics) -> None:
    for figure in OF_ONE_DOMAIN:
        encoded = figure(found)
        picture = Image.open(io.BytesIO(encoded))
        assert picture.format == "PNG"
        assert min(picture.size) > 200
        assert "Software" not in picture.info
        assert figure(found) == encoded
        svg = figure(found, "svg")
        assert svg == figure(found, "svg")
        assert b"<dc:date>" not in svg
        ElementTree.fromstring(svg)


def test_names_from_data_are_drawn_as_they_are(found: DomainMetrics) -> None:
    svg = score_histograms(found, "svg").decode()
    assert "<script>" not in svg
    assert "a$x_{$ &lt;script" in svg


def test_one_class_has_verdicts_and_histograms_but_no_curves(
    detector: Any, invented: Callable[..., Any], evaluated: Callable[..., DomainMetrics]
) -> None:
    reals = evaluated(detector, invented("camera", reals=30, fakes=0))
    for figure in (roc_figure, det_figure, reliability_figure):
        with pytest.raises(EvaluationError, match="one class only"):
            figure(reals)
    assert confusion_figure(reals)
    assert score_histograms(reals)
    with pytest.raises(EvaluationError, match="no AUC to draw"):
        overview_figure({"champion": [reals]})


def test_figures_without_scores_are_refused(found: DomainMetrics) -> None:
    with pytest.raises(EvaluationError, match="without their table"):
        roc_figure(replace(found, scores=None))


def test_overview_and_heat_map_show_what_was_measured(found: DomainMetrics) -> None:
    unlaundered = replace(found, laundered=dict.fromkeys(found.laundered, Estimate(None)))
    assert overview_figure({"champion": [found, unlaundered], "challenger": [unlaundered]})
    svg = overview_figure({"champion": [found], "challenger": [unlaundered]}, kind="svg").decode()
    assert "champion" in svg and "challenger" in svg and "thumbnail control" in svg
    with pytest.raises(EvaluationError, match="no AUC to draw"):
        overview_figure({"champion": [unlaundered]}, laundered=True)
    matrix = TransferMatrix(
        "auc", ("a", NASTY), ("b",), ((Estimate(0.9, 0.8, 1.0),), (Estimate(None),))
    )
    svg = heat_map(matrix, "svg").decode()
    assert "0.90" in svg
    assert "–" in svg


def test_adaptation_curves_are_drawn_beside_each_other_with_steady_bytes() -> None:
    curve = {"mean": 0.8, "low": 0.7, "high": 0.9}
    rungs = [
        {"shots": shots, "clean": curve, "laundered": {**curve, "low": None, "high": None}}
        for shots in (0, 5, 10)
    ]
    curves = {"meta-trained": rungs, "trained plainly": rungs[:2]}
    svg = adaptation_figure(curves, NASTY, "svg")
    assert svg == adaptation_figure(curves, NASTY, "svg")
    text = "".join(ElementTree.fromstring(svg).itertext())
    for words in ("meta-trained, clean", "trained plainly, laundered", "Adapting to", NASTY):
        assert words in text
    assert adaptation_figure({"": rungs}, "a").startswith(b"\x89PNG")


def test_a_large_domain_stays_a_small_figure(
    detector: Any, invented: Callable[..., Any], found: DomainMetrics
) -> None:
    import pandas as pd

    scores = pd.concat([found.scores] * 100, ignore_index=True)
    scores["probability"] = (scores["probability"] * 0.9 + 0.1 * scores.index / len(scores)).clip(
        0, 1
    )
    for figure in OF_ONE_DOMAIN:
        assert len(figure(replace(found, scores=scores), "svg")) < 400_000


def test_drawing_leaves_matplotlib_as_it_was(found: DomainMetrics) -> None:
    before = dict(matplotlib.rcParams)
    roc_figure(found)
    assert dict(matplotlib.rcParams) == before


def test_importing_evaluation_costs_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys, deepward.evaluation;"
        "sys.exit(','.join({'torch', 'matplotlib', 'sklearn'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
