"""What the front does to large, many and compressed requests: delays told in trailers, 429, and plain bodies."""

from __future__ import annotations

import gzip
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from localcloud.scoring.bandwidth import Allowance
from tests.localcloud.scoring_stand import KEYS, Stand, eventually, scoring_stand

REQUEST, RESPONSE = "ms-azureml-bandwidth-request-delay-ms", "ms-azureml-bandwidth-response-delay-ms"
TEXT = b'{"a": 1}'


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Endpoints that carry 100 kB and 40 requests a second."""
    folder = tmp_path_factory.mktemp("limits")
    with scoring_stand(folder, bandwidth_bytes_per_second=100_000, requests_per_second=40) as running:
        yield running


def raw(stand: Stand, endpoint: str, body: bytes, *headers: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """(status line, headers, trailers) as they come over the wire."""
    uri = urlsplit(stand.serving.scoring_uri(endpoint))
    lines = [
        f"POST {uri.path} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Authorization: Bearer {KEYS[0]}",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    tls = ssl.create_default_context(cafile=str(stand.ca_file))
    with (
        socket.create_connection(("localhost", uri.port or 0), timeout=20) as connection,
        tls.wrap_socket(connection, server_hostname="localhost") as secured,
    ):
        secured.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        with secured.makefile("rb") as stream:
            head, _, rest = stream.read().partition(b"\r\n\r\n")
    first, *fields = head.decode().split("\r\n")
    _, _, tail = rest.rpartition(b"\r\n0\r\n")
    return first, _fields(fields), _fields(tail.decode().strip().split("\r\n")) if b"\r\n0\r\n" in rest else {}


def _fields(lines: list[str]) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_an_allowance_gives_one_second_at_once_and_then_makes_wait() -> None:
    allowance = Allowance(100)

    assert [allowance.use(100, 10.0), allowance.use(50, 10.0), allowance.use(0, 10.5)] == [0.0, 0.5, 0.0]
    assert allowance.use(100, 20.0) == 0.0
    assert Allowance(0).use(1e9, 10.0) == 0.0


def test_an_allowance_that_refuses_uses_nothing() -> None:
    allowance = Allowance(2)

    assert [allowance.admits(1, 10.0) for _ in range(4)] == [True, True, False, False]
    assert allowance.admits(1, 10.5)
    assert all(Allowance(0).admits(1, 10.0) for _ in range(10))


def test_an_endpoint_within_its_bandwidth_has_no_trailers(stand: Stand) -> None:
    stand.deploy("calm", "blue")
    stand.route("calm", {"blue": 100})

    first, headers, trailers = raw(stand, "calm", TEXT)

    assert first == "HTTP/1.1 200 OK"
    assert "content-length" in headers
    assert trailers == {}


def test_more_than_the_bandwidth_is_slowed_down_and_told_in_trailers_and_in_the_log(stand: Stand) -> None:
    stand.deploy("wide", "blue", "def init(): pass\ndef run(raw_data): return raw_data[:60000]\n")
    stand.route("wide", {"blue": 100})

    first, headers, trailers = raw(stand, "wide", b"x" * 120_000)

    assert first == "HTTP/1.1 200 OK"
    assert headers["trailer"] == f"{REQUEST}, {RESPONSE}"
    assert set(trailers) == {REQUEST, RESPONSE}
    assert int(trailers[REQUEST]) == pytest.approx(200, abs=30)
    assert 0 < int(trailers[RESPONSE]) <= 610
    [row] = eventually(lambda: stand.rows("TrafficLog", EndpointName="wide"))
    delays = (row["RequestThrottlingDelayMs"], row["ResponseThrottlingDelayMs"])
    assert delays == (int(trailers[REQUEST]), int(trailers[RESPONSE]))
    assert row["TotalDurationMs"] >= sum(delays)


def test_an_ordinary_client_reads_a_slowed_answer_as_any_other(stand: Stand) -> None:
    stand.deploy("plain", "blue")
    stand.route("plain", {"blue": 100})

    reply = stand.post("plain", '"' + "x" * 110_000 + '"')

    assert (reply.status, len(reply.text) > 110_000, reply.seconds > 0.1) == (200, True, True)


def test_the_bytes_of_mirrored_copies_count(stand: Stand) -> None:
    stand.deploy("mirrored", "live")
    stand.deploy("mirrored", "shadow", "def init(): pass\ndef run(raw_data): return 'y' * 150000\n")
    stand.route("mirrored", {"live": 100}, {"shadow": 100})

    stand.post("mirrored")
    eventually(lambda: stand.rows("TrafficLog", EndpointName="mirrored", DeploymentName="shadow"))

    assert int(raw(stand, "mirrored", TEXT)[2][REQUEST]) > 0


def test_more_requests_than_an_endpoint_may_have_in_a_second_are_429(stand: Stand) -> None:
    stand.deploy("many", "blue")
    stand.route("many", {"blue": 100})
    statuses: list[int] = []

    while 429 not in statuses:
        statuses.append(stand.post("many").status)
        assert len(statuses) < 400, "never refused"

    assert set(statuses) == {200, 429}
    assert len(statuses) > 40
    assert stand.post("calm").status == 200, "the limit is of one endpoint"


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_reaches_the_model_as_it_reads(
    stand: Stand, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    stand.deploy(f"small-{encoding}", "blue")
    stand.route(f"small-{encoding}", {"blue": 100})

    first, _, _ = raw(stand, f"small-{encoding}", compress(TEXT), f"Content-Encoding: {encoding}")

    assert first == "HTTP/1.1 200 OK"
    [row] = eventually(lambda: stand.rows("TrafficLog", EndpointName=f"small-{encoding}"))
    assert (row["RequestPayloadSize"], row["ModelStatusCode"]) == (len(TEXT), 200)


def test_a_body_that_is_not_compressed_as_it_says_is_400(stand: Stand) -> None:
    stand.deploy("liar", "blue")
    stand.route("liar", {"blue": 100})

    first, _, _ = raw(stand, "liar", TEXT, "Content-Encoding: gzip")

    assert first.startswith("HTTP/1.1 400 ")
