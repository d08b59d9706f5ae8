"""Code versions: a short hash of the library's source that an asset stands on.

A changed line in a room makes what was computed with it out of date, without anybody having to
remember a number. The library is not imported for this.
"""

import hashlib
from pathlib import Path

import deepward

_LIBRARY = Path(deepward.__file__).parent


def code_version(*rooms: str) -> str:
    """Hash of the source files of `rooms` ("domains", "learning/loop.py") and of `files.py`."""
    digest = hashlib.sha256()
    for room in ("files.py", *rooms):
        place = _LIBRARY / room
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        for file in files:
            if file.suffix in {".py", ".html", ".css", ".j2"}:
                digest.update(file.relative_to(_LIBRARY).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
