"""The crawling process: Scrapy, its settings and start. `fetch` runs in a watched process only."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepward.files import locked

__all__ = ["Job", "fetch"]

USER_AGENT = "deepward/0.1 (research crawler; keeps to robots.txt)"
REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"


@dataclass(frozen=True)
class Job:
    """What the parent asks the crawling process to do.

    Attributes:
        folder: of the frontier.
        ends_at: `time.time()` after which no page is asked for.
        max_pages: most pages to ask for.
        at_once: most pages in flight.
        delay_seconds: between two requests to one host.
        timeout_seconds: for one page.
        max_bytes: of one page.
        allow_private_hosts: hosts excepted from the ban on private addresses.
        api_hosts: hosts of interfaces for programs, which are asked more slowly.
        feeds_only: leaves pages to another fetcher.
    """

    folder: str
    ends_at: float
    max_pages: int
    at_once: int
    delay_seconds: float
    timeout_seconds: float
    max_bytes: int
    allow_private_hosts: tuple[str, ...]
    api_hosts: tuple[str, ...]
    feeds_only: bool


def fetch(task: dict[str, Any]) -> None:
    """Crawls until nothing is left to do.

    Args:
        task: the fields of a `Job`, as JSON carries them.
    """
    from scrapy.crawler import CrawlerProcess
    from scrapy.utils.reactor import install_reactor

    install_reactor(REACTOR)  # before an import below brings in another one
    from deepward.crawling.spider import FrontierSpider

    names = ("allow_private_hosts", "api_hosts")
    job = Job(**task | {name: tuple(task[name]) for name in names})
    logging.captureWarnings(True)
    failures: list[Any] = []
    # Never two at work in one folder, not even while one whose parent was killed still ends.
    with locked(Path(job.folder) / ".fetching"):
        process = CrawlerProcess(_settings(job))
        process.crawl(FrontierSpider, job=job).addErrback(failures.append)
        process.start(install_signal_handlers=False)
    for failure in failures:
        failure.raiseException()


def _settings(job: Job) -> dict[str, Any]:
    room = "deepward.crawling"
    return {
        "TWISTED_REACTOR": REACTOR,
        "USER_AGENT": USER_AGENT,
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": "deepward",
        "CONCURRENT_REQUESTS": job.at_once,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_DELAY": job.delay_seconds,
        "DOWNLOAD_DELAY_JITTER": 0,
        "DOWNLOAD_SLOTS": {
            host: {"delay": max(3.0, job.delay_seconds), "concurrency": 1, "jitter": 0}
            for host in job.api_hosts  # arXiv asks programs for one request in 3 s
        },
        "DOWNLOAD_TIMEOUT": job.timeout_seconds,
        "DOWNLOAD_MAXSIZE": job.max_bytes,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_HANDLERS": dict.fromkeys(("data", "file", "ftp", "s3")),
        "REDIRECT_MAX_TIMES": 5,
        "METAREFRESH_MAXDELAY": 5,
        "RETRY_TIMES": 1,
        "RETRY_HTTP_CODES": [500, 502, 504, 522, 524],
        "RETRY_EXCEPTIONS": [
            "scrapy.exceptions.DownloadFailedError",
            "scrapy.exceptions.ResponseDataLossError",
        ],
        "RETRY_GIVE_UP_LOG_LEVEL": "INFO",
        "HTTPERROR_ALLOW_ALL": True,
        "COOKIES_ENABLED": False,
        "REFERRER_POLICY": "no-referrer",
        "HTTPPROXY_ENABLED": False,  # a proxy would resolve names behind the guard's back
        "TELNETCONSOLE_ENABLED": False,
        "REMOTE_CONTROL_ENABLED": False,
        "MEMUSAGE_ENABLED": False,  # the pool watches
        "TWISTED_DNS_RESOLVER": f"{room}.guards.GuardedResolver",
        "ALLOW_PRIVATE_HOSTS": list(job.allow_private_hosts),
        "DOWNLOADER_MIDDLEWARES": {
            "scrapy.downloadermiddlewares.offsite.OffsiteMiddleware": None,
            "scrapy.downloadermiddlewares.robotstxt.RobotsTxtMiddleware": None,
            f"{room}.guards.Guard": 50,
            f"{room}.guards.Robots": 100,
        },
        "DEFAULT_REQUEST_HEADERS": {
            "Accept": "text/html,application/pdf,text/plain,text/markdown,"
            "application/xml;q=0.9,*/*;q=0.5",
            "Accept-Language": "en,*;q=0.5",
        },
        "LOG_LEVEL": "WARNING",
        "LOG_FILE": str(Path(job.folder) / "crawl.log"),
        "LOG_FILE_APPEND": False,
        "STATS_DUMP": False,
    }
