"""What the command line says of itself: an example for each command, and completion."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from deepward.cli import app


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        inner = (*path, name)
        yield from commands(command, inner) if hasattr(command, "commands") else [(inner, command)]


ALL = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("path", list(ALL), ids=" ".join)
def test_the_help_of_a_command_ends_with_an_example_that_it_understands(
    path: tuple[str, ...],
) -> None:
    command = ALL[path]
    start = f"Example: deepward {' '.join(path)}"
    assert command.epilog and command.epilog.startswith(start)
    words = shlex.split(command.epilog.removeprefix(start))
    with command.make_context(" ".join(path), words):  # refuses what it does not know
        pass


def test_a_shell_completes_the_names_of_commands() -> None:
    asked = {"_DEEPWARD_COMPLETE": "complete_bash", "COMP_WORDS": "deepward sy", "COMP_CWORD": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", "from deepward.cli import app; app(prog_name='deepward')"],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.split() == ["synthesize"]
