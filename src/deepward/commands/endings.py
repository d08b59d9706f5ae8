"""How every command ends: its exit code, and one sentence on standard error when it fails.

    0    done
    1    the work failed
    2    wrong use
    130  interrupted (Ctrl-C)
    141  whoever read the output has gone away (a broken pipe)

`DEEPWARD_DEBUG=1` shows the traceback that belongs to a failure.
"""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from deepward.commands.console import say
from deepward.errors import DeepwardError, UsageError

__all__ = ["PoliteGroup"]


class PoliteGroup(TyperGroup):
    """A group of commands that turns whatever a command raises into words and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Raises:
            typer.Exit: the command failed; the reason has been said.
        """
        try:
            return super().invoke(ctx)
        except DeepwardError as error:
            raise _ending(str(error), 2 if isinstance(error, UsageError) else 1) from error
        except KeyboardInterrupt as error:
            raise _ending("Interrupted; what was finished is kept.", 130) from error
        except BrokenPipeError as error:
            # Python would complain once more when it flushes standard output at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from error
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            raise _ending(f"{place}{error.strerror or error}.", 1) from error
        except MemoryError as error:
            raise _ending("There is not enough memory for this.", 1) from error
        except Exception as error:
            if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):
                raise  # typer's own: it knows how to end
            told = str(error).partition("\n")[0]
            sentence = f"Something went wrong that should not have: {type(error).__name__}: {told}"
            raise _ending(f"{sentence} (DEEPWARD_DEBUG=1 shows where)", 1) from error


def _ending(sentence: str, code: int) -> typer.Exit:
    say(f"deepward: {sentence}")
    if os.environ.get("DEEPWARD_DEBUG") == "1":
        import traceback

        traceback.print_exc()
    return typer.Exit(code)
