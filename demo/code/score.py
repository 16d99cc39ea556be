"""The scoring script of every version, as Azure ML runs it: init() once, run() for each request.

It logs what the online-endpoint example scenario logs, with one difference: `request_id` is Azure's own
`x-request-id`, so that a request's rows can be joined with the traffic log.

A model folder may say that its model asks a customer store which serves only so many calls a second (`store` in
meta.json). Above that rate a call waits. Nobody notices in a shadow, which gets a fifth of the traffic: this is how
version 4 of the demo is good in every test and slow in production.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

import joblib

RATE_SECONDS = 3.0
"""The store's rate limit looks back so far."""

_log = logging.getLogger("score")
_calls: deque[float] = deque()
_model: Any = None
_store: dict[str, float] | None = None
_service = ""


def init() -> None:
    """Load the model; its name and version are the folders that Azure ML puts it into."""
    global _model, _store, _service
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    file = next(iter(sorted(folder.rglob("model.joblib"))), None)
    if file is None:
        raise FileNotFoundError(f"no model.joblib below {folder}")
    _model = joblib.load(file)
    _store = json.loads((file.parent / "meta.json").read_text()).get("store")
    _service = f"online/{folder.parent.name}/{folder.name}"
    _write("InitializeService")


def run(raw_data: str, request_headers: dict[str, str]) -> dict[str, list[float]]:
    """The probability of default of each row."""
    headers = {name.lower(): value for name, value in request_headers.items()}
    request_id = headers.get("x-request-id", "")
    try:
        rows = json.loads(raw_data)["data"]
        _write("InputData", request_id=request_id, data=json.dumps(rows))
        _ask_store()
        predictions = [round(float(chance), 6) for chance in _model.predict_proba(rows)[:, 1]]
        _write("OutputData", request_id=request_id, data=predictions)
    except Exception as error:
        _write("Exception", request_id=request_id, error=repr(error))
        raise
    return {"predictions": predictions}


def _ask_store() -> None:
    if _store is None:
        return
    now = time.monotonic()
    _calls.append(now)
    while _calls and _calls[0] < now - RATE_SECONDS:
        _calls.popleft()
    if len(_calls) > _store["calls_per_second"] * RATE_SECONDS:
        time.sleep(_store["wait_seconds"])


def _write(kind: str, **fields: Any) -> None:
    _log.info(json.dumps({"type": kind, "service_name": _service, **fields}))
