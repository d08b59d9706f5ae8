"""Clusters of samples that look alike to an encoder: what is left out together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepward.errors import TrainingError, UsageError
from deepward.progress import Advance, Progress, no_progress

if TYPE_CHECKING:
    from deepward.detectors.descriptions import Descriptions
    from deepward.detectors.protocol import Samples

__all__ = ["ClusterConfig", "Clusters", "cluster_samples"]

_DIRECTIONS = 32  # principal directions that distances are measured in
_BLOCK = 64


@dataclass(frozen=True)
class ClusterConfig:
    """How samples are clustered.

    Attributes:
        statistic: that describes them, a name of `deepward.detectors.STATISTICS` or "timm/<model>".
        count: of clusters; where there are few samples, one for every `least` of them.
        least: samples to a cluster on average, at the least.
        seed: of k-means.
    """

    statistic: str = "encoder"
    count: int = 20
    least: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Clusters:
    """N samples in K clusters.

    Attributes:
        cluster: (N,) number of the cluster of each, largest cluster first.
        points: (N, P) principal coordinates, P up to 32, strongest direction first.
    """

    cluster: NDArray[np.int64]
    points: NDArray[np.float32]

    @property
    def count(self) -> int:
        """K."""
        return int(self.cluster.max(initial=-1)) + 1


def cluster_samples(
    samples: "Samples",
    config: ClusterConfig,
    descriptions: "Descriptions",
    *,
    device: str = "cpu",
    progress: Progress = no_progress,
) -> Clusters:
    """Describes samples, and clusters them by k-means; samples of one group stay together.

    Args:
        samples: to be clustered; labels are not looked at.
        config: how.
        descriptions: of samples that were described before.
        device: of the encoder.
        progress: told of every block described.

    Raises:
        TrainingError: there are fewer than two samples.
    """
    from deepward.detectors.statistics import build_statistic

    if len(samples) < 2:
        raise TrainingError(f"{len(samples)} samples cannot be clustered.")
    statistic = build_statistic(config.statistic)
    statistic.device = device
    some = [samples.pixels[i] for i in range(min(len(samples), _BLOCK))]
    statistic = statistic.prepared(some, config.seed)
    rows = []
    for start in range(0, len(samples), _BLOCK):
        block = [samples.pixels[i] for i in range(start, min(start + _BLOCK, len(samples)))]
        rows.append(descriptions.rows(statistic, block))
        done = min(start + _BLOCK, len(samples))
        progress(Advance("clusters: describing", done, len(samples), "sample"))
    whole = np.concatenate(rows)
    # The first part is of the whole picture; others say where, which is no likeness.
    described = whole[:, : sum(statistic.parts(whole.shape[1])[0])]
    return cluster_rows(described, samples.groups, config)


def cluster_rows(
    rows: NDArray[np.float32], groups: NDArray[Any], config: ClusterConfig
) -> Clusters:
    """`cluster_samples` for samples that are described already, (N, D).

    Raises:
        UsageError: fewer than two clusters are asked for.
    """
    from sklearn.cluster import KMeans

    if config.count < 2 or config.least < 1:
        raise UsageError(f"Samples fall into two clusters at least, not {config.count}.")
    points = _principal(rows)
    count = max(2, min(config.count, len(rows) // config.least))
    found = KMeans(count, n_init=4, random_state=config.seed).fit_predict(points)
    found = _together(found.astype(np.int64), groups, count)
    sizes = np.bincount(found, minlength=count)
    rank = np.empty(count, np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(count)
    return Clusters(rank[found], points.astype(np.float32))


def _principal(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Standardized columns on their principal directions, signs fixed."""
    from sklearn.decomposition import PCA

    spread = rows.std(0)
    scaled = (rows - rows.mean(0))[:, spread > 1e-6] / spread[spread > 1e-6]
    kept = min(_DIRECTIONS, len(rows) - 1, max(scaled.shape[1], 1))
    if not scaled.shape[1]:
        return np.zeros((len(rows), 1))
    made = PCA(kept, svd_solver="randomized", random_state=0).fit_transform(
        scaled.astype(np.float64)
    )
    signs = np.sign(made[np.abs(made).argmax(0), np.arange(made.shape[1])])
    return np.asarray(made * np.where(signs == 0, 1.0, signs))


def _together(found: NDArray[np.int64], groups: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Every group in the cluster that most of its samples fell into; the first of equals."""
    names, index = np.unique(groups.astype(np.str_), return_inverse=True)
    votes = np.zeros((len(names), count), np.int64)
    np.add.at(votes, (index, found), 1)
    return np.asarray(votes.argmax(1)[index], np.int64)
