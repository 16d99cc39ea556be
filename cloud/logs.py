"""KQL against a Log Analytics workspace: all rows of an answer, or an error word; never a cut answer.

azure-monitor-query answers 200 with part of the rows, and fails with JSON errors on the service's empty answers; both
are turned into error words here. It is told not to retry by itself (it would run a ten-minute query four times after
a 504, and not at all after a 502): the caller asks again, from a later look or from the queue.
Limits of one query: 500,000 rows, about 64 MB, 10 minutes (learn.microsoft.com/azure/azure-monitor/service-limits).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from cloud.errors import Temporary, mapped

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.monitor.query import LogsQueryClient, LogsQueryPartialResult, LogsTable

AUDIENCE = "https://api.loganalytics.io"
LONGEST_SECONDS = 600.0
"""What the service allows one query (`Prefer: wait=600`)."""
ANSWER_SECONDS = 20.0
"""Given to the answer itself, beyond the time that the query may run."""
NO_DATA_SECONDS = 60.0
TIMEOUT_STATUSES = (408, 504)


class PartialResult(Temporary):
    """The service gave only some of the rows: ask for less at once, then again."""


class TimedOut(Temporary):
    """The query ran out of the time it was given: asking for less, or later, may help."""


class NoData(Temporary):
    """The workspace holds no data at all yet: nobody sent it any, or it is only just made."""


class Logs:
    """Queries by workspace id (the GUID) at one endpoint of the Log Analytics query API."""

    def __init__(self, url: str, credential: TokenCredential, *, audience: str = AUDIENCE) -> None:
        self._url, self._credential, self._audience = url, credential, audience
        self._client: LogsQueryClient | None = None

    def query(
        self, workspace_id: str, kql: str, since: datetime, until: datetime, *, timeout: float = 60.0
    ) -> list[dict[str, Any]]:
        """The rows of the first table whose TimeGenerated lies in [since, until], as one dict each.

        Values as the SDK gives them: aware datetimes (cut to microseconds), `dynamic` as JSON text, a null guid or
        timespan as the text "None", a NaN as the text "NaN". PartialResult when rows are missing, TimedOut when
        the query took too long, Temporary when the service did not answer or has no data yet, Permanent for a query
        or a permission that must be changed.
        """
        from azure.core.exceptions import HttpResponseError, ServiceResponseTimeoutError
        from azure.monitor.query import LogsQueryPartialResult

        seconds = int(min(max(timeout, 1.0), LONGEST_SECONDS))
        empty: list[bool] = []
        with mapped(f"querying workspace {workspace_id}"):
            try:
                answer = self._service().query_workspace(
                    workspace_id,
                    kql,
                    timespan=(since, until),
                    server_timeout=seconds,
                    read_timeout=seconds + ANSWER_SECONDS,
                    raw_response_hook=lambda reply: empty.append(_is_empty(reply.http_response)),
                )
            except ServiceResponseTimeoutError as error:
                raise TimedOut(f"querying workspace {workspace_id}: no answer within {seconds} s") from error
            except HttpResponseError as error:
                if error.status_code not in TIMEOUT_STATUSES:
                    raise
                raise TimedOut(
                    f"querying workspace {workspace_id}: {error.status_code} not done within {seconds} s"
                ) from error
            except (ValueError, AttributeError, TypeError) as error:
                # 204 and 200 without a body (a workspace without data), or a proxy's HTML page: the SDK reads on.
                raise (NoData if empty[-1:] == [True] else Temporary)(
                    f"querying workspace {workspace_id}: the answer holds no result yet ({error})",
                    retry_after=NO_DATA_SECONDS,
                ) from error
        if isinstance(answer, LogsQueryPartialResult):
            raise PartialResult(f"querying workspace {workspace_id}: {_reason(answer)}")
        return _rows(answer.tables[0]) if answer.tables else []

    def _service(self) -> LogsQueryClient:
        if self._client is None:
            from azure.monitor.query import LogsQueryClient

            self._client = LogsQueryClient(
                self._credential,
                endpoint=self._url,
                audience=self._audience,
                connection_timeout=5,
                retry_total=1,
                retry_connect=1,
                retry_read=0,
                retry_status=0,
            )
        return self._client


def _is_empty(reply: Any) -> bool:
    status, length = int(reply.status_code), reply.headers.get("Content-Length")
    return status == 204 or (status == 200 and length == "0")


def _rows(table: LogsTable) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _reason(answer: LogsQueryPartialResult) -> str:
    """Why rows are missing: the message that names the limit sits in the details; the top one is only generic."""
    error = answer.partial_error
    if error is None:
        return "only some of the rows were given"
    for detail in error.details or []:
        inner = detail.get("innererror") or {}
        if text := inner.get("message") or detail.get("message"):
            return str(text)
    return str(error.message)
