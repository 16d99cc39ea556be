"""Log Analytics' query API: `POST /v1/workspaces/{id}/query`, its resource-scoped sister, and deprecated `/v1/$batch`.

Replies have the shapes of facts/logs.md section 1, awkward ones included: 204 without a body while the workspace has no
data, 200 with both tables and an error when the answer was cut, 200 with an empty body when the request is no JSON.
A query runs in a thread, so a slow one never holds up the rest of the cloud.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from localcloud.faults import Faults
from localcloud.monitor import kql
from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.kql_errors import QueryRefused
from localcloud.monitor.log_replies import GATEWAY_PAGE, RESULT_TOO_LARGE, partial_error, rows_reply
from localcloud.monitor.query_quota import QueryQuota
from localcloud.monitor.store import TableStore
from localcloud.monitor.timespans import interval
from localcloud.seams import Json
from localcloud.settings import Settings

_DEFAULT_WAIT = 180.0


@dataclass(frozen=True)
class Query:
    """One query, by whichever route it came."""

    body: Json
    prefer: str
    caller: str
    workspace_id: str | None = None
    resource_id: str | None = None
    """Lower-case ARM id of a resource-scoped query."""

    @property
    def text(self) -> str:
        """The KQL."""
        return str(self.body.get("query", ""))

    @property
    def workspaces(self) -> list[str]:
        """The workspace of the path and those of the body; here is only one."""
        named = [self.workspace_id] if self.workspace_id is not None else []
        return [*named, *(str(one) for one in self.body.get("workspaces") or ())]


@dataclass(frozen=True)
class Outcome:
    """A reply before it is written: a body, or a text that is no JSON, or neither."""

    status: int
    body: Json | None = None
    text: str = ""


class LogsApi:
    """The query routes over one workspace's tables."""

    def __init__(self, settings: Settings, store: TableStore, faults: Faults) -> None:
        self._settings, self._store, self._faults = settings, store, faults
        self._quota = QueryQuota(settings)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """All routes; the most general one last."""
        router.add_post("/v1/workspaces/{workspace_id}/query", self.query_workspace)
        router.add_post("/v1/$batch", self.query_batch)
        router.add_post("/v1/{resource:subscriptions/.+}/query", self.query_resource)

    async def query_workspace(self, request: web.Request) -> web.Response:
        """A query over the whole workspace."""
        return await self._reply(request, workspace_id=request.match_info["workspace_id"])

    async def query_resource(self, request: web.Request) -> web.Response:
        """A query over one resource's rows; a Log Analytics workspace as the resource means all of them."""
        resource_id = "/" + request.match_info["resource"].lower().rstrip("/")
        whole = "/providers/microsoft.operationalinsights/workspaces/" in resource_id
        return await self._reply(request, resource_id=None if whole else resource_id)

    async def query_batch(self, request: web.Request) -> web.Response:
        """Several workspace queries in one request; the answers come in an order of their own."""
        caller = require_bearer(request)
        body = await _json_body(request)
        if body is None:
            return web.Response(status=200)
        parts: list[Json] = [part for part in body.get("requests") or () if isinstance(part, dict)]
        queries = [
            Query(part.get("body") or {}, _prefer(part), caller, workspace_id=str(part.get("workspace")))
            for part in parts
        ]
        outcomes = await asyncio.gather(*(self._outcome(query) for query in queries))
        responses = [
            {"id": part.get("id"), "status": outcome.status, "headers": {}, "body": outcome.body or {}}
            for part, outcome in zip(parts, outcomes, strict=True)
        ]
        return await _json_response(Outcome(200, {"responses": responses[::-1]}))

    async def _reply(self, request: web.Request, **scope: str | None) -> web.Response:
        caller = require_bearer(request)
        body = await _json_body(request)
        if body is None:
            return web.Response(status=200)
        return await _json_response(
            await self._outcome(Query(body, request.headers.get("Prefer", ""), caller, **scope))
        )

    async def _outcome(self, query: Query) -> Outcome:
        for asked in query.workspaces:
            if asked.lower() != self._settings.log_analytics_workspace_id:
                missing = f"The workspace {asked} could not be found"
                return Outcome(404, QueryRefused(404, "PathNotFoundError", missing).body())
        if (instead := self._instead(query)) is not None:
            return instead
        try:
            async with self._quota.place(query.caller):
                return await self._answer(query)
        except QueryRefused as error:
            return Outcome(error.status, error.body())

    def _instead(self, query: Query) -> Outcome | None:
        """The awkward reply that stands in place of an answer, by order or because there are no rows yet."""
        if self._faults.take("logs.empty_204", query.text) is not None or not self._store.has_data():
            return Outcome(204)
        if self._faults.take("logs.empty_200", query.text) is not None:
            return Outcome(200)
        if (page := self._faults.take("logs.html", query.text)) is not None:
            return Outcome(int(page.get("status", 502)), text=GATEWAY_PAGE)
        return None

    async def _answer(self, query: Query) -> Outcome:
        started = time.perf_counter()
        limits = self._limits(query)
        answer = await asyncio.to_thread(kql.run, self._store, query.text, self._scope(query), limits)
        reply = rows_reply(answer, limits)
        if (partial := self._faults.take("logs.partial", query.text)) is not None:
            kept = int(partial.get("rows", len(answer.rows) // 2))
            reply = rows_reply(replace(answer, rows=answer.rows[:kept]), limits)
            reply["error"] = partial_error(limits, str(partial.get("code", RESULT_TOO_LARGE)))
        if "include-statistics=true" in query.prefer:
            seconds = time.perf_counter() - started
            reply["statistics"] = {"query": {"executionTime": seconds, "datasetStatistics": []}}
        if "include-render=true" in query.prefer:
            reply["render"] = {"visualization": None}
        return Outcome(200, reply)

    def _limits(self, query: Query) -> kql.Limits:
        asked = re.search(r"wait=(\d+)", query.prefer)
        seconds = min(float(asked[1]) if asked else _DEFAULT_WAIT, self._settings.log_query_seconds)
        return kql.Limits(self._settings.log_row_limit, self._settings.log_byte_limit, seconds)

    def _scope(self, query: Query) -> kql.Scope:
        timespan = query.body.get("timespan")
        try:
            between = interval(timespan, self._store.clock()) if timespan else None
        except ValueError as error:
            raise QueryRefused(400, "BadArgumentError", f"timespan: {error}") from error
        return kql.Scope(
            timespan=between,
            resource_id=query.resource_id,
            mirrored_traffic=self._settings.mirrored_rows_in_traffic_log,
            classic_names="/providers/microsoft.insights/components/" in (query.resource_id or ""),
        )


def _prefer(part: Json) -> str:
    headers = part.get("headers") or {}
    return str(headers.get("Prefer") or "")


async def _json_body(request: web.Request) -> Json | None:
    if request.content_type != "application/json":
        return None
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


async def _json_response(outcome: Outcome) -> web.Response:
    if outcome.text:
        return web.Response(status=outcome.status, text=outcome.text, content_type="text/html")
    if outcome.body is None:
        return web.Response(status=outcome.status)
    # Half a million rows take a while to write as JSON: not on the event loop.
    text = await asyncio.to_thread(_written, outcome.body)
    return web.Response(status=outcome.status, text=text, content_type="application/json")


def _written(body: Any) -> str:
    return json.dumps(body, separators=(",", ":"))
