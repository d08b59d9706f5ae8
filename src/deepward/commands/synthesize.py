"""`deepward synthesize`: from prompts and real pictures to a few-shot set of labelled fakes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, say, shown_progress
from deepward.commands.datasets import scan
from deepward.commands.options import JsonFlag
from deepward.errors import SynthesisError, UsageError

if TYPE_CHECKING:
    from deepward.synthesis.report import SynthesisReport

__all__ = ["synthesize"]


def synthesize(
    prompts: Annotated[
        Path, typer.Option("--prompts", metavar="FILE", help="Edit specs, as `brief` writes them.")
    ],
    base: Annotated[
        Path, typer.Option("--base", metavar="DIR", help="A domain, or real pictures.")
    ],
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The set to make: a domain folder.")
    ],
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="NAME", help="Make all with this one engine."),
    ] = None,
    most: Annotated[
        int | None, typer.Option("--max", min=1, help="Fakes wanted; default one per base.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every random choice.")] = 0,
    inverted: Annotated[
        bool, typer.Option("--inverted", help="Change all but the region.")
    ] = False,
    longest_side: Annotated[
        int, typer.Option("--longest-side", min=64, help="Larger pictures are scaled down to it.")
    ] = 1024,
    grounding_dino: Annotated[
        str | None, typer.Option(metavar="DIR", help="Locate with this model.")
    ] = None,
    sam: Annotated[
        str | None, typer.Option(metavar="PATH", help="Segment with this model or checkpoint.")
    ] = None,
    sam_model: Annotated[
        str, typer.Option(metavar="NAME", help="Name of a checkpoint's model in its registry.")
    ] = "vit_h",
    inpainting: Annotated[
        str | None, typer.Option(metavar="DIR", help="Inpaint with this diffusers pipeline.")
    ] = None,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Of denoising, where a model inpaints.")
    ] = 50,
    device: Annotated[
        str, typer.Option("--device", help="That models run on: auto, cpu, cuda …")
    ] = "auto",
    batch_size: Annotated[
        int, typer.Option("--batch", min=1, help="Pictures that a model takes at a time.")
    ] = 4,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default one per core.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make fakes of real pictures, with masks, originals and provenance.

    The set is a domain that every other command takes. A run that was interrupted goes on where
    it stopped when the same command is given again.
    """
    from deepward.domains.layout import is_domain
    from deepward.synthesis.config import SynthesisConfig, check_config
    from deepward.synthesis.dataset import synthesize as make
    from deepward.synthesis.prompts import read_prompts

    for option, place in (("--prompts", prompts), ("--base", base)):
        if not place.exists():
            raise UsageError(f"{option}: there is no {place}.")
    config = SynthesisConfig(
        engine=engine,
        max=most,
        seed=seed,
        inverted=inverted,
        longest_side=longest_side,
        grounding_dino=grounding_dino,
        sam=sam,
        sam_model=sam_model,
        inpainting=inpainting,
        diffusion_steps=steps,
        device=device,
        batch_size=batch_size,
    )
    check_config(config)
    entries = read_prompts(prompts)
    for refused in entries.refused:
        say(f"{prompts}: {refused.message}")
    with shown_progress() as progress:
        report = make(
            entries.specs,
            scan(base, progress) if is_domain(base) else base,
            folder,
            config,
            refused=entries.refused,
            workers=workers,
            progress=progress,
        )
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report)
    if not report.made:
        raise SynthesisError(f"Not one fake could be made; {folder / 'metadata.parquet'} says why.")


def _show(report: "SynthesisReport") -> None:
    def counted(counts: dict[str, Any]) -> str:
        return ", ".join(f"{number} {name}" for name, number in counts.items())

    out(f"{report.made} fakes at {report.folder}: {counted(report.engines)}")
    out(f"asked for: {counted(report.asked_techniques)}, by {counted(report.asked_operations)}")
    for line in report.stand_ins:
        out(line)
    out(f"splits: {counted(report.splits)}")
    if report.rejected:
        say(f"{report.rejected} rejected: {counted(report.reasons)}")
