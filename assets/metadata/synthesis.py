"""What is shown of a few-shot set: counts, reasons for what was rejected, a montage."""

from pathlib import Path
from typing import Any

import dagster as dg

from assets.metadata import picture, table

MONTAGE_WIDTH = 480


def fewshot_metadata(folder: Path, summary: dict[str, Any], base: Path) -> dict[str, Any]:
    """What was made of which base domain, what was not and why."""
    shown: dict[str, Any] = {
        "fakes": summary["made"],
        "rejected": summary["rejected"],
        "base_domain": base.name,
        "engines": table(["engine", "fakes"], summary["engines"].items()),
        "asked_techniques": table(["technique", "fakes"], summary["asked_techniques"].items()),
        "asked_operations": table(["operation", "fakes"], summary["asked_operations"].items()),
        "splits": table(["split", "fakes"], summary["splits"].items()),
    }
    if summary["stand_ins"]:
        shown["stood_in"] = "\n".join(summary["stand_ins"])
    if summary["reasons"]:
        shown["rejected_because"] = table(["reason", "samples"], summary["reasons"].items())
    if (folder / "montage.png").is_file():
        shown["montage"] = dg.MetadataValue.path(str(folder / "montage.png"))
        shown["figure_montage"] = picture(
            _small(folder / "montage.png"), "original, mask (of pictures), fake, difference"
        )
    return shown


def _small(path: Path) -> bytes:
    """The montage as a JPEG that fits into metadata."""
    import io

    from PIL import Image

    with Image.open(path) as image:
        shown = image.convert("RGB")
        shown.thumbnail((MONTAGE_WIDTH, 4 * MONTAGE_WIDTH))
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=80)
        return buffer.getvalue()
