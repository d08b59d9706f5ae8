"""The crawling process: Scrapy, settings and start. Run by `crawl.py` only."""

import logging
import os
import sys
from typing import Any

from deepward.crawling.child import begin_child

__all__: list[str] = []

USER_AGENT = "deepward/0.1 (research crawler; keeps to robots.txt)"
REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"


def main() -> None:
    """Crawls as the parent asks, and ends when nothing is left to do."""
    payload = begin_child()
    from scrapy.crawler import CrawlerProcess
    from scrapy.utils.reactor import install_reactor

    install_reactor(REACTOR)  # before an import below brings in another one
    from deepward.crawling.spider import FrontierSpider, Job

    job = Job(**payload["job"] | {"allow_private_hosts": tuple(payload["allow_private_hosts"])})
    logging.captureWarnings(True)
    process = CrawlerProcess(_settings(payload))
    failures: list[Any] = []
    process.crawl(FrontierSpider, job=job).addErrback(failures.append)
    process.start()
    for failure in failures:
        failure.printTraceback()
    sys.stderr.flush()
    os._exit(bool(failures))  # a thread that still waits for a name server shall not hold us


def _settings(payload: dict[str, Any]) -> dict[str, Any]:
    room = "deepward.crawling"
    delay = payload["job"]["delay_seconds"]
    return {
        "TWISTED_REACTOR": REACTOR,
        "USER_AGENT": USER_AGENT,
        "ROBOTSTXT_OBEY": True,
        "ROBOTSTXT_USER_AGENT": "deepward",
        "CONCURRENT_REQUESTS": payload["job"]["at_once"],
        "CONCURRENT_REQUESTS_PER_DOMAIN": 1,
        "DOWNLOAD_DELAY": delay,
        "DOWNLOAD_DELAY_JITTER": 0,
        "DOWNLOAD_SLOTS": {
            host: {"delay": max(3.0, delay), "concurrency": 1, "jitter": 0}
            for host in payload["api_hosts"]  # arXiv asks programs for one request in 3 s
        },
        "DOWNLOAD_TIMEOUT": payload["timeout_seconds"],
        "DOWNLOAD_MAXSIZE": payload["max_bytes"],
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
        "MEMUSAGE_ENABLED": False,  # `begin_child` watches
        "TWISTED_DNS_RESOLVER": f"{room}.guards.GuardedResolver",
        "ALLOW_PRIVATE_HOSTS": payload["allow_private_hosts"],
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
        "STATS_DUMP": False,
    }


if __name__ == "__main__":
    main()
