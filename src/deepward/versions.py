"""Code versions: a short hash of the source files that a result stands on.

A changed line makes what was computed with it out of date, without anybody having to remember a
number; a changed line elsewhere does not. Nothing is imported for this: import statements are read
from the text, because building syntax trees of the whole library takes a second.
"""

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["code_version", "source_files"]

LIBRARY = Path(__file__).parent
_FOR_TYPES = re.compile(r"^( *)if TYPE_CHECKING:\n(?:\1 +.*\n|\n)+", re.MULTILINE)
_IMPORT = re.compile(
    r"^ *(from deepward[\w.]* import (?:\([^)]*\)|.*)|import .*\bdeepward\b.*)", re.MULTILINE
)
_QUOTED = re.compile(r"[\"']([\w. -]+)(?=[\"':/])")  # modules that workers are told, data files
_COMPILED = {".pyc", ".so"}


def code_version(*modules: str, library: Path = LIBRARY) -> str:
    """Hash of what these modules, or names of packages, stand on; see `source_files`."""
    digest = hashlib.sha256()
    for file in source_files(*modules, library=library):
        digest.update(f"{file.relative_to(library).as_posix()}\n".encode() + _hash(file))
    return digest.hexdigest()[:12]


def source_files(*modules: str, library: Path = LIBRARY) -> list[Path]:
    """The files that decide what modules (`deepward.files`) or names
    (`deepward.domains.scan_domain`) do.

    These are the modules themselves, whatever of the library they import (also inside functions)
    or name in a string, and the data files that any of them names. A name taken from a package
    leads to the module that defines it; the package's other modules do not count. What is imported
    for types alone does not count either.

    Raises:
        ModuleNotFoundError: one of them is not in the library.
    """
    found: set[Path] = set()
    waiting = [_entry(library, module) for module in modules]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _needs(library, file)
    return sorted(found)


def _entry(library: Path, module: str) -> Path:
    if file := _place(library, module):
        return file
    package, _, name = module.rpartition(".")
    file = _defining(library, package, name)
    if file.name == "__init__.py":
        raise ModuleNotFoundError(f"{package} passes no {name} on, and has no module of that name.")
    return file


@cache
def _hash(file: Path) -> bytes:
    return hashlib.sha256(file.read_bytes()).digest()


@cache
def _needs(library: Path, file: Path) -> frozenset[Path]:
    """What `file` imports or names."""
    if file.suffix != ".py":
        return frozenset()
    text = file.read_text(encoding="utf-8")
    if file.name != "__init__.py":  # which says there what its lazy names stand for
        text = _FOR_TYPES.sub("", text)
    found = {_defining(library, *name) for name in _imports(text)}
    data = _data(library)
    for quoted in set(_QUOTED.findall(text)):
        found |= data.get(quoted, frozenset()) | data.get(f"{file.parent}/{quoted}", frozenset())
        while quoted.startswith("deepward."):
            if module := _place(library, quoted):
                found.add(module)
                break
            quoted = quoted.rpartition(".")[0]
    return frozenset(found)


def _imports(text: str) -> Iterator[tuple[str, str | None]]:
    """(module, name in it or None) of every import from the library."""
    for statement in _IMPORT.findall(text):
        try:
            [node] = ast.parse(statement).body
        except (SyntaxError, ValueError):
            continue  # a sentence in a docstring: Python itself would stumble over it
        if isinstance(node, ast.ImportFrom):
            yield from ((str(node.module), name.name) for name in node.names)
        elif isinstance(node, ast.Import):
            yield from ((n.name, None) for n in node.names if n.name.startswith("deepward"))


def _defining(library: Path, module: str, name: str | None) -> Path:
    """The file that defines `name` of `module`, or the module's own file."""
    file = _place(library, module)
    if file is None:
        raise ModuleNotFoundError(f"There is no module {module or name} in {library}.")
    if name is None or file.name != "__init__.py":
        return file
    if inner := _place(library, f"{module}.{name}"):
        return inner
    origin = _exports(file).get(name)
    return _defining(library, *origin) if origin else file


@cache
def _exports(package: Path) -> dict[str, tuple[str, str]]:
    """Name -> the module it comes from and its name there, of what a package passes on."""
    tree = ast.parse(package.read_text(encoding="utf-8"))
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        if node.module.startswith("deepward.")
        for alias in node.names
    }


@cache
def _place(library: Path, module: str) -> Path | None:
    room, *inner = module.split(".")
    place = library.joinpath(*inner)
    files = [place / "__init__.py", *([place.with_suffix(".py")] if inner else [])]
    return next((file for file in files if room == "deepward" and file.is_file()), None)


@cache
def _data(library: Path) -> dict[str, frozenset[Path]]:
    """Data files by their name, and by the path of the folder that they lie in."""
    found: dict[str, frozenset[Path]] = {}
    for file in library.rglob("[!.]*"):
        if file.suffix != ".py" and file.suffix not in _COMPILED and file.is_file():
            for name in (file.name, str(file.parent)):
                found[name] = found.get(name, frozenset()) | {file}
    return found
