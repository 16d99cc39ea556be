"""What a verdict rests on: value, bounds, number of requests, window, and the query as people run it again."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace
from urllib.parse import unquote

from rollout.phases import Phase
from rollout.record import Query
from rollout.view import detail
from tests.rollout.world import HARM, UNKNOWN, decided, evidence, standing, world_of

ENDPOINT = "/subscriptions/s/onlineEndpoints/credit"
QUERY = Query("requests.kql", ENDPOINT, f'let resource = "{ENDPOINT}";\nAmlOnlineEndpointTrafficLog | count')


def test_each_finding_has_its_value_its_bounds_and_the_number_of_requests() -> None:
    seen = evidence(candidate=(1000, 20), live=(2000, 10), p95=(50.0, 60.0), pairs=400, agreed=300)
    told = {
        one.gate: one for one in decided(standing(Phase.SHADOW), world_of(Phase.SHADOW), evidence=seen).record.evidence
    }

    error_rate, latency, agreement = told["error_rate"], told["latency_p95"], told["agreement"]
    assert (error_rate.value, error_rate.harm, error_rate.safe, error_rate.n) == (0.015, 0.01, 0.005, 1000)
    assert (latency.value, latency.harm, latency.safe, latency.n) == (1.2, 1.2, 1.1, 1000)
    assert (agreement.value, agreement.harm, agreement.safe, agreement.n) == (0.75, 0.95, 0.97, 400)


def test_too_few_requests_have_a_number_and_no_value() -> None:
    found = decided(standing(Phase.CANARY), world_of(Phase.CANARY), evidence=UNKNOWN).record.evidence

    assert {(one.value, one.n) for one in found} == {(None, 10)}


def test_the_api_shows_the_window_and_the_query_that_can_be_run_again() -> None:
    seen = replace(HARM, queries=(QUERY,))
    record = decided(standing(Phase.CANARY), world_of(Phase.CANARY), evidence=seen).record
    basis = detail(record)["basis"]

    assert (basis["since"], basis["until"]) == ("2026-05-04T11:50:00.000000Z", "2026-05-04T12:00:00.000000Z")
    (query,) = basis["queries"]
    assert query["name"] == "requests.kql"
    assert query["kql"].splitlines()[:2] == [
        "let since = datetime(2026-05-04T11:50:00.000000Z);",
        "let until = datetime(2026-05-04T12:00:00.000000Z);",
    ]
    assert query["kql"].endswith(QUERY.text)
    _, _, after = query["link"].partition("/resourceId/")
    resource, _, packed = after.partition("/source/LogsBlade.AnalyticsShareLinkToQuery/q/")
    assert unquote(resource) == ENDPOINT
    assert gzip.decompress(base64.b64decode(unquote(packed.partition("/timespan/")[0]))).decode() == query["kql"]


def test_before_anything_was_judged_there_is_no_basis() -> None:
    assert detail(standing(Phase.TESTING))["basis"] is None
