"""Serving a scikit-learn model that has no scoring script of its own.

Takes `{"data": [{feature: value, ...}, ...]}` and answers `{"predictions": [...]}`: the probability of the second
class when the model is a two-class classifier that has one, else what it predicts. Logs as the example scenario's
script does (facts: example-scenario), except that the request id is the service's own x-request-id, so that console
lines can be joined to the traffic log. A record is kept below 8 KB: longer ones become parts, each valid by itself.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_LOG = logging.getLogger()
_LARGEST_RECORD = 8_000
_ENVELOPE = 300


class DefaultScorer:
    """A pickled scikit-learn estimator."""

    def __init__(self, file: Path, service_name: str) -> None:
        import joblib

        self._model = joblib.load(file)
        self._service = service_name
        self._columns = [str(name) for name in getattr(self._model, "feature_names_in_", ())]
        classes = getattr(self._model, "classes_", ())
        self._probability = hasattr(self._model, "predict_proba") and len(classes) == 2
        self._log({"type": "InitializeService"})

    def run(self, raw: str, headers: Mapping[str, str]) -> Any:
        """Score and log; what goes wrong is logged as an Exception record and raised."""
        request_id = next((value for name, value in headers.items() if name.lower() == "x-request-id"), "")
        try:
            rows = json.loads(raw)["data"]
            predictions = self.predict(self._table(rows))
        except Exception as error:
            self._log({"type": "Exception", "request_id": request_id, "error": repr(error)})
            raise
        self._log_rows(request_id, rows, predictions)
        return {"predictions": predictions}

    def predict(self, table: Any) -> list[Any]:
        """Predictions as plain numbers or strings."""
        answer = self._model.predict_proba(table)[:, 1] if self._probability else self._model.predict(table)
        return list(answer.tolist())

    def _table(self, rows: list[Any]) -> Any:
        if not self._columns:
            return [list(row.values()) if isinstance(row, dict) else row for row in rows]
        import pandas

        if rows and not isinstance(rows[0], dict):
            return pandas.DataFrame(rows, columns=self._columns)
        # Built by column: many times faster than letting pandas find out about a list of dicts.
        return pandas.DataFrame({name: [row[name] for row in rows] for name in self._columns})

    def _log_rows(self, request_id: str, rows: list[Any], predictions: list[Any]) -> None:
        parts = list(_parts([json.dumps(row) for row in rows]))
        start = 0
        for number, texts in enumerate(parts, start=1):
            part = {"part": number, "parts": len(parts)} if len(parts) > 1 else {}
            chosen = predictions[start : start + len(texts)]
            start += len(texts)
            data = "[" + ", ".join(texts) + "]"
            self._log({"type": "InputData", "request_id": request_id, "data": data, **part})
            self._log({"type": "OutputData", "request_id": request_id, "data": chosen, **part})

    def _log(self, record: dict[str, Any]) -> None:
        _LOG.info(json.dumps({"service_name": self._service, **record}))


class MlflowScorer(DefaultScorer):
    """An MLflow folder, scikit-learn flavour: also takes `{"input_data": ...}`, answered with a bare list.

    As on Azure, nothing is logged for that shape, and the answer is what `predict` says.
    """

    def __init__(self, mlmodel: Path, service_name: str) -> None:
        from ruamel.yaml import YAML

        flavors = YAML(typ="safe").load(mlmodel.read_text()).get("flavors", {})
        try:
            file = flavors["sklearn"]["pickled_model"]
        except (KeyError, TypeError):
            raise ValueError(f"{mlmodel}: only MLflow's scikit-learn flavour is served here.") from None
        super().__init__(mlmodel.parent / file, service_name)

    def run(self, raw: str, headers: Mapping[str, str]) -> Any:
        """Score a request in MLflow's shape, or in the default one."""
        body = json.loads(raw)
        if "input_data" not in body:
            return super().run(raw, headers)
        given = body["input_data"]
        if isinstance(given, dict) and "data" in given:
            import pandas

            table = pandas.DataFrame(given["data"], columns=given.get("columns"), index=given.get("index"))
        else:
            table = self._table(given)
        return list(self._model.predict(table).tolist())


def _parts(texts: list[str]) -> Iterator[list[str]]:
    """The rows' JSON texts in groups, each small enough for one record once it is quoted inside it."""
    group: list[str] = []
    size = _ENVELOPE
    for text in texts:
        length = len(text) + text.count('"') + text.count("\\") + 2
        if group and size + length > _LARGEST_RECORD:
            yield group
            group, size = [], _ENVELOPE
        group.append(text)
        size += length
    if group:
        yield group
