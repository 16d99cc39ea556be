"""The data collector inside a container: what comes and goes, as JSON lines in files that the cloud process uploads.

Two sources (facts: logs, section 5). The collections `request` and `response` are payloads and need no code. Any
other collection comes from the scoring script through azureml-ai-monitoring, which posts rows to the address that
AZUREML_MDC_HOST and AZUREML_MDC_PORT name and draws its samples itself. As on Azure, what comes close together becomes
one line under the first one's ids. Not here: payloads in blobs of their own (above 4 MB, or binary).
"""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Json = dict[str, Any]

LOG_PATH = "/modeldata/log"
PAYLOADS = ("request", "response")
_FOLDERS = {"minute": "%Y/%m/%d/%H/%M", "hour": "%Y/%m/%d/%H", "day": "%Y/%m/%d", "month": "%Y/%m", "year": "%Y"}
_TYPE = "azureml.inference."


@dataclass
class _Line:
    """A line in the making."""

    event: Json
    at: datetime
    rows: list[Any]
    size: int = 0
    timer: threading.Timer = field(init=False)


class Collector:
    """Of one container. Used from its event loop and from the threads that score."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        """`spec`: folder, instance, source, model_version, rolling, batch_seconds, collections {name: rate 0 to 1}."""
        self._spec, self._folder = spec, Path(spec["folder"])
        self._rates: Mapping[str, float] = spec["collections"]
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def environment(self, port: int) -> dict[str, str]:
        """What a scoring script's azureml-ai-monitoring reads; also writes the file that it names."""
        config = self._folder / "mdc-config.json"
        self._folder.mkdir(parents=True, exist_ok=True)
        collections = {
            name: {"enabled": True, "sampleRatePercentage": round(rate * 100)} for name, rate in self._rates.items()
        }
        config.write_text(json.dumps({"runMode": "cloud", "collections": collections}))
        return {
            "AZUREML_MDC_HOST": "127.0.0.1",
            "AZUREML_MDC_PORT": str(port),
            "AZUREML_MDC_CONFIG_PATH": str(config),
        }

    def log(self, headers: Mapping[str, str], body: str) -> str | None:
        """Take what a script posts; the reason when it cannot be taken."""
        given = {name.lower(): value for name, value in headers.items()}
        name = given.get("ce-type", "").removeprefix(_TYPE)
        if name not in self._rates:
            return f"Collection {name!r} is not enabled."
        try:
            rows = json.loads(body)
            at = datetime.fromtimestamp(float(given["ce-time"]), UTC)
        except (KeyError, ValueError) as error:
            return f"Not a JSON body with the header ce-time: {error}"
        more = {
            "modelversion": given.get("ce-model-version", self._spec["model_version"]),
            "collectdatatype": given.get("ce-collect-data-type", ""),
            "agent": given.get("ce-agent", ""),
        }
        self._take(name, rows, len(body), at, given.get("ce-x-request-id") or str(uuid.uuid4()), more)
        return None

    def payloads(self, request: str, response: str, request_id: str) -> None:
        """Take one request and its answer, each where its collection is on: drawn once for both."""
        dice, at = random.random(), datetime.now(UTC)
        for name, text in zip(PAYLOADS, (request, response), strict=True):
            if dice < self._rates.get(name, 0.0):
                try:
                    data, kind = json.loads(text), "application/json"
                except ValueError:
                    data, kind = text, "text/plain"
                more = {"path": "/score", "method": "POST", "datacontenttype": kind}
                more["modelversion"] = self._spec["model_version"]
                self._take(name, data, len(text.encode()), at, request_id, more)

    def flush(self) -> None:
        """Write what still waits for company."""
        for name in list(self._lines):
            self._write(name)

    def _take(self, name: str, data: Any, size: int, at: datetime, request_id: str, more: Json) -> None:
        rows = data if isinstance(data, list) else [data]
        with self._lock:
            if (line := self._lines.get(name)) is not None:
                line.rows += rows
                line.size += size
                return
            line = self._lines[name] = _Line(self._event(name, at, request_id, more), at, list(rows), size)
        line.timer = threading.Timer(self._spec["batch_seconds"], self._write, (name,))
        line.timer.daemon = True
        line.timer.start()

    def _event(self, name: str, at: datetime, request_id: str, more: Json) -> Json:
        return {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": self._spec["source"],
            "type": _TYPE + name,
            "datacontenttype": "application/json",
            "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "correlationid": request_id,
            "xrequestid": request_id,
            **more,
        }

    def _write(self, name: str) -> None:
        with self._lock:
            if (line := self._lines.pop(name, None)) is None:
                return
            ends = f"bytes 0-{max(0, line.size - 1)}/{line.size}"
            path = self._folder / name / line.at.strftime(_FOLDERS[self._spec["rolling"].lower()])
            path.mkdir(parents=True, exist_ok=True)
            with (path / f"{self._spec['instance']}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({**line.event, "contentrange": ends, "data": line.rows}) + "\n")
