"""The code of the registered model: MLflow copies this file beside the detector and runs it.

It needs nothing of this folder: `deepward` and MLflow are what must be installed where the model
is served. No pickle is written or read.
"""

import threading
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class ServedDetector(PythonModel):  # type: ignore[misc]
    """Base64 pictures in, verdicts out: the fields of `deepward score --json`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Reads the detector that lies among the model's artefacts, and checks that it is whole."""
        try:
            from deepward.detectors import load_detector
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error}. Serve this model where Deepward is installed: --env-manager local."
            ) from error
        self._detector = load_detector(context.artifacts["detector"])
        self._one = threading.Lock()  # at a time, so that requests share one bound of memory

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """One verdict per row; what cannot be judged gets its own, with the reason.

        Args:
            context: as MLflow gives it.
            model_input: `picture`, base64 of a file's bytes, and `name`, which may be left out.
            params: none are known.
        """
        from deepward.scoring import SentPicture, score_sent

        count = len(model_input)
        names = model_input["name"] if "name" in model_input else [None] * count
        sent = [
            SentPicture(picture, name if isinstance(name, str) else "")
            for picture, name in zip(model_input["picture"], names, strict=True)
        ]
        with self._one:
            return score_sent(self._detector, sent)


set_model(ServedDetector())
