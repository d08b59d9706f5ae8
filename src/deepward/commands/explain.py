"""`deepward explain`: where in a picture the evidence lies."""

from pathlib import Path
from typing import Annotated

import typer

from deepward.commands.console import out, say
from deepward.commands.options import DetectorOption, detectors_for
from deepward.errors import UsageError, WorkError

__all__ = ["explain"]


def explain(
    image: Annotated[Path, typer.Argument(metavar="FILE", help="A picture, a sound or a video.")],
    out_file: Annotated[
        Path, typer.Option("--out", metavar="PNG", help="Where to write the explanation.")
    ],
    detector: DetectorOption = None,
) -> None:
    """Draw where in a picture, a sound or a video the evidence lies.

    The PNG shows the picture, or the sound's spectrogram, beside it the evidence for fake as a heat
    map, and the verdict with its probability. Of a video it is a film strip: frames with their
    faces, the evidence on these, the verdicts over time, and how lips and sound agree.
    """
    if not image.exists():
        raise UsageError(f"There is no file {image}.")
    if image.is_dir():
        raise UsageError(f"{image} is a folder; explain takes one picture.")
    if out_file.suffix.lower() != ".png":
        raise UsageError(f"The explanation is a PNG; --out {out_file} does not end in .png.")
    if out_file.exists() and out_file.samefile(image):
        raise UsageError("--out would overwrite the picture itself.")
    folders = detectors_for([image], detector)

    from deepward.detectors import load_detector
    from deepward.files import atomic_file
    from deepward.scoring import explain_clip, explain_picture
    from deepward.videos.containers import named_like

    if named_like(str(image)):
        loaded = {each.medium: each for each in map(load_detector, folders)}
        verdict, png = explain_clip(loaded, image)
    else:
        verdict, png = explain_picture(load_detector(folders[0]), image)
    if png is None:
        raise WorkError(f"{image} cannot be explained: {verdict.reason}.")
    with atomic_file(out_file) as partial:
        partial.write_bytes(png)
    probability = "" if verdict.probability is None else f", probability {verdict.probability:.3f}"
    say(f"{verdict.verdict}{probability}: {verdict.reason}")
    out(str(out_file))
