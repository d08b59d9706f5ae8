"""Feeds among the allowed sources: when they are read again, and what of them becomes a note."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from deepward.errors import DeepwardError
from jobs import read_feeds
from resources import ArtifactStore, Knowledge

if TYPE_CHECKING:
    from deepward.inbox import Inbox

MOST_A_DAY = 5  # notes that feeds may put into the inbox: each has agents and synthesis work


@dataclass(frozen=True)
class FeedState:
    """What is remembered between ticks.

    Attributes:
        asked: when feeds were last asked to be read, seconds since the epoch.
        seen: when the last item was fetched that was looked at.
        day: to which `made` belongs.
        made: notes of that day.
    """

    asked: float = 0.0
    seen: float = 0.0
    day: str = ""
    made: int = 0

    @property
    def values(self) -> dict[str, Any]:
        """Fit for JSON."""
        return asdict(self)


def split_cursor(cursor: str | None) -> tuple[str | None, FeedState]:
    """What is remembered of notes and of feeds; cursors of before there were feeds know notes."""
    if not cursor:
        return None, FeedState()
    state = json.loads(cursor)
    if set(state) != {"notes", "feeds"}:
        return cursor, FeedState()
    return json.dumps(state["notes"]), FeedState(**state["feeds"])


def joined_cursor(notes: str, feeds: FeedState) -> str:
    """The inverse of `split_cursor`."""
    return json.dumps({"notes": json.loads(notes), "feeds": feeds.values}, sort_keys=True)


def due(state: FeedState, now: float, minutes: int) -> str:
    """The key of the run that reads the feeds now; "" where that is not due."""
    if now - state.asked < 60 * minutes:
        return ""
    return f"feeds:{int(now)}"


def has_feeds(knowledge: Knowledge) -> bool:
    """Whether any feed may be asked.

    Raises:
        SourcesError: the list of sources cannot be read.
    """
    from deepward.crawling.sources import allowed_sources

    return any(source.feed for source in allowed_sources(knowledge.settings().sources))


def look_at_feeds(
    inbox: "Inbox",
    store: ArtifactStore,
    knowledge: Knowledge,
    known: list[str],
    state: FeedState,
    now: float,
    minutes: int,
) -> tuple[FeedState, list[dg.RunRequest], str]:
    """Notes of items that are new, and the run that reads the feeds where that is due.

    Nothing here waits for the network, and nothing that is wrong with feeds fails the tick.

    Returns:
        What is remembered from here on, runs to ask for, and what there is to say.
    """
    try:
        after, told = _new_notes(inbox, store, knowledge, known, state, now)
        key = due(after, now, minutes)
        if not key:
            return after, [], told
        after = replace(after, asked=now)
        if not has_feeds(knowledge):
            return after, [], told
    except (DeepwardError, OSError) as error:
        return replace(state, asked=now), [], f"Feeds: {error}"
    tags = {"deepward/reason": "feeds are due"}
    return after, [dg.RunRequest(run_key=key, job_name=read_feeds.name, tags=tags)], told


def _new_notes(
    inbox: "Inbox",
    store: ArtifactStore,
    knowledge: Knowledge,
    known: list[str],
    state: FeedState,
    now: float,
) -> tuple[FeedState, str]:
    from deepward.crawling.news import newest_items
    from deepward.inbox.candidates import candidate_note, put_candidate

    day = datetime.fromtimestamp(now, UTC).date().isoformat()
    after = state if state.day == day else replace(state, day=day, made=0)
    if not after.seen:  # what was crawled before the first look is what one started with
        return replace(after, seen=now), ""
    names: list[str] = []
    if after.made >= MOST_A_DAY:
        return after, ""
    for item in newest_items(knowledge.files(store).crawl, state.seen):
        if after.made >= MOST_A_DAY:
            break  # the rest is looked at tomorrow
        note = candidate_note(item.title, item.text, url=item.url, date=item.date)
        put = put_candidate(inbox, note, known) if note else None
        after = replace(after, seen=item.at, made=after.made + (put is not None))
        names += [put.name] if put is not None else []
    return after, f"New in feeds: {', '.join(names)}." if names else ""
