"""`deepward domains import-…`: data sets from elsewhere become domain folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from deepward.commands.console import out, print_json, say, shown_progress
from deepward.commands.options import JsonFlag
from deepward.errors import UsageError
from deepward.home import domains_folder
from deepward.intake.reasons import in_words

__all__ = ["add_importers"]

_KINDS = {
    "tfrecord": (
        "TFRecord files of tf.Example",
        "image/encoded",
        "image/class/label",
        "Checksums are verified; TensorFlow is not needed.",
    ),
    "arrow": (
        "a Hugging Face data set on disk (Arrow, Parquet)",
        "image",
        "label",
        "Class numbers are read by their names, where the data set has them.",
    ),
    "webdataset": (
        "WebDataset tar shards",
        "any picture",
        "cls",
        "A field stands in a member of the sample, or in its JSON.",
    ),
    "csv": (
        "the pictures that a CSV names",
        "path",
        "label",
        "Paths are relative to the CSV's folder, and stay below it.",
    ),
}


def add_importers(app: typer.Typer) -> None:
    """Adds one command for each format."""
    for kind in _KINDS:
        command = _command(kind)
        example = f"domains import-{kind} SOURCE --out domains/imported --fake 1"
        app.command(f"import-{kind}", epilog=f"Example: deepward {example}")(command)


def _command(kind: str) -> Callable[..., None]:
    what, image, label, more = _KINDS[kind]

    def run(
        source: Annotated[
            Path, typer.Argument(metavar="SOURCE", help="A file, or a folder of files.")
        ],
        target: Annotated[
            Path,
            typer.Option(
                "--out",
                metavar="DOMAIN",
                help="The new domain: a folder, or a name below DEEPWARD_HOME's domains.",
            ),
        ],
        image_field: Annotated[
            str, typer.Option("--image", help=f"Field of the picture; by default {image}.")
        ] = "",
        label_field: Annotated[
            str, typer.Option("--label", help=f"Field of the class; by default {label}.")
        ] = "",
        fake: Annotated[
            list[str] | None, typer.Option("--fake", help="A value of it that means fake.")
        ] = None,
        real: Annotated[
            list[str] | None, typer.Option("--real", help="A value of it that means real.")
        ] = None,
        every: Annotated[
            str, typer.Option("--all", metavar="CLASS", help="All are real, or all are fake.")
        ] = "",
        technique: Annotated[
            str, typer.Option("--technique", help="Field of how a fake was made.")
        ] = "",
        group: Annotated[
            str, typer.Option("--group", help="Field of what pictures were made from.")
        ] = "",
        split: Annotated[
            str, typer.Option("--split", help="Field of the split; by default files' names.")
        ] = "",
        no_splits: Annotated[
            bool, typer.Option("--no-splits", help="Leave splits to be derived.")
        ] = False,
        as_json: JsonFlag = False,
    ) -> None:
        from deepward.domains.importing import Fields, import_domain

        if every not in ("", "real", "fake"):
            raise UsageError(f"--all takes real or fake, not {every!r}.")
        usual = Fields()
        fields = Fields(
            image=image_field,
            label=label_field,
            fake=tuple(fake or usual.fake),
            real=tuple(real or usual.real),
            constant={"": None, "real": 0, "fake": 1}[every],
            technique=technique,
            group=group,
            split=split,
        )
        place = target if len(target.parts) > 1 else domains_folder() / target
        with shown_progress() as progress:
            made = import_domain(
                kind, source, place, fields, splits=not no_splits, progress=progress
            )
        if as_json:
            print_json(
                {
                    "domain": str(made.folder),
                    "pictures": made.pictures,
                    "real": made.real,
                    "fake": made.fake,
                    "skipped": dict(made.skipped),
                    "files": made.files,
                    "read_before": made.resumed,
                }
            )
            return
        aside = sum(made.skipped.values())
        out(f"{place}: {made.real} real, {made.fake} fake, {aside} records left out")
        for reason, count in made.skipped.items():
            say(f"{count} x {in_words(reason)}")
        if aside:
            say(f"Which they are stands in {made.folder / 'import.json'}.")

    run.__doc__ = (
        f"Make a domain of {what}.\n\n{more} Every picture keeps its source and the number of its "
        "record in metadata.csv. What is damaged or no picture is left out, with its reason. "
        "Killed, it goes on where it was."
    )
    return run
