"""From edit specs and real pictures to a few-shot set: a domain folder with everything beside it.

Of voices likewise, as `.wav`, without masks.

    <out>/{train,val,test}/0_real/<base>.jpg             untouched originals
    <out>/{train,val,test}/1_fake/<engine>/<base>_<spec>.jpg
    <out>/masks/<split>/<engine>/<base>_<spec>.png       white where the fake was changed
    <out>/metadata.parquet    one row per sample and per refused spec or base, with the reason
    <out>/metadata.jsonl      which pictures belong together, for the scan of the domain
    <out>/montage.png         original, mask, fake and difference of a few samples
    <out>/recipe.json         what the set is made from; written last
    <out>/run.json            when and where it was made: the only file that differs between runs

Support is train and val, query is test; a base is in one split alone. All is made in
`<out>/unfinished` and moved into place at the end. A run that was killed goes on where it stopped.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from deepward.domains.manifest import Manifest
from deepward.errors import SynthesisError
from deepward.files import write_json
from deepward.intake.pool import Failure, available_cores, run_tasks
from deepward.progress import Advance, Progress, no_progress
from deepward.synthesis.bases import Base, find_bases, in_order, open_base, place_of
from deepward.synthesis.config import SynthesisConfig, check_config, of_bases
from deepward.synthesis.interfaces import Rejected
from deepward.synthesis.montage import write_montage
from deepward.synthesis.pipeline import forget_parts, give_up, make_chunk
from deepward.synthesis.planning import Plan
from deepward.synthesis.prompts import RefusedSpec, check_specs
from deepward.synthesis.provenance import write_tables
from deepward.synthesis.report import SynthesisReport, read_report
from deepward.synthesis.workplace import (
    READY,
    UNFINISHED,
    alone_in,
    even_out,
    is_complete,
    is_recipe,
    move_into_place,
    prepare,
    prune,
    read_json,
    recipe_of,
    refuse_foreign,
)
from deepward.techniques.specs import EditSpec

__all__ = ["synthesize"]

_SECONDS = 900.0  # of computing, for one chunk


def synthesize(
    prompts: Sequence[EditSpec],
    bases: Base | Sequence[Base],
    out: Path,
    config: SynthesisConfig | None = None,
    *,
    refused: Sequence[RefusedSpec] = (),
    workers: int | None = None,
    progress: Progress = no_progress,
) -> SynthesisReport:
    """Makes fakes of real pictures and lays them, with their originals, out as a domain.

    Sample i takes base i mod n and edit spec i mod m. The bytes depend on the specs, the bases
    and the configuration, not on `workers`, and not on how often the run was interrupted.

    Args:
        prompts: edit specs; their ids differ.
        bases: a domain (its reals are taken) or its manifest, a folder of pictures, a picture, or
            several of them; of sounds, manifests.
        out: the folder to make; nothing outside it is written.
        config: all settings; None for the defaults, which need no weights.
        refused: entries of the prompts' file that were no edit specs; they get rows of their own.
        workers: processes; None for one per core. Models work in this process alone.
        progress: told after every chunk.

    Raises:
        SynthesisError: the request cannot be carried out: no usable spec or base, weights that
            are missing, or a folder `out` that holds something else.
    """
    begun = time.time()
    config = config or SynthesisConfig()
    places = [bases] if isinstance(bases, Path | Manifest) else list(bases)
    media = {place.medium for place in places if isinstance(place, Manifest)} or {"image"}
    if len(media) > 1:
        raise SynthesisError("The bases are pictures and sounds: make a set of each.")
    config = of_bases(config, media.pop())
    checked = check_specs(list(prompts))
    if not checked.specs:
        raise SynthesisError("There is no edit spec, so there is nothing to make.")
    refused = [*refused, *checked.refused]
    check_config(config)
    refuse_foreign(out, [place_of(place) for place in places])
    listed = in_order(find_bases(places, workers=workers, progress=progress), config.seed)
    out = out.absolute()
    work = out / UNFINISHED
    recipe = recipe_of(config, checked.specs, refused, listed)
    with alone_in(work):
        if is_complete(out, recipe, listed):
            shutil.rmtree(work)
            return read_report(out, 0.0)
        if not ((work / READY).exists() and is_recipe(recipe, work)):
            prepare(work, recipe)
            plan = Plan(config, checked.specs, listed, work)
            try:
                _learn(plan, progress)
                results = _make(plan, workers or available_cores(), progress)
            finally:
                forget_parts()
            _describe(work, recipe, results, refused, config, begun)
        move_into_place(work, out)
    return read_report(out, time.time() - begun)


def _learn(plan: Plan, progress: Progress) -> None:
    """Lets engines learn from some bases what they need."""
    from deepward.synthesis.engines import prepare_engines

    if "resynthesize" not in plan.engines:
        return
    pixels = []
    for facts in plan.teachers():
        with contextlib.suppress(Rejected):
            pixels.append(open_base(facts, plan.config.longest_side)[0])
    task = "learning to resynthesize"
    progress(Advance(task, 0, 1, "network"))
    prepare_engines(plan.engines, pixels, plan.learned, seed=plan.config.seed)
    progress(Advance(task, 1, 1, "network"))


def _make(plan: Plan, workers: int, progress: Progress) -> list[Path]:
    """Round after round of samples, until enough are made or all have been tried.

    Returns:
        The files with the rows, one per chunk.
    """
    wanted, most = plan.numbers()
    results: list[Path] = []
    made = rejected = start = number = 0
    while made < wanted and start < most:
        stop = min(most, start + wanted - made)
        tasks = plan.chunks(number, range(start, stop))
        results += [Path(task["result"]) for task in tasks]
        for counts in _run(tasks, workers, plan.config):
            made, rejected = made + counts["made"], rejected + counts["rejected"]
            note = f"{rejected} rejected" if rejected else ""
            progress(Advance("making fakes", made, wanted, "fake", note))
        start, number = stop, number + 1
    if made < wanted:  # all has been tried, so the bar has come to its end
        progress(Advance("making fakes", wanted, wanted, "fake", f"{rejected} rejected"))
    return results


def _run(
    tasks: list[dict[str, Any]], workers: int, config: SynthesisConfig
) -> Iterator[dict[str, Any]]:
    """Yields how many each chunk made and rejected; chunks that are done are not done again."""
    missing = []
    for task in tasks:
        done = read_json(Path(task["result"]))
        if done.get("key") == task["key"]:
            made = sum(row["status"] == "made" for row in done["rows"])
            yield {"made": made, "rejected": len(done["rows"]) - made}
        else:
            missing.append(task)
    if workers <= 1 or len(missing) <= 1 or config.uses_models:
        for task in missing:
            yield make_chunk(task)
        return
    with contextlib.closing(
        run_tasks(make_chunk, missing, workers=workers, seconds=_SECONDS)
    ) as answers:
        for place, answer in answers:
            if isinstance(answer, Failure):
                answer = give_up(missing[place], answer.reason)
            yield answer


def _describe(
    work: Path,
    recipe: dict[str, Any],
    results: Sequence[Path],
    refused: Sequence[RefusedSpec],
    config: SynthesisConfig,
    begun: float,
) -> None:
    """Tables, montage and cards; when they stand, nothing is left but to move."""
    chunks = [read_json(path) for path in results]
    rows = sorted((row for chunk in chunks for row in chunk["rows"]), key=_by_sample)
    prune(work, rows)
    even_out(work, rows)
    write_tables(work, rows, refused, config)
    write_montage(work, [row for row in rows if row["status"] == "made"])
    contents = {row["base"]: row["base_sha256"] for row in rows if row["base_sha256"]}
    spent: dict[str, list[float]] = {}
    for chunk in chunks:
        for name, (pictures, seconds) in chunk["seconds"].items():
            entry = spent.setdefault(name, [0, 0.0])
            entry[0], entry[1] = entry[0] + pictures, entry[1] + seconds
    card = {
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds_since_last_start": round(time.time() - begun, 3),
        "engine_seconds": spent,
        "made_by": "deepward synthesize",
    }
    write_json(work / "run.json", card)
    write_json(work / "recipe.json", recipe | {"contents": contents})
    os.sync()  # the chunks' files were written without waiting for the disk
    (work / READY).touch()


def _by_sample(row: dict[str, Any]) -> int:
    return int(row["sample"])
