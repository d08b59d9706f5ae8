"""A detector as a model that `mlflow models serve` serves: an MLmodel, the detector, some code."""

import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

CODE = Path(__file__).with_name("served_detector.py")


def write_served(detector: Path, folder: Path) -> None:
    """Writes the model that holds a copy of a detector; `folder` is to be made.

    Args:
        detector: a folder as `deepward.detectors.save_detector` writes it.
        folder: gets `MLmodel`, the code, and the detector as `artifacts/detector`; must not exist.
    """
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory(prefix="deepward-") as scratch, warnings.catch_warnings():
        # An example would be tried out on the detector: seconds, for a signature that is fixed.
        warnings.filterwarnings("ignore", message=".*input example was not provided")
        # MLflow takes an address, follows no link, and spoils the signs that a name may hold.
        plain = Path(scratch, "detector")
        shutil.copytree(detector, plain)
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(CODE),  # models from code: run when it is loaded, never unpickled
            artifacts={"detector": plain.as_uri()},
            signature=_signature(),
            # Deepward comes from a checkout: by its name an index would give somebody else's.
            pip_requirements=[],
        )


def _signature() -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    def text(name: str, required: bool = True) -> ColSpec:
        return ColSpec(DataType.string, name, required)

    def number(name: str, required: bool) -> ColSpec:
        return ColSpec(DataType.double, name, required)

    return ModelSignature(
        # A text, not bytes: bytes that are no base64 would refuse the whole request.
        inputs=Schema([text("picture"), text("name", required=False)]),
        outputs=Schema(
            [
                text("path"),
                text("verdict"),
                number("probability", required=False),
                number("threshold", required=True),
                text("reason"),
                number("unfamiliarity", required=False),
                ColSpec(Array(DataType.string), "notes"),
                text("detector"),
            ]
        ),
    )
