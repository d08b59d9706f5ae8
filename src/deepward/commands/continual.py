"""`deepward continual`: domain after domain, and what each stage kept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepward.commands.console import out, print_json, print_table, say, shown_progress
from deepward.commands.datasets import domain_folders, images, of_one_medium, scan
from deepward.commands.options import DomainsOption, JsonFlag, root_at
from deepward.errors import UsageError
from deepward.home import descriptions_file
from deepward.learning.continual.strategy import DEFAULT_STRATEGY, Strategy
from deepward.versions import code_version

if TYPE_CHECKING:
    from deepward.learning.continual import Sequenced, StageRow

__all__ = ["continual"]

LEARNED = ("train", "val")
METRICS = ("auc", "laundered_auc", "recall_real", "recall_fake", "false_alarms")


def continual(
    out_folder: Annotated[Path, typer.Option("--out", help="A folder per stage goes here.")],
    domains: DomainsOption = None,
    sequence: Annotated[
        str | None,
        typer.Option(
            "--sequence",
            help="Names in order, a,b+c; short, long, review or cddb_hard; or a file with one "
            "stage a line. By default by date, or by name.",
        ),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            help="How networks keep what they knew: naive, joint, distillation, ewc, replay, or "
            "some joined by +.",
        ),
    ] = DEFAULT_STRATEGY,
    detector: Annotated[str, typer.Option("--recipe", help="Of the first stage.")] = "default",
    start: Annotated[
        Path | None, typer.Option("--start", help="A detector that the first stage goes on from.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Of each network's first stage.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Learn domains one after the other and measure after each what the earlier ones lost.

    A stage that is there already, from the same parent, is kept: a run that was killed goes on.
    forgetting.png in the folder shows what was forgotten and when.
    """
    Strategy.parse(strategy)
    if start is not None and not (start / "detector.json").is_file():
        raise UsageError(f"There is no detector at {start}.")
    folders = domain_folders(root_at(domains))
    planned = _planned(sequence, folders)
    by_name = {folder.absolute().name: folder for folder in folders}

    from deepward.detectors import Descriptions
    from deepward.learning.continual import Ledger, StageConfig
    from deepward.learning.continual.chain import STANDS_ON, Chain, Workshop
    from deepward.learning.continual.runs import run_sequence
    from deepward.learning.continual.sequences import startable

    code = code_version(*STANDS_ON)
    place = out_folder.absolute()
    chain = Chain(
        Ledger(place / "ledger"),
        place,
        place / "work",
        str(start.absolute()) if start else "",
        code,
    )
    config = StageConfig(detector=detector, steps=steps, seed=seed, strategy=strategy)
    rows: list[StageRow] = []
    with shown_progress() as progress:
        manifests = [scan(by_name[name], progress) for name in planned.order]
        if sequence is None:
            manifests = of_one_medium(manifests, "is not learned")
            planned = planned.only({manifest.domain for manifest in manifests})
        versions = {manifest.domain: manifest.content_hash for manifest in manifests}
        sets = {
            each.domain: {s: images([each], s, progress) for s in ("train", "val", "test")}
            for each in manifests
        }
        if sequence is None and start is None:
            both = {n for n in sets if all(set(sets[n][s].labels) == {0, 1} for s in LEARNED)}
            planned = startable(planned, both)
        workshop = Workshop("cpu", Descriptions(descriptions_file()), progress)
        for row in run_sequence(chain, planned.groups, sets, versions, config, workshop):
            rows.append(row)
            _tell(row, planned.order, as_json)
    _end(rows, place, strategy, as_json)


def _planned(sequence: str | None, folders: Sequence[Path]) -> "Sequenced":
    from deepward.learning.continual.sequences import by_date, read_sequence

    if sequence is None:
        return by_date([folder.absolute() for folder in folders])
    found = read_sequence(sequence, [folder.absolute().name for folder in folders])
    if found.missing:
        say(f"The {found.origin} goes on without what is not there: {', '.join(found.missing)}.")
    return found


def _tell(row: "StageRow", names: Sequence[str], as_json: bool) -> None:
    if not as_json:
        say(f"learned {row.stage} in {row.seconds:.1f} s: detector {row.content_hash[:12]}")
        return
    facts = {"stage": row.stage, "detector": row.content_hash, "seconds": row.seconds}
    cells = {metric: {n: _value(row, n, metric) for n in names} for metric in METRICS}
    print_json({**facts, "bytes": row.size, **cells})


def _end(rows: "Sequence[StageRow]", place: Path, strategy: str, as_json: bool) -> None:
    from deepward.files import atomic_file
    from deepward.learning.continual.rows import draw_rows, stage_matrix, summarize_rows

    with atomic_file(place / "forgetting.png") as partial:
        partial.write_bytes(draw_rows(rows))
    found, worse = summarize_rows(rows), summarize_rows(rows, "laundered_auc")
    names = stage_matrix(rows)[0]
    matrices = {metric: _plain(stage_matrix(rows, metric)[1]) for metric in METRICS}
    spent = round(sum(row.seconds for row in rows), 2)
    if as_json:
        line: dict[str, Any] = {"domains": names, "stages": [row.stage for row in rows]}
        line |= {"strategy": strategy, "matrix": matrices.pop("auc"), **matrices, **vars(found)}
        line |= {f"laundered_{name}": value for name, value in vars(worse).items()}
        print_json({**line, "train_seconds": spent, "figure": str(place / "forgetting.png")})
        return
    for title, metric in (
        ("AUC after", "auc"),
        ("reals found", "recall_real"),
        ("fakes found", "recall_fake"),
    ):
        lines = [[row.stage, *v] for row, v in zip(rows, matrices[metric], strict=True)]
        print_table([title, *names], lines)
        out("")
    out(f"{_words(vars(found))}; laundered {_words(vars(worse))}")
    out(f"{spent:.1f} s of learning; {place / 'forgetting.png'} shows what was forgotten")


def _words(found: Mapping[str, float | None]) -> str:
    shown = [f"{k.upper()} {'–' if v is None else format(v, '.3f')}" for k, v in found.items()]
    return ", ".join(shown)


def _value(row: "StageRow", name: str, metric: str) -> float | None:
    value: float | None = getattr(row.cells.get(name), metric, None)
    return value


def _plain(matrix: Any) -> list[list[float | None]]:
    return [[None if v != v else float(v) for v in line] for line in matrix]
