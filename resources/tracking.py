"""Experiment tracking and the model registry: MLflow on SQLite below the store."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from deepward.home import home, of_medium
from deepward.steps import Step, ensure
from resources.parents import close_parent, open_parent
from resources.records import (
    MODEL_NAME,
    Record,
    experiment_of,
    open_client,
    reached,
    register,
    sqlite_address,
    write_run,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "model"  # folder of a training's run: what `mlflow models serve` serves
CARD = "model_card.md"


class Tracking(dg.ConfigurableResource):  # type: ignore[type-arg]
    """One MLflow run per run of the graph that made something, and below it one per thing made.

    Attributes:
        uri: tracking and registry URI; by default SQLite in `DEEPWARD_HOME/mlflow`.
        enabled: without it nothing is written, for tests that do not need it.
        pages: where `mlflow ui` shows its pages, for links.
        dagster_pages: where Dagster shows its own.
    """

    uri: str = ""
    enabled: bool = True
    pages: str = "http://127.0.0.1:5000"
    dagster_pages: str = "http://127.0.0.1:3000"

    _run: dg.DagsterRun | None = PrivateAttr(default=None)
    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)
    _parent: str = PrivateAttr(default="")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Notes whose run this is; nothing is written before there is something to record."""
        self._run, self._instance, self._parent = context.run, context.instance, ""

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Ends the MLflow run that stands for this one."""
        if self._parent and self._run is not None and self._instance is not None:
            close_parent(self.client(), self._parent, self._run, self._instance)

    @property
    def folder(self) -> Path:
        return home() / "mlflow"

    @property
    def address(self) -> str:
        return self.uri or sqlite_address(self.folder / "mlflow.db")

    def client(self) -> "MlflowClient":
        """A client whose database has the current schema."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return open_client(self.address)

    def link(self) -> dict[str, Any]:
        """What an asset shows of it: a link to the MLflow run, where something was recorded."""
        if not self._parent:
            return {}
        experiment = self._experiment(self.client())
        page = f"{self.pages}/#/experiments/{experiment}/runs/{self._parent}"
        return {"mlflow_run": dg.MetadataValue.url(page), "mlflow_run_id": self._parent}

    def record(self, key: str, make: Callable[[], Record]) -> str:
        """Writes a run unless the same `key` was recorded before; returns its id, "" when off."""
        return self._once(key, lambda name: self._write(name, make()))

    def detector(
        self,
        name: str,
        folder: Path,
        config: Mapping[str, Any],
        summary: Mapping[str, Any],
        *,
        medium: str = "image",
        datasets: Mapping[str, str] | None = None,
        curves: Mapping[str, Sequence[tuple[int, float]]] | None = None,
    ) -> str:
        """Records the training of a detector and makes it the challenger; returns its version.

        What is registered is a model that `mlflow models serve` serves, with the detector in it.

        Args:
            name: that the detector goes by.
            folder: as `save_detector` wrote it.
            config: of the asset; None is left out.
            summary: `content_hash`, `decision`, `lineage` and what else the card says of it.
            medium: that it judges; each has a registered model of its own.
            datasets: domain -> version of its manifest.
            curves: as in `Record`, beside what the lineage holds.
        """

        def write(key: str) -> str:
            from deepward.evaluation.model_card import lineage_curves, model_card
            from resources.served import write_served

            card = model_card(name, summary)
            lineage = summary.get("lineage", {})
            shown = {
                f"validation/{metric}": found["value"]
                for metric, found in lineage.get("validation", {}).items()
                if found.get("value") is not None
            }
            tags = {"content_hash": summary["content_hash"]}
            with tempfile.TemporaryDirectory(prefix="deepward-") as scratch:
                write_served(folder, Path(scratch, MODEL))
                run = self._write(
                    key,
                    Record(
                        name=f"detector {name}",
                        params={k: value for k, value in config.items() if value is not None},
                        metrics={**_numbers(summary["decision"]), **shown},
                        headline={f"{key}/{name}": (0, value) for key, value in shown.items()},
                        curves={**lineage_curves(lineage), **(curves or {})},
                        datasets=datasets or {},
                        tags={"detector": name, **tags},
                        files={MODEL: Path(scratch, MODEL)},
                        texts={CARD: card},
                        note=card,
                    ),
                )
            client = self.client()
            model = of_medium(MODEL_NAME, medium)
            return register(client, run, MODEL, model, alias="challenger", tags=tags, card=card)

        return self._once(f"detector {name} {summary['content_hash']}", write)

    def champion(
        self, content_hash: str, reasons: Sequence[str] = (), medium: str = "image"
    ) -> str:
        """Moves the alias champion to the registered detector with this hash; its version.

        "" where tracking is off or no such detector is registered.
        """
        if not self.enabled:
            return ""
        with reached(self.address):
            model = of_medium(MODEL_NAME, medium)
            return self._move_champion(self.client(), model, content_hash, reasons)

    def _move_champion(
        self, client: "MlflowClient", model: str, content_hash: str, reasons: Sequence[str]
    ) -> str:
        found = [
            version
            for version in client.search_model_versions(f"name = '{model}'")
            if version.tags.get("content_hash") == content_hash
        ]
        if not found:
            return ""
        newest = max(found, key=lambda version: int(version.version))
        client.set_registered_model_alias(model, "champion", newest.version)
        if reasons:
            text = "\n".join(reasons)[:5000]
            client.set_model_version_tag(model, newest.version, "released_because", text)
        return str(newest.version)

    def evaluation(
        self,
        detector: str,
        domain: str,
        version: str,
        flat: Mapping[str, Any],
        folder: Path,
        manifest: str = "",
    ) -> str:
        """Records one detector on one domain, with its figures; the run's id."""
        return self.record(
            f"domain_metrics {detector} {domain} {version}",
            lambda: Record(
                name=f"{detector} on {domain}",
                params={"detector": detector, "domain": domain, "split": flat["split"]},
                metrics=_numbers(flat),
                headline={
                    f"{metric}/{detector}/{domain}": (0, flat[metric])
                    for metric in ("auc", "laundered_auc")
                    if flat.get(metric) is not None
                },
                tags={"detector": detector, "content_hash": flat["detector_hash"]},
                datasets={domain: manifest} if manifest else {},
                files={"evaluation": folder},
            ),
        )

    def _write(self, key: str, record: Record) -> str:
        client = self.client()
        experiment = self._experiment(client)
        if not self._parent and self._run is not None and self._instance is not None:
            self._parent = open_parent(
                client, experiment, self._run, self._instance, self.dagster_pages
            )
        return write_run(client, experiment, key, record, self._parent)

    def _once(self, key: str, write: Callable[[str], str]) -> str:
        """What `write` returned when it was first called for `key`; "" when tracking is off.

        An artefact that is kept is not recorded again, and one whose run was killed between
        artefact and record is recorded by the next run: under the name that `write` is given, so
        that what the killed one began is finished.
        """
        if not self.enabled:
            return ""
        step = Step("mlflow", {"record": key}, {"address": self.address}, "2")

        def note(path: Path) -> dict[str, Any]:
            with reached(self.address):
                path.write_text(write(step.key), encoding="utf-8")
            return {}

        return ensure(self.folder / "recorded" / step.key, step, note).path.read_text("utf-8")

    def _experiment(self, client: "MlflowClient") -> str:
        return experiment_of(client, self.address, self.folder / "artifacts")


def _numbers(flat: Mapping[str, Any]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in flat.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
