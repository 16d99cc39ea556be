"""Log Analytics' awkward answers become one of two words, and a cut answer never becomes rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from cloud.errors import NotFound, Permanent, Temporary
from cloud.logs import Logs, NoData, PartialResult
from tests.cloud.wire import Reply, Wire

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}


class Token:
    """Any token will do here; the audience that is asked for is what matters."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes += scopes
        return AccessToken("token", 4_102_444_800)


def ask(wire: Wire, reply: Reply) -> list[dict[str, Any]]:
    wire.reply = reply
    return Logs(wire.url, Token()).query("workspace", "T", NOON, NOON + timedelta(hours=1))


def answer(**more: Any) -> Reply:
    columns = [{"name": "TimeGenerated", "type": "datetime"}, {"name": "n", "type": "long"}]
    table = {"name": "PrimaryResult", "columns": columns, "rows": [["2026-11-21T12:00:00.1234567Z", 3]]}
    return Reply(200, json.dumps({"tables": [table], **more}).encode(), JSON)


def test_rows_come_as_dicts_with_aware_times(wire: Wire) -> None:
    assert ask(wire, answer()) == [{"TimeGenerated": NOON.replace(microsecond=123456), "n": 3}]
    assert wire.asked == ["/v1/workspaces/workspace/query"]


def test_the_token_is_for_log_analytics_wherever_the_endpoint_is(wire: Wire) -> None:
    token = Token()
    wire.reply = answer()
    Logs(wire.url, token).query("workspace", "T", NOON, NOON)
    assert token.scopes == ["https://api.loganalytics.io/.default"]


def test_a_cut_answer_is_no_rows_but_the_reason(wire: Wire) -> None:
    reason = "The results of this query exceed the set limit of 500000 records"
    details = [{"code": "EngineError", "message": "generic", "innererror": {"message": reason}}]
    error = {"code": "PartialError", "message": "There were some errors.", "details": details}
    with pytest.raises(PartialResult, match="500000 records"):
        ask(wire, answer(error=error))


@pytest.mark.parametrize(
    "reply",
    [
        Reply(204),
        Reply(200),
        Reply(200, b"<html>a proxy</html>", {"Content-Type": "text/html"}),
        Reply(500, b"<html>no</html>", {"Content-Type": "text/html"}),
        Reply(502),
        Reply(503, b"{}", JSON),
        Reply(504, b'{"error":{"code":"GatewayTimeout","message":"slow"}}', JSON),
        Reply(529, b"{}", JSON),
        Reply(429, b'{"error":{"code":"ThrottledError","message":"slow down"}}', JSON),
    ],
    ids=lambda reply: f"{reply.status}-{reply.body[:6]!r}",
)
def test_no_answer_is_temporary_and_asked_only_once(wire: Wire, reply: Reply) -> None:
    with pytest.raises(Temporary):
        ask(wire, reply)
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("reply", "no_data"),
    [
        (Reply(204), True),
        (Reply(200), True),
        (Reply(200, b"<html>", {"Content-Type": "text/html"}), False),
        (Reply(503), False),
    ],
)
def test_a_workspace_without_any_data_is_told_from_one_that_does_not_answer(
    wire: Wire, reply: Reply, no_data: bool
) -> None:
    with pytest.raises(Temporary) as raised:
        ask(wire, reply)
    assert isinstance(raised.value, NoData) == no_data


def test_the_time_that_the_service_asks_for_is_passed_on(wire: Wire) -> None:
    with pytest.raises(Temporary) as raised:
        ask(wire, Reply(429, b"{}", {**JSON, "Retry-After": "7"}))
    assert raised.value.retry_after == 7
    assert len(wire.asked) == 1


@pytest.mark.parametrize(("status", "word"), [(400, Permanent), (401, Permanent), (403, Permanent), (404, NotFound)])
def test_what_somebody_must_change_is_permanent(wire: Wire, status: int, word: type[Permanent]) -> None:
    body = {"error": {"code": "BadArgumentError", "message": "bad", "innererror": {"code": "SemanticError"}}}
    with pytest.raises(word, match=str(status)):
        ask(wire, Reply(status, json.dumps(body).encode(), JSON))
