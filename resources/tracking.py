"""Experiment tracking and the model registry: MLflow on SQLite below the store."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from deepward.home import home
from deepward.steps import Step, ensure

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "deepward"
MODEL_NAME = "deepward-detector"


class Tracking(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One MLflow run per materialization that did something.

    Attributes:
        uri: tracking and registry URI; by default SQLite in `DEEPWARD_HOME/mlflow`.
        enabled: without it nothing is written, for tests that do not need it.
    """

    uri: str = ""
    enabled: bool = True

    @property
    def folder(self) -> Path:
        return home() / "mlflow"

    @property
    def address(self) -> str:
        return self.uri or f"sqlite:///{self.folder / 'mlflow.db'}"

    def client(self) -> "MlflowClient":
        """A client whose database has the current schema."""
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient
        from mlflow.environment_variables import MLFLOW_TRACKING_URI
        from mlflow.exceptions import MlflowException

        for talkative in ("mlflow.store.db.utils", "alembic"):
            logging.getLogger(talkative).setLevel(logging.WARNING)
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ[MLFLOW_TRACKING_URI.name] = self.address
        client = MlflowClient(self.address, self.address)
        try:
            # The first call creates the tables, under a lock that MLflow holds.
            client.get_experiment_by_name(EXPERIMENT)
        except MlflowException as error:
            if "out-of-date database schema" not in str(error):
                raise
            raise dg.Failure(
                f"The MLflow database {self.address} was written by an older MLflow. Keep a copy, "
                f"then run: mlflow db upgrade {self.address}"
            ) from error
        return client

    def record(
        self,
        name: str,
        *,
        params: Mapping[str, Any],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        files: Mapping[str, Path] | None = None,
    ) -> str:
        """Writes one finished run and returns its id, "" when tracking is off.

        Args:
            name: shown in the list of runs.
            params, metrics, tags: as MLflow has them; None and NaN must be left out.
            files: folder inside the run's artefacts -> file or folder to copy there.
        """
        if not self.enabled:
            return ""
        from mlflow.entities import Metric, Param, RunTag

        client = self.client()
        run = client.create_run(self._experiment(client), run_name=name).info
        moment = run.start_time
        client.log_batch(
            run.run_id,
            metrics=[Metric(key, float(value), moment, 0) for key, value in metrics.items()],
            params=[Param(key, str(value)[:6000]) for key, value in params.items()],
            tags=[RunTag(key, str(value)) for key, value in tags.items()],
        )
        for place, path in (files or {}).items():
            if path.is_dir():
                client.log_artifacts(run.run_id, str(path), place)
            else:
                client.log_artifact(run.run_id, str(path), place)
        client.set_terminated(run.run_id)
        return str(run.run_id)

    def once(self, key: str, write: Callable[[], str]) -> str:
        """Calls `write` unless it was called for the same `key` before; returns what it returned.

        An artefact that is kept is not recorded again, and one whose run was killed between
        artefact and record is recorded by the next run.
        """
        if not self.enabled:
            return ""
        step = Step("mlflow", {"record": key}, {"address": self.address}, "")

        def note(path: Path) -> dict[str, Any]:
            path.write_text(write(), encoding="utf-8")
            return {}

        return ensure(self.folder / "recorded" / step.key, step, note).path.read_text("utf-8")

    def detector(
        self, name: str, folder: Path, config: Mapping[str, Any], summary: Mapping[str, Any]
    ) -> str:
        """Records the training of a detector and makes it the challenger; returns its version."""

        def write() -> str:
            run = self.record(
                f"detector {name}",
                params={key: value for key, value in config.items() if value is not None},
                metrics=summary["decision"],
                tags={"detector": name, "content_hash": summary["content_hash"]},
                files={"detector": folder},
            )
            tags = {"content_hash": summary["content_hash"]}
            return self.register(run, "detector", alias="challenger", tags=tags)

        return self.once(f"detector {name} {summary['content_hash']}", write)

    def champion(self, content_hash: str, reasons: Sequence[str] = ()) -> str:
        """Moves the alias champion to the registered detector with this hash; its version.

        "" where tracking is off or no such detector is registered.
        """
        if not self.enabled:
            return ""
        client = self.client()
        found = [
            version
            for version in client.search_model_versions(f"name = '{MODEL_NAME}'")
            if version.tags.get("content_hash") == content_hash
        ]
        if not found:
            return ""
        newest = max(found, key=lambda version: int(version.version))
        client.set_registered_model_alias(MODEL_NAME, "champion", newest.version)
        if reasons:
            text = "\n".join(reasons)[:5000]
            client.set_model_version_tag(MODEL_NAME, newest.version, "released_because", text)
        return str(newest.version)

    def evaluation(
        self, detector: str, domain: str, version: str, flat: Mapping[str, Any], folder: Path
    ) -> None:
        """Records one detector on one domain, with its figures."""
        self.once(
            f"domain_metrics {detector} {domain} {version}",
            lambda: self.record(
                f"{detector} on {domain}",
                params={"detector": detector, "domain": domain, "split": flat["split"]},
                metrics=_numbers(flat),
                tags={"detector": detector, "content_hash": flat["detector_hash"]},
                files={"evaluation": folder},
            ),
        )

    def means(self, detector: str, version: str, means: Mapping[str, float]) -> None:
        """Records one detector's means over domains."""
        self.once(
            f"metrics {detector} {version}",
            lambda: self.record(
                f"{detector} on all domains",
                params={"detector": detector},
                metrics=means,
                tags={"detector": detector},
            ),
        )

    def register(self, run_id: str, place: str, *, alias: str, tags: Mapping[str, str]) -> str:
        """Makes a run's artefact folder the next version of the detector; returns the version."""
        if not self.enabled:
            return ""
        client = self.client()
        if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
            client.create_registered_model(MODEL_NAME, description="Detectors of Deepward.")
        source = f"{client.get_run(run_id).info.artifact_uri}/{place}"
        version = client.create_model_version(MODEL_NAME, source, run_id, tags=dict(tags))
        client.set_registered_model_alias(MODEL_NAME, alias, version.version)
        return str(version.version)

    def _experiment(self, client: "MlflowClient") -> str:
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        try:
            artifacts = (self.folder / "artifacts").as_uri()
            return client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        except MlflowException:  # another process was quicker
            return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


def _numbers(flat: Mapping[str, Any]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in flat.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
