"""WebDataset shards: tar files in which the members of one sample share their name up to a dot.

Names in a tar are only ever compared: nothing is written or read by them, so none can lead out.
"""

import json
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from deepward.domains.importing.records import Fields, Record, Span
from deepward.errors import UnreadableFile
from deepward.pictures.decode import MAXIMUM_BYTES

__all__ = ["WebDataset"]

_SPAN_BYTES, _SPAN_RECORDS = 8 * 2**20, 512
_IMAGES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "avif")
_MOST_TEXT = 2**20  # bytes of a label or of metadata


class WebDataset:
    """Plain tar shards are entered in between; packed ones are read from their beginning."""

    def spans(self, source: Path, fields: Fields) -> Iterator[Span]:
        """Cuts between samples; one part where the shard is packed."""
        if not _is_plain(source):
            yield Span(0, None, 0)
            return
        first = number = begun = 0
        for place, _, _ in _samples(source, 0, 0):
            if place - begun >= _SPAN_BYTES or number - first >= _SPAN_RECORDS:
                yield Span(first, number - first, begun, place)
                first, begun = number, place
            number += 1
        if number > first:
            yield Span(first, number - first, begun)

    def records(self, source: Path, span: Span, fields: Fields) -> Iterator[Record]:
        """The samples of a part: the picture, and what `cls` and `json` say of it."""
        for number, (_, key, parts) in enumerate(
            _samples(source, span.place, span.end, read=True), start=span.first
        ):
            yield _record(number, key, parts, fields)


def _record(number: int, key: str, parts: dict[str, Any], fields: Fields) -> Record:
    if reason := parts.get("reason"):
        return Record(number, reason=reason, detail=parts["detail"])
    wanted = fields.image.lower().split(";") if fields.image else _IMAGES
    image = next((parts[name] for name in wanted if name in parts), None)
    if image is None:
        detail = f"none of {', '.join(wanted)} among {', '.join(sorted(parts))}"[:300]
        return Record(number, reason="no_picture", detail=detail)
    if isinstance(image, str):
        return Record(number, reason="too_large", detail=image)
    names = {"label": fields.label or "cls", "technique": fields.technique}
    names |= {"group": fields.group, "split": fields.split}
    try:
        facts = json.loads(parts["json"]) if "json" in parts else {}
    except (ValueError, TypeError, RecursionError) as error:
        return Record(number, reason="damaged", detail=f"its JSON cannot be read: {error}"[:300])
    values = {n: _value(field, key, parts, facts) for n, field in names.items() if field}
    return Record(number, image, values)


def _value(field: str, key: str, parts: dict[str, Any], facts: Any) -> Any:
    """`cls` is a member, `json.kind` or `kind` in the JSON, `__key__` the sample's name."""
    if field == "__key__":
        return key
    if field in parts and isinstance(parts[field], bytes):
        return parts[field][:_MOST_TEXT]
    found = facts
    for name in field.removeprefix("json.").split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _samples(
    source: Path, place: int, end: int, read: bool = False
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """(byte that it begins at, key, members by extension) of each sample.

    A member that is no file, or whose name leads elsewhere, spoils its sample.
    """
    key, parts, begun, at = "", dict[str, Any](), place, place
    with _opened(source, place) as tar:
        while True:
            try:
                member = tar.next()
                at = place + (member.offset if member else tar.offset)
                if member is None or (end and at >= end):
                    break
                if member.isdir():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, extension = name.partition(".")
                if f"{folder}/{stem}" != key:
                    if key:
                        yield begun, key.strip("/"), parts
                    key, parts, begun = f"{folder}/{stem}", {}, at
                if reason := _refusal(member):
                    parts |= reason
                elif member.size > MAXIMUM_BYTES:
                    parts[extension.lower()] = f"{member.size:,} bytes"
                elif read and (file := tar.extractfile(member)):
                    parts[extension.lower()] = file.read()
                tar.members = []  # type: ignore[attr-defined]  # they would pile up
            except (tarfile.TarError, EOFError, OSError, ValueError) as error:
                # The shard ends within this sample.
                parts |= {"reason": "truncated", "detail": f"the shard ends early: {error}"[:300]}
                yield begun, key.strip("/"), parts
                return
    if key:
        yield begun, key.strip("/"), parts
    if not (end and at >= end) and _goes_on(source, at):
        detail = "what comes next in the shard is no member of a tar"
        yield at, "", {"reason": "damaged", "detail": detail}


def _goes_on(source: Path, place: int) -> bool:
    """Whether there is anything but zeros where a tar was said to be at its end."""
    if not _is_plain(source):
        return False
    with source.open("rb") as file:
        file.seek(place)
        return any(file.read(tarfile.BLOCKSIZE))


def _refusal(member: tarfile.TarInfo) -> dict[str, str]:
    if member.name.startswith("/") or ".." in member.name.split("/"):
        detail = f"the name {member.name!r} leads out of the shard"[:300]
        return {"reason": "link_outside_folder", "detail": detail}
    if not member.isreg():
        detail = f"{member.name!r} is no plain file but a link or device"[:300]
        return {"reason": "special_file", "detail": detail}
    return {}


@contextmanager
def _opened(source: Path, place: int) -> Iterator[tarfile.TarFile]:
    plain = _is_plain(source)
    with source.open("rb") as file:
        file.seek(place)
        view: Any = _From(file, place) if plain else file
        with ExitStack() as stack:
            try:
                tar = stack.enter_context(tarfile.open(fileobj=view, mode="r:" if plain else "r|*"))
            except (tarfile.TarError, EOFError, OSError) as error:
                raise UnreadableFile("damaged", f"{source} is no tar file: {error}.") from None
            yield tar


class _From:
    """A file that begins at one of its bytes."""

    def __init__(self, file: Any, place: int) -> None:
        self._file, self._place = file, place

    def read(self, count: int = -1) -> bytes:
        return bytes(self._file.read(count))

    def seek(self, where: int, whence: int = 0) -> int:
        moved = self._file.seek(where + (self._place if whence == 0 else 0), whence)
        return int(moved) - self._place

    def tell(self) -> int:
        return int(self._file.tell()) - self._place


def _is_plain(source: Path) -> bool:
    """A tar that is not packed has its mark in the first header."""
    with source.open("rb") as file:
        return file.read(262)[257:] == b"ustar"
