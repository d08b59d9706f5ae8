"""The list of sources: `sources.yaml`, or a file of the same form."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deepward.crawling.addresses import RefusedAddress, normalise, own_host
from deepward.errors import KnowledgeError, UsageError

__all__ = ["Source", "SourcesError", "allowed_sources", "load_sources", "usual_addresses"]

ADDED = "added"  # kind of the pages that a user named one by one
DEFAULT = Path(__file__).with_name("sources.yaml")


class SourcesError(KnowledgeError):
    """The list of sources cannot be used as it is; the message names file and line."""


@dataclass(frozen=True)
class Source:
    """One address to start from, and how far to go from there.

    Attributes:
        url: where it starts; also its identity.
        kind: group it belongs to, such as `research` or `news`.
        depth: how many links away from `url` pages are fetched; for a feed, 1 fetches the pages
            that its entries point to, 0 keeps what the feed itself says.
        limit: most pages (of a feed: entries) asked for in one round.
        feed: whether `url` is RSS, Atom or an API that answers in them.
        keywords: a link, or an entry of a feed, is followed if its address or its words contain
            one of these, in lower case; none means all.
        techniques: slugs that every document of this source is about.
        hosts: hosts that may be asked, with subdomains; empty means the host of `url`.
        api: `url` is a published interface for programs, so robots.txt is not asked about it;
            other addresses of the source are crawled by the rules.
    """

    url: str
    kind: str
    depth: int = 0
    limit: int = 20
    feed: bool = False
    keywords: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    api: bool = False

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "url", normalise(self.url))
        except RefusedAddress as error:
            raise SourcesError(
                f"{self.url[:200]!r} cannot be a source ({error.reason}): give an http or https "
                f"address without credentials."
            ) from None
        if not self.kind:
            raise SourcesError(f"The source {self.url} has no kind.")
        if self.depth < 0 or self.limit < 1:
            raise SourcesError(f"The source {self.url} needs depth >= 0 and limit >= 1.")
        object.__setattr__(self, "hosts", self.hosts or (own_host(self.url),))
        object.__setattr__(self, "keywords", tuple(word.lower() for word in self.keywords))


def usual_addresses(urls: Iterable[str]) -> list[str]:
    """Addresses of pages that a user names, in their usual form.

    Raises:
        UsageError: one of them cannot be fetched.
    """
    try:
        return [Source(url, ADDED).url for url in urls]
    except SourcesError as error:
        raise UsageError(str(error)) from error


def allowed_sources(listed: str, added: Iterable[str] = ()) -> list[Source]:
    """What may be crawled.

    Args:
        listed: `none`, `shipped` for the list that comes with Deepward, or a YAML file.
        added: addresses of single pages besides.

    Raises:
        SourcesError: the list cannot be read.
    """
    sources: list[Source] = []
    if listed != "none":
        sources = load_sources(None if listed == "shipped" else Path(listed))
    known = {source.url for source in sources}
    return [*sources, *(Source(url, ADDED) for url in added if url not in known)]


def load_sources(path: Path | None = None) -> list[Source]:
    """Reads a list of sources, in the order of the file.

    Args:
        path: a YAML file; by default the list that comes with Deepward.

    Raises:
        SourcesError: the file is missing or is not a list of sources.
    """
    path = path or DEFAULT
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise SourcesError(f"The list of sources {path} cannot be read: {error}") from error
    if not isinstance(data, dict) or not all(isinstance(group, dict) for group in data.values()):
        raise SourcesError(f"{path} must name kinds of sources, each with settings and addresses.")
    sources: dict[str, Source] = {}
    for kind, group in data.items():
        for place, entry in _entries(group):
            line = _line(node, [kind, *place])
            try:
                source = _source(str(kind), group, entry)
            except (SourcesError, TypeError) as error:
                raise SourcesError(f"{path}, line {line}: {error}") from error
            if source.url in sources:
                raise SourcesError(f"{path}, line {line}: {source.url} is listed twice.")
            sources[source.url] = source
    return list(sources.values())


def _entries(group: Mapping[str, Any]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """Each entry of a group and where it stands in the file; a bare address is an entry too."""
    for part, feed in (("addresses", False), ("feeds", True)):
        for number, entry in enumerate(group.get(part) or []):
            fields = dict(entry) if isinstance(entry, dict) else {"url": entry}
            yield [part, number], {"feed": feed, **fields}


def _source(kind: str, group: Mapping[str, Any], entry: dict[str, Any]) -> Source:
    settings = {name: group[name] for name in group if name not in ("addresses", "feeds")}
    if entry["feed"]:
        settings["depth"] = 0  # a feed's own words are enough unless the entry says otherwise
    fields = settings | entry
    for name, kinds in (("url", str), ("depth", int), ("limit", int), ("feed", bool)):
        if name in fields and type(fields[name]) is not kinds:
            raise SourcesError(f"{name} is {fields[name]!r}, which is no {kinds.__name__}.")
    for name in ("keywords", "techniques", "hosts"):
        if name in fields:
            if not isinstance(fields[name], list):
                raise SourcesError(f"{name} must be a list.")
            fields[name] = tuple(map(str, fields[name]))
    try:
        return Source(kind=kind, **fields)
    except TypeError:
        known = "url, depth, limit, keywords, techniques, hosts, api"
        raise SourcesError(f"{sorted(fields)} holds an unknown setting; known: {known}.") from None


def _line(node: Any, place: list[Any]) -> int:
    for step in place:
        if isinstance(node, yaml.SequenceNode):
            node = node.value[step]
        else:
            node = next(value for key, value in node.value if key.value == str(step))
    return int(node.start_mark.line) + 1
