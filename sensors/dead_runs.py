"""Runs whose process was killed: they are ended, give back their places, and are started anew.

Dagster notices a killed run while the server that started it lives. After a power cut, or a kill of
everything, nobody is left who would: such a run would hold its place in the pool for ever.
"""

import os
import re
import socket
import time
from pathlib import Path

import dagster as dg

PROCESS_TAG = "deepward/process"
UNFINISHED = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_STARTED = re.compile(r"Started process for run \(pid: (\d+)\)")
_CLOCK_SECONDS = 2.0  # by which the start of a process is known, generously


def process_tag() -> dict[str, str]:
    """Names this process in the tags of a run, so that `end_dead_runs` can tell that it died.

    Such a run is started anew by whoever started it, not by the daemon.
    """
    name = f"{socket.gethostname()}:{os.getpid()}:{_birth(os.getpid())}"
    return {PROCESS_TAG: name, "dagster/max_retries": "0"}


def end_dead_runs(instance: dg.DagsterInstance) -> int:
    """Ends runs whose process was killed, and gives back their places in pools.

    What the daemon started is then started anew by it, as `run_retries` in `dagster.yaml` says.
    """
    ended = 0
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        if not (_is_tagged_dead(run) if PROCESS_TAG in run.tags else _is_dead(instance, run)):
            continue
        instance.report_run_failed(run, "Its process was killed; the next run goes on from there.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended += 1
    return ended


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Ends runs whose process was killed together with the server that had started it; "
    "the daemon starts them anew, and they go on from what is there.",
)
def dead_run_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    ended = end_dead_runs(context.instance)
    return dg.SkipReason(f"Ended {ended} runs that were killed." if ended else "All runs live.")


def _is_tagged_dead(run: dg.DagsterRun) -> bool:
    host, _, rest = run.tags[PROCESS_TAG].partition(":")
    process, _, birth = rest.partition(":")
    return host == socket.gethostname() and _birth(int(process)) != birth


def _is_dead(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run that the daemon started on this machine has lost its process."""
    from dagster._core.launcher import DefaultRunLauncher

    if not isinstance(instance.run_launcher, DefaultRunLauncher):
        return False  # it runs elsewhere, where that is seen to
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        found = _STARTED.search(entry.message or "") or _STARTED.search(entry.user_message or "")
        if found:
            begun = _begun(int(found.group(1)))
            # A process that began after the event has the number of one that is gone.
            return begun is None or begun > entry.timestamp + _CLOCK_SECONDS
    return False  # not started yet: run monitoring gives it its time


def _birth(process: int) -> str:
    """When a process began, as the kernel tells it; "" when it is gone."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]  # a zombie has ended


def _begun(process: int) -> float | None:
    """The same in seconds since the epoch; None when it is gone."""
    birth = _birth(process)
    if not birth:
        return None
    uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return time.time() - uptime + int(birth) / os.sysconf("SC_CLK_TCK")
