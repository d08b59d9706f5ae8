"""News of a technique in the inbox is answered in the tick that sees it complete."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assets.partitions import can_be_partition, domain_partitions, technique_partitions
from deepward.files import canonical_json, printable
from jobs import learn_domain, read_feeds, respond_to_technique
from resources import ArtifactStore, DomainFolders, Knowledge, Watching
from sensors.feeds import joined_cursor, look_at_feeds, split_cursor

if TYPE_CHECKING:
    from deepward.inbox import Answer

TECHNIQUE_TAG = "deepward/technique"  # whose runs `dagster.yaml` lets go one at a time


@dataclass(frozen=True)
class News:
    """What to answer now, and the cursor: technique to the hash of its note that was answered."""

    specimens: "tuple[Answer, ...]"
    techniques: "tuple[Answer, ...]"
    cursor: str


def select_news(answers: "Sequence[Answer]", cursor: str | None) -> News:
    """Notes that were taken and not answered yet.

    Specimens are learned whether or not the technique is known; about a technique that is known,
    by whatever name, nothing is written anew.

    Args:
        answers: all that was taken.
        cursor: what the last tick returned, or None at the first.
    """
    done: dict[str, str] = json.loads(cursor) if cursor else {}
    new = [a for a in answers if done.get(a.slug) != a.key and can_be_partition(a.slug)]
    return News(
        tuple(a for a in new if a.domain),
        tuple(a for a in new if not a.known_as),
        canonical_json({**done, **{a.slug: a.key for a in new}}),
    )


@dg.sensor(
    jobs=[learn_domain, respond_to_technique, read_feeds],
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Takes notes about techniques out of the inbox. Specimens become a domain that is "
    "learned at once; about a technique that is not known by any of its names the agents write, "
    "and fakes of it are synthesized. Every hour (DEEPWARD_FEED_MINUTES) it has the allowed feeds "
    "read, and puts what they tell of new techniques into the inbox.",
)
def technique_feed_sensor(
    context: dg.SensorEvaluationContext,
    store: ArtifactStore,
    domains: DomainFolders,
    knowledge: Knowledge,
    watching: Watching,
) -> dg.SensorResult:
    from deepward.inbox import Inbox

    inbox = Inbox(store.folder)
    registered = list(context.instance.get_dynamic_partitions(str(technique_partitions.name)))
    answered, feeds = split_cursor(context.cursor)
    feeds, reading, told = look_at_feeds(
        inbox, store, knowledge, registered, feeds, time.time(), watching.feed_minutes
    )
    if told:
        context.log.info(printable(told))
    waiting, refused = inbox.waiting()
    settled = inbox.settled(waiting, time.time())
    for note in settled:
        inbox.take(note, registered)
    found = select_news(inbox.answers(), answered)
    cursor = joined_cursor(found.cursor, feeds)
    for answer in found.specimens:
        inbox.link(answer, domains.folder)
    if not found.specimens and not found.techniques and not reading:
        writing = len(waiting) - len(settled)
        reason = f"{writing} notes are still being written." if writing else "No news."
        if refused:
            reason += f" Not understood (see the .why beside): {', '.join(sorted(refused))}."
        return dg.SensorResult(skip_reason=f"{reason} {told}".strip(), cursor=cursor)
    return dg.SensorResult(
        run_requests=[
            *map(_learning, found.specimens),
            *map(_answering, found.techniques),
            *reading,
        ],
        dynamic_partitions_requests=[
            domain_partitions.build_add_request([a.domain for a in found.specimens]),
            technique_partitions.build_add_request([a.slug for a in found.techniques]),
        ],
        cursor=cursor,
    )


def _learning(answer: "Answer") -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"specimens:{answer.slug}:{answer.key[:16]}",
        job_name=learn_domain.name,
        partition_key=answer.domain,
        tags={
            "deepward/reason": f"specimens of {answer.slug}",
            "dagster/priority": "1",  # what was found is defended against before what is imagined
            TECHNIQUE_TAG: answer.slug,
        },
    )


def _answering(answer: "Answer") -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"technique:{answer.slug}:{answer.key[:16]}",
        job_name=respond_to_technique.name,
        partition_key=answer.slug,
        tags={"deepward/reason": f"note about {answer.slug}", TECHNIQUE_TAG: answer.slug},
    )
