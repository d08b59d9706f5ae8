"""`deepward inbox`: news of a technique, with the fakes that somebody found."""

from pathlib import Path
from typing import Annotated

import typer

from deepward.commands.console import out, print_json, print_table, say
from deepward.commands.options import JsonFlag
from deepward.home import home

__all__ = ["inbox_app"]

inbox_app = typer.Typer(no_args_is_help=True, help="News of techniques, and specimens of them.")


@inbox_app.command(epilog="Example: deepward inbox add note.md --specimens fakes")
def add(
    note: Annotated[
        Path, typer.Argument(metavar="NOTE", help="A Markdown note, or a folder with note.md.")
    ],
    specimens: Annotated[
        Path | None, typer.Option("--specimens", metavar="DIR", help="Fakes that were found.")
    ] = None,
    reals: Annotated[
        Path | None, typer.Option("--reals", metavar="DIR", help="Reals of the same kind.")
    ] = None,
) -> None:
    """Put a note about a technique into the inbox.

    It begins with `name:` (and aliases, date, source, licence) between two lines of `---`. While
    `make ui` runs, a sensor answers it by itself.
    """
    from deepward.inbox import Inbox

    out(str(Inbox(home()).add(note, specimens, reals)))


@inbox_app.command(name="list", epilog="Example: deepward inbox list --json")
def list_(as_json: JsonFlag = False) -> None:
    """Say what waits, what was taken, and what cannot be understood."""
    from deepward.inbox import Inbox

    inbox = Inbox(home())
    notes, refused = inbox.waiting()
    rows = [["waiting", n.slug, n.name, len(n.specimens), len(n.reals), ""] for n in notes]
    rows += [["not understood", name, "", 0, 0, why] for name, why in refused.items()]
    rows += [
        ["taken", a.slug, a.name, a.specimens, a.reals, a.known_as and f"known as {a.known_as}"]
        for a in inbox.answers()
    ]
    rows += [["for review", name, "", 0, 0, str(file)] for name, file in inbox.questions()]
    header = ["state", "technique", "name", "specimens", "reals", "note"]
    if as_json:
        for row in rows:
            print_json(dict(zip(header, row, strict=True)))
    elif rows:
        print_table(header, rows)
    else:
        say("The inbox is empty.")
