"""Application Insights ingestion: `POST /v2.1/track` and `/v2/track`, as a JSON array or ndjson, gzip or not.

No token: the instrumentation key in each envelope is the key, and a wrong one is refused per item. 200 when all items
were taken, 206 when some were, 400 when none was. Metrics go to the metrics store as well, which leaves out those that
are too old for it without a word.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib

from aiohttp import web

from localcloud.monitor import breeze, telemetry_metrics
from localcloud.monitor.custom_metrics import CustomMetrics
from localcloud.monitor.store import TableStore
from localcloud.seams import Json
from localcloud.settings import Settings


class IngestionApi:
    """The telemetry routes of one Application Insights component."""

    def __init__(self, settings: Settings, store: TableStore, custom: CustomMetrics) -> None:
        self._store, self._custom = store, custom
        self._with_dimensions = settings.custom_metric_dimensions
        self._key = settings.instrumentation_key.lower()
        self.resource_id = (
            f"/subscriptions/{settings.subscription_id}/resourcegroups/{settings.resource_group}"
            f"/providers/microsoft.insights/components/{settings.workspace}"
        ).lower()

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Both versions of the path take the same bodies."""
        # The exporter appends "/v2.1/track" to an IngestionEndpoint that, as Azure writes it, ends with a slash.
        router.add_post("/{slash:/?}v2.1/track", self.track)
        router.add_post("/{slash:/?}v2/track", self.track)

    async def track(self, request: web.Request) -> web.Response:
        """Take the envelopes of one request."""
        try:
            envelopes = _envelopes(await request.read())
        except (ValueError, OSError, EOFError, zlib.error) as error:
            errors: list[Json] = [{"index": 0, "statusCode": 400, "message": f"the body cannot be read: {error}"}]
            return web.json_response({"itemsReceived": 0, "itemsAccepted": 0, "errors": errors}, status=400)
        errors = []
        for index, envelope in enumerate(envelopes):
            if message := self._take(envelope):
                errors.append({"index": index, "statusCode": 400, "message": message})
        accepted = len(envelopes) - len(errors)
        status = 200 if not errors else 206 if accepted else 400
        body = {"itemsReceived": len(envelopes), "itemsAccepted": accepted, "errors": errors}
        return web.json_response(body, status=status)

    def _take(self, envelope: Json) -> str | None:
        """Keep one envelope's rows; why not, when it is refused."""
        if not isinstance(envelope, dict):
            return "not a JSON object"
        if str(envelope.get("iKey", "")).lower() != self._key:
            return "Invalid instrumentation key"
        try:
            table, rows = breeze.rows(envelope, self.resource_id, self._store.clock())
            self._store.append(table, rows)
            self._keep_metrics(envelope)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return str(error)
        return None

    def _keep_metrics(self, envelope: Json) -> None:
        time = str(envelope.get("time") or self._store.clock().isoformat())
        for document in telemetry_metrics.documents(envelope, time, self._with_dimensions):
            with contextlib.suppress(ValueError):
                self._custom.publish(self.resource_id, document)


def _envelopes(body: bytes) -> list[Json]:
    # aiohttp has already undone a declared Content-Encoding; some senders gzip without declaring it.
    if body.startswith(b"\x1f\x8b"):
        body = gzip.decompress(body)
    text = body.decode()
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]
