"""An online scoring script: init() once, run() for each request. It logs JSON lines as the example scenario's does."""

from __future__ import annotations

import json
import logging
import math
import os
import uuid
from pathlib import Path
from typing import Any

_log = logging.getLogger("score")
_model: dict[str, Any] = {}


def init() -> None:
    """Load the model."""
    _model.update(json.loads(next(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("model.json")).read_text()))
    _log.setLevel(logging.INFO)


def run(raw_data: str) -> dict[str, list[float]]:
    """The probability of each row."""
    rows, request_id = json.loads(raw_data)["data"], str(uuid.uuid4())
    _write("InputData", request_id, json.dumps(rows))
    predictions = [1 / (1 + math.exp(-_model["bias"] - _model["slope"] * row["AGE"])) for row in rows]
    _write("OutputData", request_id, predictions)
    return {"predictions": predictions}


def _write(kind: str, request_id: str, data: Any) -> None:
    line = {"service_name": os.environ["SERVICE_NAME"], "type": kind, "request_id": request_id, "data": data}
    _log.info(json.dumps(line))
