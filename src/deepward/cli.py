"""The `deepward` command: what it is called with, and nothing else. Starts in under 0.3 s."""

import sys
from typing import Annotated

import typer

from deepward.commands.brief import brief
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
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 the work failed, 2 wrong use, 130 interrupted. "
    "Everything is kept under DEEPWARD_HOME (default: storage/ in this folder).",
)


def _version(wanted: bool) -> None:
    if wanted:
        from deepward import __version__

        typer.echo(f"deepward {__version__}")
        raise typer.Exit


@app.callback()
def deepward(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Tell real pictures from fake ones, and keep the detector that does so current."""


app.command()(score)
app.command()(explain)
app.command()(drift)
app.add_typer(domains_app, name="domains")
app.command()(train)
app.command("meta-train")(meta_train)
app.command()(experts)
app.command()(adapt)
app.command()(stage)
app.command()(forget)
app.command()(continual)
app.command()(evaluate)
app.command()(robustness)
app.command()(report)
app.add_typer(inbox_app, name="inbox")
app.command()(release)
app.command()(rollback)
app.command()(history)
app.command()(ingest)
app.command()(search)
app.command()(brief)
app.command()(synthesize)


def main() -> None:
    """Runs the command line; what a terminal cannot show of a file name is replaced."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    app()
