"""How every command ends: its exit code, and one sentence on standard error when it fails.

    0    done
    1    the work failed
    2    wrong use
    130  interrupted (Ctrl-C)
    141  whoever read the output has gone away (a broken pipe)

`DEEPWARD_DEBUG=1` shows the traceback that belongs to a failure.
"""

import errno
import os
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from deepward.commands.console import say
from deepward.errors import DeepwardError, UsageError
from deepward.home import home

__all__ = ["PoliteGroup", "check_home", "ending_of"]

_NO_ROOM = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota is used up"}
_NO_ROOM |= {errno.EFBIG: "a file may not grow so large here"}
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
_PARTIAL = re.compile(r"\.([^/]+)\.\d+\.[0-9a-f]{32}\.(?:partial|old)\b")  # `deepward.files`


class PoliteGroup(TyperGroup):
    """A group of commands that turns whatever a command raises into words and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Raises:
            typer.Exit: the command failed; the reason has been said.
        """
        try:
            check_home()
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # Python would complain once more when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from error
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):
                raise  # typer's own: it knows how to end
            sentence, code = ending_of(error)
            say(f"deepward: {sentence}")
            if os.environ.get("DEEPWARD_DEBUG") == "1":
                import traceback

                traceback.print_exc()
            raise typer.Exit(code) from error


def check_home() -> None:
    """Looks whether everything that is made has a place to be.

    Raises:
        UsageError: a file stands where that folder should be.
    """
    for folder in (home(), *home().parents):
        if folder.is_dir():
            return
        if os.path.lexists(folder):
            raise UsageError(
                f"DEEPWARD_HOME is {home()}, but {folder} is no folder: move it away, or set "
                "DEEPWARD_HOME to a folder."
            )


def ending_of(error: BaseException) -> tuple[str, int]:
    """What is said of an error, and the exit code that goes with it."""
    if isinstance(error, DeepwardError):
        return str(error), 2 if isinstance(error, UsageError) else 1
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted; what was finished is kept.", 130
    if isinstance(error, MemoryError):
        return "There is not enough memory for this.", 1
    if isinstance(error, OSError):
        return _of_the_system(error), 1
    told = str(error).partition("\n")[0]
    if isinstance(getattr(error, "orig", error), sqlite3.Error):  # SQLAlchemy's hold the original
        return (
            f"A database below {home()} cannot be used: {told}. See that the disk has room and "
            "that this user may write there; what was finished is kept.",
            1,
        )
    sentence = f"Something went wrong that should not have: {type(error).__name__}: {told}"
    return f"{sentence} (DEEPWARD_DEBUG=1 shows where)", 1


def _of_the_system(error: OSError) -> str:
    target = error.filename2 or error.filename
    place = _PARTIAL.sub(r"\1", os.fsdecode(target)) if isinstance(target, str | bytes) else ""
    if error.errno in _NO_ROOM:
        where = f"to write {place}" if place else f"below {home()}"
        return (
            f"There is no room {where}: {_NO_ROOM[error.errno]}. Make room and give the same "
            "command again, or set DEEPWARD_HOME to another folder; what was finished is kept."
        )
    what = f"{place}: {error.strerror or error}."
    if error.errno in _FORBIDDEN:
        return f"{what} Choose a folder that this user may write, or change whose it is."
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and (file := _in_the_way(place)):
        return f"{file} is a file where a folder is needed: move it away, or choose another folder."
    return what if place else f"{error.strerror or error}."


def _in_the_way(place: str) -> str:
    """The file that the path leads through, or to; "" where there is none."""
    for path in (Path(place), *Path(place).parents) if place else ():
        if os.path.lexists(path):
            return "" if path.is_dir() else str(path)
    return ""
