"""Verdicts on pictures that come as text: base64, as a request over HTTP carries them."""

import base64
import binascii
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.files import printable
from deepward.pictures.decode import MAXIMUM_BYTES
from deepward.scoring.reading import SECONDS
from deepward.scoring.streams import score_paths
from deepward.scoring.verdicts import Verdict

if TYPE_CHECKING:
    from deepward.detectors import Detector

__all__ = ["SentPicture", "score_sent"]

_MOST_CHARACTERS = 4 * (MAXIMUM_BYTES // 3 + 1)  # of base64 for the largest file that is read


@dataclass(frozen=True)
class SentPicture:
    """One picture of a request.

    Attributes:
        picture: the bytes of its file in base64, with or without `data:image/…;base64,` before
            them; whatever else was sent becomes a verdict that says so.
        name: what the verdict calls it.
    """

    picture: Any
    name: str = ""


def score_sent(
    detector: "Detector", sent: Sequence[SentPicture], *, seconds: float = SECONDS
) -> list[dict[str, Any]]:
    """Gives one verdict for each picture, in their order: the fields of `deepward score --json`.

    The bytes go through the same watched processes as files do, so a picture that crashes its
    decoder, unfolds without end, or is none, costs its own verdict alone: "not applicable", with
    the reason.

    Args:
        detector: anything loaded by `load_detector`.
        sent: of one request.
        seconds: of computing that reading one picture may cost.
    """
    with tempfile.TemporaryDirectory(prefix="deepward-") as folder:
        paths: dict[int, Path] = {}
        refused: dict[int, str] = {}
        for number, each in enumerate(sent):
            try:
                data = _decoded(each.picture)
            except ValueError as error:
                refused[number] = str(error)
                continue
            paths[number] = Path(folder, f"{number:06d}")
            paths[number].write_bytes(data)
        with closing(score_paths(detector, list(paths.values()), seconds=seconds)) as found:
            verdicts = dict(zip(paths, found, strict=True))
    threshold = detector.decision.threshold
    for number, reason in refused.items():
        verdicts[number] = Verdict("", "not applicable", None, threshold, reason, None)
    return [
        replace(
            verdicts[number],
            path=printable(each.name),
            # A file that cannot be read is named in the reason by where it lay for a moment.
            reason=verdicts[number].reason.replace(str(paths.get(number, "\0")), "it"),
        ).as_dict()
        | {"detector": detector.content_hash}
        for number, each in enumerate(sent)
    ]


def _decoded(sent: Any) -> bytes:
    """Bytes of a file.

    Raises:
        ValueError: what was sent is no base64; a sentence for the reason.
    """
    if not isinstance(sent, str):
        raise ValueError(f"not base64: expected a text, got {type(sent).__name__}")
    text = sent.partition(",")[2] if sent.startswith("data:") else sent
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(f"too large: at most {MAXIMUM_BYTES:,} bytes are read")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {error}") from None
