"""A real web server on loopback addresses: pages that a test writes, and a log."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deepward.crawling import CrawlConfig, Source

HOME = "127.0.0.1"
PROSE = (
    "A face swap carries the identity of one person onto the head of another, while reenactment "
    "keeps the identity and carries over expression and pose. Both leave traces at the border "
    "between what was made and what was kept. "
)


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    at: float


@dataclass
class Site:
    """One server. `pages` maps a path to what is sent: a handler, or a text as HTML."""

    host: str
    port: int
    pages: dict[str, object] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}:{self.port}{path}"

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    def asked(self, path: str) -> int:
        return sum(request.path == path for request in self.log)

    def asked_for(self) -> list[str]:
        return [request.path for request in self.log if request.path != "/robots.txt"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every page waits 40 ms for an acknowledgement
    site: Site

    def do_GET(self) -> None:
        path = self.path
        self.site.log.append(Request(path, dict(self.headers), time.monotonic()))
        page = self.site.pages.get(path, self.site.pages.get("*"))
        try:
            if page is None:
                self.give(404, b"nothing here")
            elif callable(page):
                page(self)
            else:
                self.give(200, str(page).encode())
        except OSError:
            self.close_connection = True  # the crawler hung up, as it should on some

    do_POST = do_GET

    def give(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        headers.setdefault("Content_Type", "text/html; charset=utf-8")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, address: object) -> None:
        pass


def open_site(host: str = HOME, pages: dict[str, object] | None = None) -> tuple[Server, Site]:
    handler = type("Own", (Handler,), {})
    server = Server((host, 0), handler)
    handler.site = Site(host, server.server_address[1], pages or {})
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, handler.site


def page(title: str, *links: str, words: str = "", head: str = "") -> str:
    anchors = "".join(f'<li><a href="{link}">see {link}</a></li>' for link in links)
    text = "".join(f"<p>{title}, part {number}. {words or PROSE}</p>" for number in range(3))
    return (
        f"<!doctype html><html lang=en><head><title>{title}</title>{head}</head>"
        f"<body><article><h1>{title}</h1>{text}</article><ul>{anchors}</ul></body></html>"
    )


def redirect(target: str, status: int = 302) -> Callable[[Handler], None]:
    return lambda handler: handler.give(status, Location=target)


def quick(**changes: object) -> CrawlConfig:
    """Settings for a server that is ours: no delay."""
    settings = {
        "delay_seconds": 0.0,
        "timeout_seconds": 5.0,
        "minutes": 1.0,
        "max_bytes": 1_000_000,
        "allow_private_hosts": (HOME,),
    }
    return CrawlConfig(**settings | changes)


def source(url: str, **changes: object) -> Source:
    return Source(**{"url": url, "kind": "research", "depth": 2, "limit": 100} | changes)


def statuses(table) -> dict[str, str]:
    """Path of each address, what became of it, and why."""
    return {
        row.url.split("/", 3)[3]: f"{row.status} {row.reason or ''}".strip()
        for row in table.itertuples()
    }
