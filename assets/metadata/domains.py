"""What is shown of domains: counts, reasons for quarantine, pictures, the shortcut audit."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assets.metadata import interval_text, picture, table

if TYPE_CHECKING:
    from deepward.domains import Manifest, PixelCache


def manifest_metadata(manifest: "Manifest", pixels: "PixelCache") -> dict[str, Any]:
    """Counts, reasons for quarantine, and a montage of a domain."""
    from deepward.evaluation.montage import sample_montage

    counts = manifest.counts()
    aside = counts.pop("quarantined")
    usable = manifest.usable()
    shown: dict[str, Any] = {
        "files": len(manifest.table),
        "usable_real": int((usable["label"] == 0).sum()),
        "usable_fake": int((usable["label"] == 1).sum()),
        "set_aside": sum(aside.values()),
        "splits": table(["split", "real", "fake"], [[s, *n.values()] for s, n in counts.items()]),
        "splits_come_from": "folders" if manifest.declared_splits else "hash of the group",
    }
    if aside:
        shown["set_aside_because"] = table(["reason", "files"], aside.items())
    if len(usable):
        images = _Lazily(pixels, list(usable["content_hash"]))
        montage = sample_montage(images, usable["label"].to_numpy())
        shown["figure_pictures"] = picture(montage, "some pictures of the domain")
    return shown


def audit_metadata(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What tells the label besides the picture."""
    shown: dict[str, Any] = {
        "flagged": facts["flagged"],
        "finding": facts["reason"],
        "real_files_audited": facts["n_real"],
        "fake_files_audited": facts["n_fake"],
    }
    if facts["auc"] is not None:
        shown["shortcut_auc"] = round(facts["auc"], 4)
        shown["shortcut_auc_interval"] = interval_text(facts["auc_interval"])
    if facts["features"]:
        rows = sorted(facts["features"].items(), key=lambda item: -abs((item[1] or 0.5) - 0.5))
        shown["by_feature"] = table(["feature alone", "AUC"], rows)
    return shown


class _Lazily(Sequence[Any]):
    """Pictures that are read from the cache when they are looked at."""

    def __init__(self, pixels: "PixelCache", names: Sequence[str]) -> None:
        self._pixels, self._names = pixels, names

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        return self._pixels[self._names[index]]
