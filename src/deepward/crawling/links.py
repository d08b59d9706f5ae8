"""Which links of a page, and which entries of a feed, are worth asking for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from deepward.crawling.addresses import RefusedAddress, check_address, normalise
from deepward.crawling.feeds import Entry
from deepward.crawling.outline import Outline
from deepward.crawling.sources import Source
from deepward.crawling.store import Waiting

__all__ = ["MAX_LINKS", "NO_LINKS", "Choice", "choose_items", "choose_links"]

MAX_LINKS = 500  # looked at on one page
MAX_REFUSED = 20  # refused links written down per page
# Ends of addresses that are no documents, not asked for at all.
MEDIA = (
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".svg", ".ico", ".css", ".js", ".json", ".zip"),
    *(".gz", ".tar", ".7z", ".rar", ".mp3", ".mp4", ".webm", ".avi", ".mov", ".exe", ".dmg"),
    *(".iso", ".bin", ".whl", ".woff", ".woff2", ".ttf", ".xml", ".rss", ".doc", ".docx", ".ppt"),
    *(".pptx", ".xls", ".xlsx"),
)


@dataclass(frozen=True)
class Choice:
    """Links to follow, and links refused with the reason.

    Links to hosts that the source does not name are neither: there are too many to tell.
    """

    follow: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


NO_LINKS = Choice()


def choose_links(page: Waiting, found: Outline, allow_private_hosts: Sequence[str] = ()) -> Choice:
    """Chooses among the links of a page."""
    if page.depth >= page.source.depth or page.role == "item":
        return Choice()
    follow: dict[str, None] = {}
    refused: dict[str, str] = {}
    for link in found.links:
        try:
            url = normalise(link.url)
            check_address(url, page.source.hosts, allow_private_hosts)
        except RefusedAddress as error:
            if error.reason != "host_not_allowed" and len(refused) < MAX_REFUSED:
                refused[_shown(link.url)] = error.reason
            continue
        path = url.partition("?")[0].lower()
        if not path.endswith(MEDIA) and wanted(page.source, url, link.words):
            follow[url] = None
    follow.pop(page.url, None)
    return Choice(tuple(follow), tuple(refused.items()))


def choose_items(
    page: Waiting,
    entries: Sequence[Entry],
    seen: Collection[str],
    allow_private_hosts: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The entries of a feed that were not seen before and that its keywords want."""
    items = []
    for entry in entries:
        if entry.id in seen or not wanted(page.source, entry.url, entry.text):
            continue
        follow = page.source.depth > 0
        try:
            url = normalise(entry.url)
            check_address(url, None, allow_private_hosts)
        except RefusedAddress:
            continue
        try:
            check_address(url, page.source.hosts, allow_private_hosts)
        except RefusedAddress:
            follow = False
        items.append(
            {
                "id": entry.id,
                "url": url,
                "title": entry.title,
                "date": entry.date,
                "body": entry.text.encode(),
                "follow": follow,
            }
        )
    return items


def wanted(source: Source, *texts: str) -> bool:
    """Whether one of the source's keywords, if it has any, occurs in one of the texts."""
    lowered = [text.lower() for text in texts]
    return not source.keywords or any(word in text for word in source.keywords for text in lowered)


def _shown(url: str) -> str:
    """An address fit for the table: without credentials, and not endless."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"[:300]
