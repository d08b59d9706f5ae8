"""Web servers for a test, closed after it."""

from collections.abc import Callable, Iterator

import pytest

from tests.crawling.web import HOME, Site, open_site


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    servers = []

    def start(host: str = HOME, pages: dict[str, object] | None = None) -> Site:
        server, site = open_site(host, pages)
        servers.append(server)
        return site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(serve) -> Site:
    return serve()
