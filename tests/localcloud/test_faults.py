"""Each fault that the local cloud can be told to have is injected, and what the real SDK makes of it is asserted."""

from __future__ import annotations

import http.client
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError, ServiceResponseError

from localcloud.faults import FAULTS
from tests.localcloud.arm_cloud import SIZE, until
from tests.localcloud.echo import Echo
from tests.localcloud.orders import Orders

if TYPE_CHECKING:
    from tests.localcloud.arm_cloud import ArmCloud


def test_a_status_on_order_reaches_the_sdk_as_the_services_own_error(arm: ArmCloud, orders: Orders) -> None:
    body = {"error": {"code": "TooManyRequests", "message": "slow down"}}
    orders.give("http", match="^GET .*/onlineEndpoints", status=429, headers={"Retry-After": "0"}, body=body)

    with pytest.raises(HttpResponseError) as caught:
        list(arm.ml.online_endpoints.list())

    assert caught.value.status_code == 429
    assert "slow down" in str(caught.value)
    assert list(arm.ml.online_endpoints.list()) is not None, "the fault is used up"


def test_a_connection_is_cut_before_the_effect_so_nothing_was_made(arm: ArmCloud, orders: Orders) -> None:
    orders.give("http", match="^PUT .*/onlineEndpoints/never-made", cut=True)

    with pytest.raises(requests.ConnectionError):
        arm.put_traffic("never-made", {})

    assert arm.call("GET", arm.endpoint_path("never-made")).status_code == 404


def test_a_reply_is_lost_after_the_effect_so_the_client_must_look(arm: ArmCloud, orders: Orders) -> None:
    orders.give("http", match="^PUT .*/onlineEndpoints/made-unseen", cut=True, after=True)

    with pytest.raises(requests.ConnectionError):
        arm.put_traffic("made-unseen", {})

    assert arm.call("GET", arm.endpoint_path("made-unseen")).status_code == 200


def test_a_cut_connection_is_a_service_response_error_of_the_sdk(arm: ArmCloud, orders: Orders) -> None:
    orders.give("http", match="^GET .*/models", cut=True)

    with pytest.raises(ServiceResponseError):
        list(arm.ml.models.list(name="whatever"))


def test_a_slow_answer_is_the_true_answer(arm: ArmCloud, orders: Orders) -> None:
    orders.give("http", match="^GET .*/onlineEndpoints", delay_seconds=0.3)

    reply = arm.call("GET", f"{arm.workspace_id}/onlineEndpoints")

    assert reply.status_code == 200
    assert reply.elapsed.total_seconds() >= 0.3


def test_a_scoring_request_fails_on_order_and_only_as_often_as_ordered(arm: ArmCloud, orders: Orders) -> None:
    endpoint = arm.endpoint("blue", traffic={"blue": 100})
    number = orders.give("http", match=f"^POST /{endpoint}/score", times=2, status=503)

    statuses = [_score(arm, endpoint).status_code for _ in range(3)]

    assert statuses == [503, 503, 200]
    assert orders.struck(number) == [f"POST /{endpoint}/score"] * 2


def test_a_scoring_connection_is_cut_on_order(arm: ArmCloud, orders: Orders) -> None:
    endpoint = arm.endpoint("blue", traffic={"blue": 100})
    orders.give("http", match=f"/{endpoint}/score", cut=True)

    with pytest.raises(requests.ConnectionError):
        _score(arm, endpoint)


def test_a_container_that_crashes_is_down_and_comes_back(arm: ArmCloud, orders: Orders) -> None:
    endpoint = arm.endpoint("blue", traffic={"blue": 100})
    orders.give("container.crash", match=f"^{endpoint}/blue$")

    seen = [until(lambda: status if (status := _score(arm, endpoint).status_code) != 200 else None)]
    seen.append(until(lambda: status if (status := _score(arm, endpoint).status_code) == 200 else None))

    assert seen == [424, 200]


def test_a_container_that_crashes_while_it_starts_fails_the_deployment(arm: ArmCloud, orders: Orders) -> None:
    endpoint = arm.endpoint()
    orders.give("container.crash", match=f"^{endpoint}/blue$")

    ended = arm.ended(arm.put_deployment(endpoint, "blue"))

    assert ended["status"] == "Failed"
    assert ended["error"]["code"] == "ResourceNotReady"


def test_an_operation_that_is_stuck_keeps_the_sdks_poller_waiting(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint()
    orders.give("operation.stuck", match=f"^PUT .*/{name}$", seconds=1.5)

    poller = arm.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key"))
    poller.wait(1.0)

    assert not poller.done()
    assert poller.result(timeout=20).provisioning_state == "Succeeded"


def test_an_operation_that_fails_is_an_error_with_its_code_and_text(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint()
    orders.give("operation.failed", match=f"^PUT .*/{name}$", code="OutOfCapacity", message="no machines are left")

    poller = arm.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key"))
    with pytest.raises(HttpResponseError, match="no machines are left"):
        poller.result(timeout=20)

    assert arm.ml.online_endpoints.get(name).provisioning_state == "Failed"


def test_a_deployment_is_refused_for_quota_before_anything_is_made(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint()
    orders.give("quota.refused", match=f"^PUT .*/{name}/deployments/blue$")
    model = arm.model("quota-model", "1")
    deployment = ManagedOnlineDeployment(name="blue", endpoint_name=name, model=model.id, instance_type=SIZE)

    with pytest.raises(HttpResponseError) as caught:
        arm.ml.online_deployments.begin_create_or_update(deployment)

    assert caught.value.status_code == 400
    assert list(arm.ml.online_deployments.list(name)) == []


def test_another_writer_drops_the_mirror_although_the_operation_succeeded(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint("blue", "green", traffic={"blue": 100})
    orders.give("mirror.dropped", match=f"/{name}$")

    ended = arm.ended(arm.put_traffic(name, {"blue": 100}, {"green": 20}))

    assert ended["status"] == "Succeeded"
    assert not arm.ml.online_endpoints.get(name).mirror_traffic


def test_the_functions_host_dies_on_order_and_comes_back_without_its_memory(echo: Echo) -> None:
    before = echo.call("GET", "/admin/host/status", headers=master(echo)).json["processId"]
    orders = Orders(echo.stack.env["LOCALCLOUD_URL"], verify=echo.stack.env["LOCALCLOUD_CA"])

    number = orders.give("host.crash")

    def after() -> int | None:
        with suppress(OSError, http.client.HTTPException):
            pid = echo.call("GET", "/admin/host/status", headers=master(echo)).json["processId"]
            return int(pid) if pid != before else None
        return None

    assert until(after)
    assert orders.struck(number) == ["functions host"]
    orders.clear()


def master(echo: Echo) -> dict[str, str]:
    return {"x-functions-key": echo.stack.env["FUNCTIONS_MASTER_KEY"]}


def test_every_fault_is_injected_by_some_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert not [kind for kind in FAULTS if f'"{kind}"' not in tests]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"kind": "htp"}, "is not one of: http,"),
        ({"kind": "http", "staus": 500}, "'staus'"),
        ({"kind": "http", "match": "("}, "not a regular expression"),
        ({"kind": "http", "times": 0}, "at least 1"),
        ({"match": ".*"}, "kind"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(
    arm: ArmCloud, order: dict[str, Any], words: str
) -> None:
    reply = requests.post(f"{arm.url}/localcloud/faults", json=order, timeout=5)

    assert reply.status_code == 400
    assert words in reply.json()["error"]["message"]


def _score(arm: ArmCloud, endpoint: str) -> requests.Response:
    keys = arm.call("POST", f"{arm.endpoint_path(endpoint)}/listKeys").json()
    uri = arm.call("GET", arm.endpoint_path(endpoint)).json()["properties"]["scoringUri"]
    headers = {"Authorization": f"Bearer {keys['primaryKey']}"}
    return requests.post(uri, json={"data": [[0.0]]}, headers=headers, timeout=10)
