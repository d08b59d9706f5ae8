"""What the crawl needs of an HTML page: title, links, and what it says to robots.

Read as a stream of tags, with no tree: memory stays flat and deep nesting cannot overflow.
"""

from dataclasses import dataclass
from urllib.parse import urljoin

__all__ = ["Link", "Outline", "directives", "outline"]

ROBOT = "deepward"  # how a page or robots.txt may call us


@dataclass(frozen=True)
class Link:
    """One link: absolute address and the words that carry it."""

    url: str
    words: str


@dataclass(frozen=True)
class Outline:
    """Outline of one page.

    Attributes:
        title: empty where there is none.
        links: distinct, in the order of the page.
        left_out: links beyond the cap.
        robots: directives such as `noindex`.
    """

    title: str
    links: tuple[Link, ...]
    left_out: int
    robots: frozenset[str]


def directives(text: str) -> frozenset[str]:
    """Reads the value of a robots meta tag or an `X-Robots-Tag` header."""
    found = set()
    for part in text.lower().split(","):
        agent, colon, rest = part.rpartition(":")
        if not colon or agent.strip() in (ROBOT, "*"):
            found.add(rest.strip())
    return frozenset(found | {"noindex", "nofollow"} if "none" in found else found)


def outline(text: str, url: str, max_links: int) -> Outline:
    """Reads the outline of a page of any size and quality.

    Args:
        text: HTML.
        url: address of the page, for relative links.
        max_links: most links to keep.
    """
    from lxml import etree

    reader = _Reader(url, max_links)
    parser = etree.HTMLParser(target=reader)
    try:
        for start in range(0, len(text), 65536):
            parser.feed(text[start : start + 65536])
        parser.close()
    except (etree.LxmlError, ValueError):
        pass  # what was read until here counts
    return reader.result()


class _Reader:
    """Target of lxml's parser: called once per tag."""

    def __init__(self, url: str, max_links: int) -> None:
        self._base, self._max = url, max_links
        self._links: dict[str, str] = {}
        self._href: str | None = None
        self._words: list[str] = []
        self._title: list[str] | None = None
        self._titled = False
        self._robots: frozenset[str] = frozenset()
        self._left_out = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "a":
            self._end_link()
            self._href = attributes.get("href")
        elif tag == "title" and self._title is None:
            self._title = []
        elif tag == "base" and attributes.get("href"):
            self._base = self._absolute(attributes["href"]) or self._base
        elif tag == "meta" and attributes.get("name", "").lower() in ("robots", ROBOT):
            self._robots |= directives(attributes.get("content", ""))

    def data(self, text: str) -> None:
        if self._href is not None and len(self._words) < 50:
            self._words.append(text)
        elif self._title is not None and not self._titled and len(self._title) < 50:
            self._title.append(text)

    def end(self, tag: str) -> None:
        if tag == "a":
            self._end_link()
        elif tag == "title":
            self._titled = True

    def close(self) -> None:
        self._end_link()

    def comment(self, text: str) -> None:
        pass

    def result(self) -> Outline:
        title = " ".join("".join(self._title or []).split())[:300]
        links = tuple(Link(url, words) for url, words in self._links.items())
        return Outline(title, links, self._left_out, self._robots)

    def _end_link(self) -> None:
        href, words = self._href, " ".join("".join(self._words).split())[:200]
        self._href, self._words = None, []
        if not href:
            return
        if len(self._links) >= self._max:
            self._left_out += 1
        elif url := self._absolute(href):
            self._links.setdefault(url.partition("#")[0], words)

    def _absolute(self, href: str) -> str | None:
        try:
            url = urljoin(self._base, href.strip())
        except ValueError:
            return None
        return url if url.startswith(("http:", "https:")) else None
