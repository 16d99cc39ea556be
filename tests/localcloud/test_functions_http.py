"""HTTP functions of the local Functions host: keys, routes, and what reaches the function."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest

from tests.localcloud.echo import Echo


@pytest.fixture
def key(echo: Echo) -> dict[str, str]:
    return {"x-functions-key": echo.stack.env["FUNCTIONS_KEY"]}


@pytest.fixture
def master(echo: Echo) -> dict[str, str]:
    return {"x-functions-key": echo.stack.env["FUNCTIONS_MASTER_KEY"]}


def test_a_function_gets_method_query_route_values_and_body(echo: Echo, key: dict[str, str]) -> None:
    answer = echo.call("POST", "/api/echo/a%20b?x=1&empty=", body=b"hello", headers={**key, "X-Mixed": "Yes"})

    assert answer.status == 200
    assert answer.headers["x-echo"] == "1"
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json["method"] == "POST"
    assert answer.json["route"] == {"name": "a b"}
    assert answer.json["params"] == {"x": "1"}
    assert answer.json["headers"]["x-mixed"] == "Yes"
    assert answer.json["body"] == "hello"


def test_a_body_sent_in_chunks_arrives_empty_as_on_azure(echo: Echo, key: dict[str, str]) -> None:
    connection = http.client.HTTPConnection(urlsplit(echo.stack.env["FUNCTIONS_URL"]).netloc, timeout=30)
    connection.request("POST", "/api/echo/x", body=iter([b"hel", b"lo"]), headers=key, encode_chunked=True)
    answer = connection.getresponse().read()
    connection.close()

    assert b'"body": ""' in answer


def test_a_route_of_literals_is_tried_before_one_with_parameters(echo: Echo, key: dict[str, str]) -> None:
    assert echo.call("GET", "/api/ECHO/literal", headers=key).body == b"literal"


def test_the_key_may_come_in_the_query(echo: Echo, key: dict[str, str]) -> None:
    assert echo.call("GET", f"/api/echo/x?code={key['x-functions-key']}").status == 200


def test_the_header_wins_over_the_query(echo: Echo, key: dict[str, str]) -> None:
    answer = echo.call("GET", f"/api/echo/x?code={key['x-functions-key']}", headers={"x-functions-key": "wrong"})
    assert answer.status == 401


def test_without_a_key_or_with_a_system_key_the_function_does_not_open(echo: Echo) -> None:
    system_key = {"x-functions-key": echo.stack.env["EVENTGRID_KEY"]}
    assert echo.call("GET", "/api/echo/x").status == 401
    assert echo.call("GET", "/api/echo/x", headers=system_key).status == 401


def test_a_functions_own_key_opens_that_function_only(echo: Echo, master: dict[str, str]) -> None:
    keys = echo.call("GET", "/admin/functions/echo/keys", headers=master).json
    own = {"x-functions-key": keys["keys"][0]["value"]}
    assert echo.call("GET", "/api/echo/x", headers=own).status == 200
    assert echo.call("GET", "/api/fails", headers=own).status == 401


def test_an_anonymous_function_needs_no_key(echo: Echo) -> None:
    assert echo.call("GET", "/api/open").body == b"anonymous"


def test_an_admin_function_opens_to_the_master_key_only(
    echo: Echo, key: dict[str, str], master: dict[str, str]
) -> None:
    assert echo.call("GET", "/api/operators", headers=key).status == 401
    assert echo.call("GET", "/api/operators", headers=master).body == b"operators"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/echo/x"), ("GET", "/api/none"), ("GET", "/echo/x")])
def test_a_wrong_method_or_path_is_not_found(echo: Echo, key: dict[str, str], method: str, path: str) -> None:
    assert echo.call(method, path, headers=key).status == 404


@pytest.mark.parametrize("path", ["/api/fails", "/api/returns-none"])
def test_a_function_that_raises_or_returns_nothing_is_a_500(echo: Echo, key: dict[str, str], path: str) -> None:
    assert echo.call("GET", path, headers=key).status == 500


def test_a_route_that_begins_with_admin_is_refused_and_the_others_run(
    echo: Echo, key: dict[str, str], master: dict[str, str]
) -> None:
    assert echo.call("GET", "/api/administration", headers=key).status == 404
    status = echo.call("GET", "/admin/functions/reserved/status", headers=master)
    assert "conflicts with one or more built in routes" in status.json["errors"][0]


def test_the_host_tells_its_state_to_the_master_key_only(
    echo: Echo, key: dict[str, str], master: dict[str, str]
) -> None:
    assert echo.call("GET", "/admin/host/ping").status == 200
    assert echo.call("GET", "/admin/host/status", headers=key).status == 401
    assert echo.call("GET", "/admin/host/status", headers=master).json["state"] == "Running"


def test_no_key_of_the_stack_is_ever_logged(echo: Echo, key: dict[str, str]) -> None:
    echo.call("GET", f"/api/echo/x?code={key['x-functions-key']}")
    names = ("FUNCTIONS_KEY", "FUNCTIONS_MASTER_KEY", "EVENTGRID_KEY", "IDENTITY_HEADER")
    logs = "".join(path.read_text() for path in echo.stack.logs.iterdir())
    assert not [name for name in names if echo.stack.env[name] in logs]
