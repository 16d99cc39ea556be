"""Log Analytics' query API: `POST /v1/workspaces/{id}/query` and its resource-scoped sister.

Replies have the shapes of facts/logs.md section 1, awkward ones included: 204 without a body while the workspace has no
data, 200 with both tables and an error when the answer was cut, 200 with an empty body when the request is no JSON.
A query runs in a thread, so a slow one never holds up the rest of the cloud.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from localcloud.monitor import kql
from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.kql_errors import QueryRefused
from localcloud.monitor.store import TableStore
from localcloud.monitor.timespans import interval
from localcloud.seams import Json
from localcloud.settings import Settings


class LogsApi:
    """The two query routes over one workspace's tables."""

    def __init__(self, settings: Settings, store: TableStore) -> None:
        self._settings, self._store = settings, store

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Both routes; the more general one last."""
        router.add_post("/v1/workspaces/{workspace_id}/query", self.query_workspace)
        router.add_post("/v1/{resource:subscriptions/.+}/query", self.query_resource)

    async def query_workspace(self, request: web.Request) -> web.Response:
        """A query over the whole workspace."""
        require_bearer(request)
        if request.match_info["workspace_id"].lower() != self._settings.log_analytics_workspace_id:
            message = f"The workspace {request.match_info['workspace_id']} could not be found"
            return _refusal(QueryRefused(404, "PathNotFoundError", message))
        return await self._answer(request, resource_id=None)

    async def query_resource(self, request: web.Request) -> web.Response:
        """A query over one resource's rows; a Log Analytics workspace as the resource means all of them."""
        require_bearer(request)
        resource_id = "/" + request.match_info["resource"].lower().rstrip("/")
        whole = "/providers/microsoft.operationalinsights/workspaces/" in resource_id
        return await self._answer(request, None if whole else resource_id)

    async def _answer(self, request: web.Request, resource_id: str | None) -> web.Response:
        body = await _json_body(request)
        if body is None:
            return web.Response(status=200)
        if not self._store.has_data():
            return web.Response(status=204)
        try:
            scope = self._scope(body.get("timespan"), resource_id)
        except ValueError as error:
            return _refusal(QueryRefused(400, "BadArgumentError", f"timespan: {error}"))
        started = time.perf_counter()
        try:
            answer = await asyncio.to_thread(
                kql.run, self._store, str(body.get("query", "")), scope, self._settings.log_row_limit
            )
        except QueryRefused as error:
            return _refusal(error)
        wanted = request.headers.get("Prefer", "")
        reply = _reply(answer, self._settings.log_row_limit)
        if "include-statistics=true" in wanted:
            seconds = time.perf_counter() - started
            reply["statistics"] = {"query": {"executionTime": seconds, "datasetStatistics": []}}
        if "include-render=true" in wanted:
            reply["render"] = {"visualization": None}
        return await _json_response(reply)

    def _scope(self, timespan: str | None, resource_id: str | None) -> kql.Scope:
        return kql.Scope(
            timespan=interval(timespan, self._store.clock()) if timespan else None,
            resource_id=resource_id,
            mirrored_traffic=self._settings.mirrored_rows_in_traffic_log,
            classic_names="/providers/microsoft.insights/components/" in (resource_id or ""),
        )


async def _json_body(request: web.Request) -> Json | None:
    if request.content_type != "application/json":
        return None
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _reply(answer: kql.Answer, limit: int) -> Json:
    columns = [{"name": name, "type": kind} for name, kind in answer.columns]
    reply: Json = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": answer.rows}]}
    if answer.cut:
        reply["error"] = _partial_error(limit)
    return reply


def _partial_error(limit: int) -> Json:
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [
            {
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server.",
                "innererror": {
                    "code": "-2133196797",
                    "message": f"The results of this query exceed the set limit of {limit} records (or 64000000 "
                    "bytes), so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See "
                    "https://aka.ms/kustoquerylimits for more information and possible solutions.",
                    "severity": 2,
                    "severityName": "Error",
                },
            }
        ],
    }


async def _json_response(reply: Any) -> web.Response:
    # Half a million rows take a while to write as JSON: not on the event loop.
    text = await asyncio.to_thread(json.dumps, reply, separators=(",", ":"))
    return web.Response(text=text, content_type="application/json")


def _refusal(error: QueryRefused) -> web.Response:
    return web.json_response(error.body(), status=error.status)
