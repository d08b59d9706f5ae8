"""What is written into MLflow: runs that a kill does not double, and versions of the model."""

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from deepward.files import canonical_json, sha256_bytes

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

EXPERIMENT = "deepward"
MODEL_NAME = "deepward-detector"
KEY = "deepward.record"  # tag of a run: what it records, so that it is written once
PARENT = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
_ABOUT = {
    NOTE: "Detectors of Deepward: one run per run of the graph, below it what was made: trainings, "
    "stages and evaluations, with curves, figures, data-set versions and model cards.",
    # Decides which of MLflow's pages opens: that of runs, not that of traces of language models.
    "mlflow.experimentKind": "custom_model_development",
}


@dataclass(frozen=True)
class Record:
    """One run as people find it in MLflow.

    Attributes:
        name: shown in the list of runs.
        params, metrics, tags: as MLflow has them; None and NaN must be left out.
        curves: metric -> (step, value), in the order of steps.
        headline: metric -> (step, value) that the parent run shows too.
        datasets: domain -> version, the hash of its manifest.
        files: folder inside the run's artefacts -> file or folder to copy there.
        texts: file inside the run's artefacts -> what is written there.
        pictures: the same, of PNG bytes.
        note: Markdown at the head of the run's page.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[int, float]]] = field(default_factory=dict)
    headline: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    note: str = ""


def sqlite_address(file: Path) -> str:
    """The address of an SQLite database, whatever signs stand in its path."""
    from sqlalchemy import URL

    address = URL.create("sqlite", database=str(file))
    if (plain := address.render_as_string()) == f"sqlite:///{file}":
        return plain
    # With its driver named, MLflow makes no folder of what it takes for a path.
    return address.set(drivername="sqlite+pysqlite").render_as_string()


def open_client(address: str) -> "MlflowClient":
    """A client whose database has the current schema.

    Raises:
        dg.Failure: the database was written by an older MLflow.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # of 7: four minutes
    from mlflow import MlflowClient
    from mlflow.environment_variables import MLFLOW_TRACKING_URI
    from mlflow.exceptions import MlflowException

    for talkative in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    os.environ[MLFLOW_TRACKING_URI.name] = address
    client = MlflowClient(address, address)
    try:
        # The first call creates the tables, under a lock that MLflow holds.
        client.get_experiment_by_name(EXPERIMENT)
    except MlflowException as error:
        if "out-of-date database schema" not in str(error):
            raise
        raise dg.Failure(
            f"The MLflow database {address} was written by an older MLflow. Keep a copy, "
            f"then run: mlflow db upgrade {address}"
        ) from error
    return client


@contextmanager
def reached(address: str) -> Iterator[None]:
    """Turns what MLflow raises, its database or its server, into words.

    Raises:
        dg.Failure: it could not be written or asked.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        told = str(error).strip().partition("\n")[0]
        raise dg.Failure(
            f"MLflow at {address} cannot be used: {told} What was made is kept in the store; see "
            "that the server runs, or that nothing else holds the database, and materialize it "
            "again: nothing is computed anew, and the record is made up for.",
            allow_retries=False,
        ) from error


def experiment_of(client: "MlflowClient", address: str, artifacts: Path) -> str:
    """Id of the experiment, made where there is none.

    Raises:
        dg.Failure: it was deleted, which only a person does.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            made = client.create_experiment(EXPERIMENT, artifacts.as_uri(), _ABOUT)
            return str(made)
        except MlflowException:  # another process was quicker
            found = client.get_experiment_by_name(EXPERIMENT)
    if found.lifecycle_stage == "deleted":
        number = found.experiment_id
        raise dg.Failure(
            f"The experiment {EXPERIMENT!r} (id {number}) was deleted in MLflow at {address}. What "
            "was made is kept in the store and recorded as soon as the experiment is back: "
            f"MLFLOW_TRACKING_URI={address} mlflow experiments restore --experiment-id {number}",
            allow_retries=False,
        )
    if found.tags.get("mlflow.experimentKind") is None:  # of an earlier version
        for key, value in _ABOUT.items():
            client.set_experiment_tag(found.experiment_id, key, value)
    return str(found.experiment_id)


def write_run(
    client: "MlflowClient", experiment: str, key: str, record: Record, parent: str = ""
) -> str:
    """Writes a finished run and returns its id; what a kill left of the same `key` is finished."""
    from mlflow.entities import DatasetInput, InputTag, Param, RunTag

    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1)
    if runs and runs[0].info.status == "FINISHED":
        return str(runs[0].info.run_id)
    tags = {KEY: key, **({PARENT: parent} if parent else {})}
    made = runs[0] if runs else client.create_run(experiment, tags=tags, run_name=record.name)
    run, began = made.info.run_id, made.info.start_time
    told = {**record.tags, **({NOTE: record.note} if record.note else {})}
    client.log_batch(
        run,
        # The run's own time: numbers that are written again after a kill are the same rows.
        metrics=_metrics(record, began),
        params=[Param(name, str(value)[:6000]) for name, value in record.params.items()],
        tags=[RunTag(name, str(value)[:8000]) for name, value in told.items()],
    )
    context = [InputTag("mlflow.data.context", "domain")]
    inputs = [DatasetInput(_dataset(*each), context) for each in record.datasets.items()]
    if inputs:
        client.log_inputs(run, inputs)
    for place, path in record.files.items():
        if path.is_dir():
            client.log_artifacts(run, str(path), place)
        else:
            client.log_artifact(run, str(path), place)
    for place, text in record.texts.items():
        client.log_text(run, text, place)
    with tempfile.TemporaryDirectory(prefix="deepward-") as folder:
        for place, data in record.pictures.items():
            file = Path(folder, Path(place).name)
            file.write_bytes(data)
            client.log_artifact(run, str(file), str(Path(place).parent))
    if parent and record.headline:
        shared = Record(record.name, curves={k: [v] for k, v in record.headline.items()})
        client.log_batch(parent, metrics=_metrics(shared, began))
    client.set_terminated(run)
    return str(run)


def register(
    client: "MlflowClient",
    run: str,
    place: str,
    model: str = MODEL_NAME,
    *,
    alias: str,
    tags: Mapping[str, str],
    card: str = "",
) -> str:
    """Makes a run's artefact folder the next version of a registered model; returns the version.

    A run gives one version, however often it is asked for.
    """
    if not client.search_registered_models(f"name = '{model}'"):
        client.create_registered_model(model, description="Detectors of Deepward.")
    found = client.search_model_versions(f"run_id = '{run}'")
    source = f"{client.get_run(run).info.artifact_uri}/{place}"
    version = (
        found[0]
        if found
        else client.create_model_version(
            model, source, run, tags=dict(tags), description=card[:5000] or None
        )
    )
    client.set_registered_model_alias(model, alias, version.version)
    return str(version.version)


def _metrics(record: Record, moment: int) -> "list[Metric]":
    from mlflow.entities import Metric

    single = [Metric(_known(k), float(value), moment, 0) for k, value in record.metrics.items()]
    return single + [
        Metric(_known(name), float(value), moment, step)
        for name, points in record.curves.items()
        for step, value in points
    ]


def _known(name: str) -> str:
    """MLflow's names of metrics know few signs; what differs in others stays different."""
    known = "".join(c if c.isascii() and (c.isalnum() or c in "_-. /") else "_" for c in name)
    return known if known == name else f"{known}-{sha256_bytes(name.encode())[:6]}"


def _dataset(domain: str, version: str) -> Any:
    from mlflow.entities import Dataset

    return Dataset(
        name=domain,
        digest=version[:16],
        source_type="deepward",
        source=canonical_json({"domain": domain, "manifest": version}),
    )
