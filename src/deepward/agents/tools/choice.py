"""Which tools there are in a run: the knowledge base, and what the user allowed by name."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from deepward.agents.tools.base import Tool
from deepward.agents.tools.knowledge_search import KnowledgeSearch
from deepward.agents.tools.services import SERVICES
from deepward.agents.tools.storing import EvidenceStore
from deepward.agents.tools.web import ONE_PAGE, Addresses, FetchPage, WebSearch
from deepward.crawling import CrawlConfig
from deepward.errors import UsageError
from deepward.knowledge.retrieval import Searcher

__all__ = ["WEB_TOOLS", "ToolSettings", "open_tools"]

WEB_TOOLS = (*SERVICES, FetchPage.name)


@dataclass(frozen=True)
class ToolSettings:
    """What may be used besides the knowledge base; nothing unless it is named.

    Attributes:
        allowed: names out of `WEB_TOOLS` (DEEPWARD_WEB_TOOLS, with commas between them).
        hosts: whose pages may be fetched without a search (DEEPWARD_WEB_HOSTS, with commas).
        keys: of the services, by name of the tool; never shown.
        urls: other addresses of services than their own, by name of the tool.
        chroma_url: of the knowledge base.
        crawl: how one page is fetched.
    """

    allowed: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    urls: Mapping[str, str] = field(default_factory=dict)
    chroma_url: str = ""
    crawl: CrawlConfig = ONE_PAGE

    @classmethod
    def from_environment(cls, values: Mapping[str, str] = os.environ) -> "ToolSettings":
        """Reads the variables named above, and the keys of the services.

        Raises:
            UsageError: a tool is not known, or its key is missing.
        """
        allowed = _names(values.get("DEEPWARD_WEB_TOOLS") or "")
        for name in allowed:
            if name not in WEB_TOOLS:
                raise UsageError(
                    f"DEEPWARD_WEB_TOOLS names {name!r}; there are: {', '.join(WEB_TOOLS)}."
                )
        keys = {}
        for name in allowed:
            service = SERVICES.get(name)
            if service is None or not service.key:
                continue
            keys[name] = values.get(service.key) or ""
            if service.key_needed and not keys[name]:
                raise UsageError(
                    f"The tool {name} needs {service.key} in the environment. Set it, or take "
                    f"{name} out of DEEPWARD_WEB_TOOLS."
                )
        return cls(
            allowed,
            hosts=_names(values.get("DEEPWARD_WEB_HOSTS") or ""),
            keys=keys,
            chroma_url=values.get("DEEPWARD_CHROMA_URL") or "",
        )


def open_tools(
    searcher: Searcher, settings: ToolSettings = ToolSettings(), k: int = 5
) -> dict[str, Tool]:
    """The tools of a run, by name; search tools and `fetch_page` know each other's addresses.

    Args:
        searcher: of the knowledge base, where findings are stored too.
        settings: what is allowed.
        k: most passages that one call brings.
    """
    tools: list[Tool] = [KnowledgeSearch(searcher, k)]
    store = EvidenceStore(searcher, settings.chroma_url, k)
    addresses = Addresses(settings.hosts, settings.crawl.allow_private_hosts)
    for name in settings.allowed:
        if name == FetchPage.name:
            tools.append(FetchPage(store, addresses, settings.crawl))
            continue
        service = SERVICES[name]
        service = replace(service, url=settings.urls.get(name, service.url))
        tools.append(WebSearch(service, settings.keys.get(name, ""), store, addresses))
    return {tool.name: tool for tool in tools}


def _names(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
