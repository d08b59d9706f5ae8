"""The shortcut audit finds what form gives away, and nothing where there is nothing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from deepward.domains import Manifest, audit_domain, scan_domain
from deepward.domains.audit import _auc, _bootstrap
from deepward.domains.manifest import MANIFEST_SCHEMA, to_pandas


def manifest(count: int = 400, seed: int = 0, **planted) -> Manifest:
    """Rows whose form is independent of the label, but for the columns planted."""
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    rows = {
        "path": [f"test/{number:05d}.jpg" for number in range(count)],
        "content_hash": [f"{number:064x}" for number in range(count)],
        "label": labels,
        "split": ["test"] * count,
        "width": rng.choice([256, 512], count),
        "height": [256] * count,
        "mode": ["RGB"] * count,
        "container": rng.choice(["JPEG", "PNG"], count),
        "quality": rng.integers(70, 96, count),
        "subsampling": rng.choice(["4:2:0", "4:4:4"], count),
        "quantization": rng.choice(["a", "b", "c"], count),
        "metadata_bytes": rng.integers(0, 5000, count),
        "bytes": rng.integers(10_000, 60_000, count),
        "group": [f"g{number}" for number in range(count)],
    }
    rows |= {name: [make(label) for label in labels] for name, make in planted.items()}
    columns = {name: rows.get(name, [None] * count) for name in MANIFEST_SCHEMA.names}
    table = to_pandas(pa.table(columns, schema=MANIFEST_SCHEMA))
    return Manifest("planted", None, table, True)


def test_a_clean_domain_passes_for_nearly_every_seed():
    audits = [audit_domain(manifest(200, seed=seed)) for seed in range(5)]
    assert sum(audit.flagged for audit in audits) <= 1
    assert abs(np.mean([audit.auc for audit in audits]) - 0.5) < 0.06


@pytest.mark.parametrize(
    ("column", "make", "feature", "words"),
    [
        ("container", ("JPEG", "PNG").__getitem__, "container", "file format"),
        ("quantization", ("q1", "q2").__getitem__, "quantization", "quantization tables"),
        ("width", (256, 260).__getitem__, "size", "picture size"),
        ("metadata_bytes", (4000, 0).__getitem__, "metadata", "amount of metadata"),
        ("notes", (None, "progressive").__getitem__, "encoding", "way of encoding"),
        ("quality", (90, 91).__getitem__, "quality", "JPEG quality"),
    ],
)
def test_a_planted_shortcut_is_flagged_and_named(column, make, feature, words):
    audit = audit_domain(manifest(**{column: make}))
    assert audit.flagged
    assert audit.auc > 0.97
    assert next(iter(audit.features)) == feature
    assert words in audit.reason


def test_groups_are_never_split_between_folds():
    """Each base image has its own size and many copies: only memorising would tell the label."""
    one = manifest(seed=3)
    table = pd.concat([one.table.assign(path=f"{n}" + one.table["path"]) for n in range(5)])
    table = table.sort_values("path", ignore_index=True)
    assert not audit_domain(Manifest("copies", None, table, True)).flagged


def test_one_class_alone_or_too_few_pictures_are_not_applicable(domain):
    audit = audit_domain(scan_domain(domain))
    assert (audit.applicable, audit.auc, audit.flagged) == (False, None, False)
    assert "too few" in audit.reason
    reals = manifest(label=lambda label: 0)
    assert audit_domain(reals).reason == "not applicable: the domain has no usable fake pictures"


def test_the_same_seed_gives_the_same_audit():
    assert audit_domain(manifest(), seed=4) == audit_domain(manifest(), seed=4)


def test_auc_and_its_interval_agree_with_references():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 500)
    scores = np.round(labels * 0.8 + rng.normal(size=500), 1)  # with ties
    assert _auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    low, high = _bootstrap(scores, labels, np.arange(500), np.random.default_rng(0))
    drawn = []
    for _ in range(1000):
        index = rng.integers(0, 500, 500)
        drawn.append(roc_auc_score(labels[index], scores[index]))
    assert (low, high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.006)
    wide = _bootstrap(scores, labels, np.arange(500) // 10, np.random.default_rng(0))
    assert wide[1] - wide[0] != pytest.approx(high - low, abs=1e-4)
