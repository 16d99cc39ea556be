"""The bodies of Log Analytics' replies: rows, rows with an error beside them, and a gateway's page (facts/logs.md)."""

from __future__ import annotations

from localcloud.monitor.kql import Answer, Limits
from localcloud.seams import Json

RESULT_TOO_LARGE = "-2133196797"
GATEWAY_PAGE = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)


def rows_reply(answer: Answer, limits: Limits) -> Json:
    """The answer's table, with PartialError beside it when it was cut."""
    columns = [{"name": name, "type": kind} for name, kind in answer.columns]
    reply: Json = {"tables": [{"name": "PrimaryResult", "columns": columns, "rows": answer.rows}]}
    if answer.cut:
        reply["error"] = partial_error(limits)
    return reply


def partial_error(limits: Limits, code: str = RESULT_TOO_LARGE) -> Json:
    """What stands beside the rows of a cut answer."""
    message = (
        f"The results of this query exceed the set limit of {limits.rows} records (or {limits.bytes} bytes), so not "
        "all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See "
        "https://aka.ms/kustoquerylimits for more information and possible solutions."
    )
    if code != RESULT_TOO_LARGE:
        message = f"The query was stopped by the service ({code})."
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [
            {
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server.",
                "innererror": {"code": code, "message": message, "severity": 2, "severityName": "Error"},
            }
        ],
    }
