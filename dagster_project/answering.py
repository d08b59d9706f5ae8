"""The loop of `make demo`: stages, a first release, and the answer to news of a technique."""

import argparse
import os
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from deepward.home import demo_domains_folder, domains_folder, home
from sensors.dead_runs import process_tag

__all__ = ["UNMET", "close_the_loop", "draw", "own_domains"]

UNMET = "demo_inpaint"  # the family that the demo's detector meets as news
SPECIMENS = 40  # of each class, put into the inbox
TECHNIQUE = "diffusion-fill-7"
_NOTE = """---
name: Diffusion Fill 7
aliases: [df7]
source: drawn by the demo
licence: the demo's own
---
A tool that paints over a marked part of a portrait and fills it from what lies around, as
inpainting does: eyes, mouth or hair are masked, and smooth texture without noise takes their place.
Look for a loss of noise inside the filled region and for a seam along its border.
"""
_BARS = {"reporting": {"config": {"style": "bars"}}}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def own_domains(names: Sequence[str]) -> list[str]:
    """Domains that were put there, without those that came of the inbox."""
    from assets.synthesis import PREFIX
    from deepward.inbox.box import DOMAIN_PREFIX

    return [name for name in names if not name.startswith((PREFIX, DOMAIN_PREFIX))]


def draw(folder: Path, names: Collection[str], options: argparse.Namespace) -> None:
    """Draws demo domains of these names."""
    from deepward.demo.domains import make_demo_domains
    from deepward.progress import progress_bars

    with progress_bars() as progress:
        make_demo_domains(
            folder,
            images_per_class=options.images,
            size=options.size,
            seed=0,
            names=names,
            progress=progress,
        )


def close_the_loop(
    instance: dg.DagsterInstance, names: Sequence[str], options: argparse.Namespace
) -> Iterator[dg.ExecuteInProcessResult]:
    """Learns the domains in stages, releases, and answers news; ends at the first failure."""
    learning = {"start": "none", "detector": options.detector, "seed": options.seed}
    ops = {"continual_checkpoints": {"config": learning}}
    for step in _steps(instance, names, options, ops):
        yield step
        if not step.success:
            return


def _steps(
    instance: dg.DagsterInstance,
    names: Sequence[str],
    options: argparse.Namespace,
    ops: dict[str, Any],
) -> Iterator[dg.ExecuteInProcessResult]:
    yield _run(instance, "learn_domains", ops, first=names[0], last=names[-1])
    if domains_folder() == demo_domains_folder():
        _put_news(options)
        for job, key in _asked(instance):
            yield _run(instance, job, ops if job == "learn_domain" else {}, first=key, last=key)
        made = _synthesized(instance)
        if made:
            yield _run(instance, "learn_domain", ops, first=made, last=made)
    yield _run(instance, "refresh_report", {})


def _put_news(options: argparse.Namespace) -> None:
    """A note with specimens, as a user would put it there; once."""
    from deepward.inbox import Inbox

    inbox = Inbox(home())
    if any(answer.slug == TECHNIQUE for answer in inbox.answers()) or inbox.waiting()[0]:
        return
    folder = home() / "unmet"
    draw(folder, {UNMET}, options)
    place = folder / "news"
    for label, name in (("1_fake", "specimens"), ("0_real", "reals")):
        (place / name).mkdir(parents=True, exist_ok=True)
        for file in sorted((folder / UNMET).glob(f"*/{label}/*.jpg"))[:SPECIMENS]:
            target = place / name / file.name
            if not target.exists():
                os.link(file, target)
    (place / "note.md").write_text(_NOTE, encoding="utf-8")
    added = inbox.add(place)
    past = time.time() - 5  # it is complete: the sensor need not wait for it to be still
    for path in (added, *added.rglob("*")):
        os.utime(path, (past, past))


def _asked(instance: dg.DagsterInstance) -> list[tuple[str, str]]:
    """Jobs and partitions that the sensor over the inbox asks for; its cursor is kept in a file."""
    from resources import ArtifactStore, DomainFolders, Knowledge, Watching
    from sensors.technique_feed import technique_feed_sensor

    cursor = home() / "inbox" / "demo.cursor"
    before = cursor.read_text(encoding="utf-8") if cursor.is_file() else None
    context = dg.build_sensor_context(instance=instance, cursor=before)
    found = technique_feed_sensor(
        context,
        store=ArtifactStore(),
        domains=DomainFolders(),
        knowledge=Knowledge(),
        watching=Watching(),
    )
    for request in found.dynamic_partitions_requests or []:
        if request.partition_keys:
            instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
    # Feeds are the daemon's to read; what was put into the inbox is answered here.
    asked = [(run.job_name, run.partition_key) for run in found.run_requests or []]
    asked = [(job, key) for job, key in asked if key]
    if not asked and found.cursor:
        cursor.write_text(found.cursor, encoding="utf-8")
    return asked


def _synthesized(instance: dg.DagsterInstance) -> str:
    """The few-shot set of the technique as a domain, where it was made."""
    from assets.synthesis import PREFIX

    name = f"{PREFIX}{TECHNIQUE}"
    if not (domains_folder() / name).is_dir():
        return ""
    instance.add_dynamic_partitions("domain", [name])
    return name


def _run(
    instance: dg.DagsterInstance, job: str, ops: dict[str, Any], first: str = "", last: str = ""
) -> dg.ExecuteInProcessResult:
    from dagster_project.definitions import defs

    definition = defs.resolve_job_def(job)
    config = {"ops": ops, "resources": _BARS, **_QUIET}
    if first and first == last:
        return definition.execute_in_process(
            instance=instance,
            partition_key=first,
            tags=process_tag(),
            run_config=config,
            raise_on_error=False,
        )
    span = {RANGE_START: first, RANGE_END: last} if first else {}
    return definition.execute_in_process(
        instance=instance,
        tags={**span, **process_tag()},
        run_config=config,
        raise_on_error=False,
    )
