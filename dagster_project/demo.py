"""`make demo`: the whole graph on the demo domains, or on a folder of yours, to the report.

python -m dagster_project.demo [--domains DIR] [--minutes N | --steps N] [--seed N]

Domains are measured, learned one after the other, and a first detector is released. On the demo
domains, news of a technique that the detector has never met is then put into the inbox, with
specimens; what the sensor asks for is run, to the decision about the next release.
"""

import argparse
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.answering import UNMET, close_the_loop, draw, own_domains
from dagster_project.instance import (
    open_instance,
    prepare_home,
    register_domains,
    remember_domains,
)
from deepward.commands.console import out, say
from deepward.commands.endings import check_home, ending_of
from deepward.home import (
    champion_detector,
    default_detector,
    demo_domains_folder,
    domains_folder,
    home,
    report_file,
)
from deepward.media import MEDIA, NOUNS
from resources import Tracking
from sensors.dead_runs import end_dead_runs, process_tag

IMAGES_PER_CLASS = 150
SIZE = 192
_LATER = ("metrics", "teaching_table", "evaluation_report")
_BARS = {"reporting": {"config": {"style": "bars"}}}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 done, 1 the work failed, 2 wrong use, 130 interrupted."""
    options = _parse(arguments)
    begun = time.monotonic()
    try:
        check_home()
        prepare_home(options.domains)
        names = _domain_names(options)
        with open_instance() as instance:
            if ended := end_dead_runs(instance):
                say(f"{ended} earlier run(s) had been killed; going on from what they left.")
            impossible = register_domains(instance, names)
            for name in impossible:
                say(f"{name!r} cannot be the name of a partition: rename the folder.")
            remember_domains()
            results = [_refresh_knowledge(instance)]
            unusable: dict[str, str] = {}
            if results[-1].success:
                result, unusable = _run(instance, options)
                results.append(result)
            if results[-1].success and not options.measure_only:
                names = [name for name in own_domains(names) if name not in unusable]
                results += close_the_loop(instance, names, options)
    except (Exception, KeyboardInterrupt) as error:
        sentence, code = ending_of(error)
        say(f"Error: {sentence}")
        return code
    if failed := [result for result in results if not result.success]:
        say(_failure(failed[0]))
        return 1
    _show(results, time.monotonic() - begun)
    for name, reason in unusable.items():
        say(f"NOT EVALUATED: {name}: {reason}.")
    return 1 if unusable or impossible else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="From pictures to a report.")
    parser.add_argument("--domains", type=Path, help="folder of domains; default: demo domains")
    parser.add_argument("--detector", default="default", help="kind of detector to train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure-only", action="store_true", help="learn and release nothing")
    parser.add_argument("--images", type=int, default=IMAGES_PER_CLASS, help="demo pictures drawn")
    parser.add_argument("--size", type=int, default=SIZE, help="of demo pictures, in pixels")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, help="training time")
    length.add_argument("--steps", type=int, help="training steps; the same detector everywhere")
    return parser.parse_args(arguments)


def _domain_names(options: argparse.Namespace) -> list[str]:
    from deepward.demo.domains import DEMO_DOMAINS
    from deepward.domains import find_domains

    folder = domains_folder()
    if folder == demo_domains_folder():
        draw(folder, {domain.name for domain in DEMO_DOMAINS} - {UNMET}, options)
    names = find_domains(folder)
    say(f"{len(names)} domains in {folder}: {', '.join(names)}")
    return names


def _refresh_knowledge(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Reads the shipped corpus and local documents; crawls only what was allowed."""
    from dagster_project.definitions import defs

    return defs.resolve_job_def("refresh_knowledge").execute_in_process(
        instance=instance,
        tags=process_tag(),
        run_config={**_QUIET, "resources": _BARS},
        raise_on_error=False,
    )


def _run(
    instance: dg.DagsterInstance, options: argparse.Namespace
) -> tuple[dg.ExecuteInProcessResult, dict[str, str]]:
    """Runs the main job over all domains; again over the usable ones where some are not."""
    from assets.partitions import domain_partitions

    partitions = str(domain_partitions.name)
    names = own_domains(instance.get_dynamic_partitions(partitions))
    result = _execute(instance, options, names)
    unusable = _unusable(result)
    usable = [n for n in names if n not in unusable]
    if result.success or not unusable or not usable:
        return result, {} if result.success else unusable
    # A range of partitions is contiguous in order of registration: those left out go last.
    for name in unusable:
        instance.delete_dynamic_partition(partitions, name)
    instance.add_dynamic_partitions(partitions, list(unusable))
    say(f"{', '.join(unusable)}: nothing to measure a detector on; going on with the others.")
    return _execute(instance, options, usable), unusable


def _execute(
    instance: dg.DagsterInstance, options: argparse.Namespace, names: Sequence[str]
) -> dg.ExecuteInProcessResult:
    from dagster_project.definitions import defs

    # Without options this is the asset's own default, so Dagster's pages find nothing out of date.
    training = {"detector": options.detector, "seed": options.seed}
    if options.minutes is not None:
        training["minutes"] = options.minutes
    elif options.steps is not None:
        training["steps"] = options.steps
    job = defs.resolve_job_def("evaluate_domains")
    # What is learned in stages comes into the same comparison and report: they wait for it.
    wanted = [key for key in job.asset_layer.executable_asset_keys if key.path[-1] not in _LATER]
    return job.execute_in_process(
        instance=instance,
        asset_selection=None if options.measure_only else wanted,
        tags={RANGE_START: names[0], RANGE_END: names[-1], **process_tag()},
        run_config={
            "ops": {"baseline_detector": {"config": training}},
            "resources": _BARS,
            **_QUIET,
        },
        raise_on_error=False,
    )


def _unusable(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Domains that the blocking check of the audit named, with its words."""
    for event in result.get_asset_check_evaluations():
        if event.check_name == "has_usable_pictures" and not event.passed:
            return dict(event.metadata["reasons"].value)
    return {}


def _failure(result: dg.ExecuteInProcessResult) -> str:
    lines = []
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error:
            error = event.step_failure_data.error
            while error.cause:
                error = error.cause
            lines.append(f"{event.step_key} failed. {_words(error.message)}")
    lines.append(f"Everything about it: make ui, run {result.run_id[:8]}.")
    return "\n".join(lines)


def _words(message: str) -> str:
    """An error's text without the name of its class."""
    name, _, words = message.strip().partition(": ")
    return words if words and " " not in name else message.strip()


def _show(results: Sequence[dg.ExecuteInProcessResult], seconds: float) -> None:
    made: dict[str, list[Any]] = {}
    for event in (e for result in results for e in result.get_asset_materialization_events()):
        made.setdefault(event.asset_key.to_user_string(), []).append(event.materialization.metadata)
    say("")
    for asset, entries in made.items():
        kept = sum(bool(entry["unchanged_and_kept"].value) for entry in entries)
        spent = sum(entry["seconds"].value for entry in entries)
        told = "unchanged, kept" if kept == len(entries) else f"made in {spent:.1f} s"
        if 0 < kept < len(entries):
            told += f"; {kept} of {len(entries)} domains unchanged, kept"
        say(f"  {asset:<20} {told}")
    say("")
    say(f"Done in {seconds:.0f} s.")
    for medium in MEDIA:
        usual = (champion_detector(medium), default_detector(medium))
        if place := next((each for each in usual if each.is_dir()), None):
            say(f"The detector of {NOUNS[medium]}s is {place}.")
    _tell_releases()
    say('Ask what it has read: `deepward search "how is a face swap made"`.')
    say("Look at every step with `make ui`; judge a file with `deepward score PATH`.")
    say(f"MLflow: mlflow ui --backend-store-uri {shlex.quote(Tracking().address)}")
    for file in (each for each in map(report_file, MEDIA) if each.is_file()):
        out(f"Report: {file}")


def _tell_releases() -> None:
    from deepward.release.champion import Releases

    for entry in (e for medium in MEDIA for e in Releases(home(), medium).entries()):
        what = "released" if entry.released else "refused"
        about = f", in answer to {entry.subject}" if entry.subject else ""
        when = f" {entry.time_to_defence:.0f} s after the news" if entry.time_to_defence else ""
        telling = ("AUC" if entry.released else "", entry.subject if entry.released else "")
        why = next((r for r in entry.reasons if all(word in r for word in telling)), "")
        say(f"  {entry.detector}{about}: {what}{when}. {why}".rstrip())


if __name__ == "__main__":
    raise SystemExit(main())
