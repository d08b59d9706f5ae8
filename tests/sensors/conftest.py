"""Web servers for a test, closed after it."""

from tests.crawling.conftest import serve, site

__all__ = ["serve", "site"]
