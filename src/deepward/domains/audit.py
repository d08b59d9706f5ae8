"""The shortcut audit: can a file's form alone, without one look at the picture, tell its label?

A detector trained where all fakes are PNG learns PNG. Small classifiers that see only size, format,
quantization tables, quality, bits per pixel and metadata are cross-validated by group; when they
tell real from fake better than chance allows, the domain is flagged, with what gives it away.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from deepward.domains.manifest import Manifest

__all__ = ["FLAG_ABOVE", "Audit", "audit_domain"]

FLAG_ABOVE = 0.55
_FOLDS = 5
_FEWEST_GROUPS = 10  # of each class: two per fold
_MOST_ROWS = 20_000
_RESAMPLES = 1000
_COMMON_VALUES = 12  # categories kept apart; the rare ones are joined
_WORDS = {
    "size": "picture size",
    "bits_per_pixel": "bits per pixel (which also depend on what is shown)",
    "container": "file format",
    "mode": "colour mode",
    "quality": "JPEG quality",
    "quantization": "JPEG quantization tables",
    "subsampling": "chroma subsampling",
    "metadata": "amount of metadata",
    "encoding": "way of encoding",
    "duration": "duration",
    "trimmed": "duration without silent ends",
    "bit_rate": "bits per second (which also depend on what is heard)",
    "rate": "samples per second",
    "channels": "channels",
    "codec": "codec",
}


@dataclass(frozen=True)
class Audit:
    """What the form of the files gives away.

    Attributes:
        applicable: False when the domain lacks one class or is too small; then numbers are None.
        auc: cross-validated AUC of all features together, [0, 1].
        interval: 95 % bootstrap interval of it, resampled by group.
        flagged: AUC above `FLAG_ABOVE` and the interval above 0.5.
        features: cross-validated AUC of each feature alone, best first.
        reason: the finding, in words.
        n_real, n_fake: pictures judged.
    """

    applicable: bool
    auc: float | None
    interval: tuple[float, float] | None
    flagged: bool
    features: dict[str, float]
    reason: str
    n_real: int
    n_fake: int

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-able values."""
        return {
            "applicable": self.applicable,
            "auc": self.auc,
            "auc_interval": None if self.interval is None else list(self.interval),
            "flagged": self.flagged,
            "features": self.features,
            "reason": self.reason,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
        }


def audit_domain(manifest: Manifest, *, seed: int = 0) -> Audit:
    """Audits the usable pictures of a domain, all splits together."""
    rows = manifest.usable()
    if len(rows) > _MOST_ROWS:
        rows = rows.sample(_MOST_ROWS, random_state=seed).sort_values("path", ignore_index=True)
    labels = rows["label"].to_numpy(dtype=np.int64)
    n_fake = int(labels.sum())
    n_real = len(labels) - n_fake
    groups = pd.factorize(rows["group"])[0]
    per_class = [len(np.unique(groups[labels == label])) for label in (0, 1)]
    if min(per_class) < _FEWEST_GROUPS:
        if min(n_real, n_fake) == 0:
            missing = "fake" if n_fake == 0 else "real"
            reason = f"not applicable: the domain has no usable {missing} pictures"
        else:
            reason = (
                f"not applicable: {per_class[0]} real and {per_class[1]} fake base images are too "
                f"few; {_FEWEST_GROUPS} of each are needed"
            )
        return Audit(False, None, None, False, {}, reason, n_real, n_fake)

    features = _features(rows)
    folds = _folds(labels, groups, seed)
    together = np.concatenate(list(features.values()), axis=1)
    scores = _cross_validate(together, labels, folds, seed)
    auc = _auc(scores, labels)
    interval = _bootstrap(scores, labels, groups, np.random.default_rng(seed))
    alone = {
        name: _auc(_cross_validate_tree(columns, labels, folds, seed), labels)
        for name, columns in features.items()
    }
    alone = dict(sorted(alone.items(), key=lambda item: (-item[1], item[0])))
    flagged = auc > FLAG_ABOVE and interval[0] > 0.5
    reason = _explain(rows, labels, auc, interval, flagged, alone)
    return Audit(True, auc, interval, flagged, alone, reason, n_real, n_fake)


def _features(rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Named blocks of columns, (N, K) each."""

    def number(values: Any) -> NDArray[np.float64]:
        return np.asarray(pd.array(values, dtype="Float64").to_numpy(dtype=float, na_value=-1.0))

    def category(name: str) -> NDArray[np.float64]:
        values = rows[name].fillna("none").to_numpy(dtype=object)
        common = [value for value, _ in Counter(values).most_common(_COMMON_VALUES)]
        return np.stack([values == value for value in common], axis=1).astype(np.float64)

    notes = rows["notes"].fillna("").str.split()
    marks = sorted({mark for words in notes for mark in words})
    encoding = np.array([[float(mark in words) for mark in marks] or [0.0] for words in notes])
    if rows["samples"].notna().any():
        seconds = np.maximum(number(rows["seconds"]), 1e-3)
        return {
            "duration": np.log(seconds)[:, None],
            "trimmed": np.log(number(rows["samples"]))[:, None],
            "bit_rate": np.log(8 * number(rows["bytes"]) / seconds)[:, None],
            "container": category("container"),
            "codec": category("codec"),
            "rate": number(rows["rate"])[:, None],
            "channels": number(rows["channels"])[:, None],
            "encoding": encoding,
        }
    width, height = number(rows["width"]), number(rows["height"])
    size = [np.log(width), np.log(height), np.log(width * height), np.log(width / height)]
    bits = 8 * number(rows["bytes"]) / (width * height)
    return {
        "size": np.stack(size, axis=1),
        "bits_per_pixel": np.log(bits)[:, None],
        "container": category("container"),
        "mode": category("mode"),
        "quality": number(rows["quality"])[:, None],
        "quantization": category("quantization"),
        "subsampling": category("subsampling"),
        "metadata": np.log1p(number(rows["metadata_bytes"]))[:, None],
        "encoding": encoding,
    }


def _folds(labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> list[Any]:
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    return list(splitter.split(labels[:, None], labels, groups))


def _cross_validate(
    features: NDArray[np.float64], labels: NDArray[np.int64], folds: list[Any], seed: int
) -> NDArray[np.float64]:
    """Out-of-fold scores: the mean rank given by a linear and by a tree-based classifier."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores = np.zeros(len(labels))
    for train, test in folds:
        models = (
            make_pipeline(
                StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500)
            ),
            ExtraTreesClassifier(
                50, min_samples_leaf=5, class_weight="balanced", random_state=seed
            ),
        )
        for model in models:
            fitted = model.fit(features[train], labels[train])
            scores[test] += rankdata(fitted.predict_proba(features[test])[:, 1]) / len(test)
    return scores


def _cross_validate_tree(
    features: NDArray[np.float64], labels: NDArray[np.int64], folds: list[Any], seed: int
) -> NDArray[np.float64]:
    """Out-of-fold scores of one small tree on one feature."""
    from sklearn.tree import DecisionTreeClassifier

    scores = np.zeros(len(labels))
    for train, test in folds:
        model = DecisionTreeClassifier(
            max_depth=4, min_samples_leaf=5, class_weight="balanced", random_state=seed
        )
        scores[test] = model.fit(features[train], labels[train]).predict_proba(features[test])[:, 1]
    return scores


def _auc(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Area under the ROC curve by ranks, ties counted half (Mann-Whitney)."""
    ranks = rankdata(scores)
    fakes = int(labels.sum())
    reals = len(labels) - fakes
    return float((ranks[labels == 1].sum() - fakes * (fakes + 1) / 2) / (fakes * reals))


def _bootstrap(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[float, float]:
    """95 % percentile interval, whole groups drawn with replacement.

    A drawn group weighs as often as it was drawn, so no rows are copied: the weighted AUC is read
    off cumulative weights in score order.
    """
    values, place = np.unique(scores, return_inverse=True)
    count = int(groups.max()) + 1
    found: list[float] = []
    while len(found) < _RESAMPLES:
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[groups]
        real = np.bincount(place, weight * (labels == 0), len(values))
        fake = np.bincount(place, weight * (labels == 1), len(values))
        if real.sum() == 0 or fake.sum() == 0:
            continue
        below = np.cumsum(real) - real / 2
        found.append(float((fake * below).sum() / (real.sum() * fake.sum())))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _explain(
    rows: pd.DataFrame,
    labels: NDArray[np.int64],
    auc: float,
    interval: tuple[float, float],
    flagged: bool,
    alone: dict[str, float],
) -> str:
    shown = f"AUC {auc:.2f} (95 % interval {interval[0]:.2f}-{interval[1]:.2f})"
    if not flagged:
        if auc > FLAG_ABOVE:
            return f"undecided: {shown}; the domain is too small to tell this from chance"
        return f"passed: the form of the files does not tell the label, {shown}"
    name = next(iter(alone))
    real, fake = (_typical(rows[labels == label], name) for label in (0, 1))
    return (
        f"flagged: the form of the files tells the label without a look at the picture, {shown}; "
        f"most by {_WORDS[name]} (alone {alone[name]:.2f}): real {real}, fake {fake}"
    )


def _typical(rows: pd.DataFrame, name: str) -> str:
    """The usual value of a feature in words."""
    if name in ("container", "mode", "quantization", "subsampling", "encoding", "codec"):
        column = rows["notes" if name == "encoding" else name].fillna("none")
        value, share = next(iter(column.value_counts(normalize=True).items()))
        return f"mostly {value} ({share:.0%})"
    if name in ("duration", "trimmed", "rate", "channels", "bit_rate"):
        values = {
            "duration": rows["seconds"],
            "trimmed": rows["samples"] / 16_000,
            "bit_rate": 8 * rows["bytes"] / rows["seconds"],
            "rate": rows["rate"],
            "channels": rows["channels"],
        }[name]
        unit = {"duration": " s", "trimmed": " s", "rate": " Hz", "bit_rate": " bit/s"}
        return f"about {values.median():.4g}{unit.get(name, '')}"
    if name == "size":
        width, height = rows["width"].median(), rows["height"].median()
        return f"about {width:.0f} x {height:.0f} px"
    if name == "bits_per_pixel":
        values = 8 * rows["bytes"] / (rows["width"] * rows["height"])
        return f"about {values.median():.2f}"
    if name == "metadata":
        return f"about {rows['metadata_bytes'].median():.0f} bytes"
    known = rows["quality"].dropna()
    return f"about {known.median():.0f}" if len(known) else "no JPEG"
