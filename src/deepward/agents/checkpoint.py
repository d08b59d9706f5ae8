"""Where a run can be taken up again: LangGraph's checkpoints in one SQLite file, one run in it."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepward.agents.backends.base import Backend
from deepward.agents.schemas import AgentName
from deepward.errors import AgentError
from deepward.files import canonical_json, sha256_bytes
from deepward.techniques.specs import Brief

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite import SqliteSaver

__all__ = ["discard", "hash_of_request", "open_checkpoints", "run_name", "unfinished_run"]

_RECIPE = 1  # raise when a state of an older version cannot be continued
_FILE = "checkpoint.sqlite3"


def hash_of_request(
    brief: Brief, backends: Mapping[AgentName, Backend], tools: Mapping[str, object]
) -> str:
    """Names what is asked and who is asked. Budgets are no part: a run may go on with others."""
    asked = {
        "recipe": _RECIPE,
        "brief": brief.model_dump(mode="json"),
        "backends": {agent: _identity(backend) for agent, backend in backends.items()},
        "tools": sorted(tools),
    }
    return sha256_bytes(canonical_json(asked).encode())


def run_name(asked: str, index: str) -> str:
    """Of a run that starts over an index with this content hash; its thread id."""
    return sha256_bytes(f"{asked} {index}".encode())[:32]


@contextmanager
def open_checkpoints(folder: Path) -> Iterator["SqliteSaver"]:
    """The checkpoints in a folder, which is made when it is not there."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite import SqliteSaver

    # Neither pickles nor any class is brought back from the file: the state is plain JSON.
    plain = JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)
    folder.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(folder / _FILE, check_same_thread=False)) as connection:
        yield SqliteSaver(connection, serde=plain)


def unfinished_run(folder: Path, asked: str, index: str) -> str | None:
    """Name of the run in the folder, when it did this very work; else the folder is emptied.

    The work is the same when the request is, and the index is as it was at the start of the run or
    after its last node: web tools add to the index while the run goes on.

    Raises:
        AgentError: there is a checkpoint, and it cannot be read.
    """
    if (folder / _FILE).exists():
        try:
            with open_checkpoints(folder) as saver:
                latest = next(saver.list(None, limit=1), None)
        except Exception as error:
            raise AgentError(
                f"The checkpoint in {folder} cannot be read: {error}. Remove that folder to start "
                "the brief anew."
            ) from error
        if latest is not None:
            name = str(latest.config["configurable"]["thread_id"])
            state: Mapping[str, Any] = latest.checkpoint["channel_values"]
            same = state.get("asked") == asked and state.get("index") == index
            if same or name == run_name(asked, index):
                return name
    discard(folder)
    return None


def discard(folder: Path) -> None:
    """Removes what a run left to be continued; without its checkpoint it cannot be any more."""
    (folder / _FILE).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _identity(value: object) -> Any:
    """What makes a backend another one: its class and settings, the same in every process."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if is_dataclass(value):
        shown = [f.name for f in fields(value) if f.repr]  # keys and the like are not shown
        return {"kind": kind, **{name: _identity(getattr(value, name)) for name in shown}}
    name = getattr(value, "name", None)
    return {"kind": kind, "name": name if isinstance(name, str) else None}
