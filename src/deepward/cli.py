"""The `deepward` command: what it is called with, and nothing else. Starts in under 0.3 s."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from deepward.commands.brief import brief
from deepward.commands.console import out
from deepward.commands.continual import continual
from deepward.commands.domains import domains_app
from deepward.commands.drift import drift
from deepward.commands.endings import PoliteGroup
from deepward.commands.evaluate import evaluate
from deepward.commands.experts import experts
from deepward.commands.explain import explain
from deepward.commands.inbox import inbox_app
from deepward.commands.knowledge import ingest, search
from deepward.commands.learn_on import adapt, forget, stage
from deepward.commands.meta import meta_train
from deepward.commands.release import history, release, rollback
from deepward.commands.report import report
from deepward.commands.robustness import robustness
from deepward.commands.score import score
from deepward.commands.synthesize import synthesize
from deepward.commands.train import train

__all__ = ["app", "main"]

app = typer.Typer(
    name="deepward",
    cls=PoliteGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the work failed, 2 wrong use, 130 interrupted. "
    "Everything is kept under DEEPWARD_HOME (default: storage/ in this folder).",
)


def _version(wanted: bool) -> None:
    if wanted:
        from deepward import __version__

        out(f"deepward {__version__}")
        raise typer.Exit


@app.callback()
def deepward(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Tell real pictures from fake ones, and keep the detector that does so current."""


def _add(*commands: tuple[Callable[..., None], str]) -> None:
    """Adds commands, each with the example that its help ends with; its first word is the name."""
    for command, example in commands:
        name = example.split()[0]
        app.command(name, epilog=f"Example: deepward {example}")(command)


_add(
    (score, 'score "holiday photos/" --json'),
    (explain, "explain photo.jpg --out evidence.png"),
    (drift, "drift --since 7d"),
)
app.add_typer(domains_app, name="domains")
_add(
    (train, "train --domains domains --domain my_phone --out detectors/mine"),
    (meta_train, "meta-train --domains domains --out detectors/adapts"),
    (experts, "experts --domains domains --out detectors/experts"),
    (adapt, "adapt --domain new_fakes --shots 10 --out detectors/adapted"),
    (stage, "stage --domain new_fakes --out detectors/second"),
    (forget, "forget --domain my_phone --out detectors/without"),
    (continual, "continual --domains domains --sequence a,b,c --out stages"),
    (evaluate, "evaluate --detector detectors/mine --domains domains"),
    (robustness, "robustness --detector detectors/mine --domains domains --max 60"),
    (report, "report --open"),
)
app.add_typer(inbox_app, name="inbox")
_add(
    (release, "release --detector detectors/second --domains domains"),
    (rollback, "rollback 3"),
    (history, "history --json"),
    (ingest, "ingest papers/"),
    (search, 'search "how is a face swap made" --since 2024'),
    (brief, 'brief "Write 15 few-shot prompts for face swaps" --prompts 15 --out brief'),
    (synthesize, "synthesize --prompts brief/prompts.json --base domains/my_phone --out fewshot"),
)


def main() -> None:
    """Runs the command line; what a terminal cannot show of a file name is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
