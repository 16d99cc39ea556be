"""Faults of the management plane on order, and what the real SDK makes of each."""

from __future__ import annotations

import pytest
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.localcloud.arm_cloud import SIZE, ArmCloud, new_name, until
from tests.localcloud.orders import Orders


def test_an_operation_that_is_stuck_keeps_its_poller_waiting_and_blocks_the_endpoint(
    arm: ArmCloud, orders: Orders
) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})
    orders.give("operation.stuck", match=f"PUT .*/{name}$", seconds=4)
    endpoint = arm.ml.online_endpoints.get(name)

    poller = arm.ml.online_endpoints.begin_create_or_update(endpoint)

    # Not result(timeout=...): after a poll, the SDK makes the endpoint from the poll's body and crashes.
    poller.wait(timeout=1)
    assert not poller.done()
    assert arm.ml.online_endpoints.get(name).provisioning_state == "Updating"
    with pytest.raises(ResourceExistsError, match="Already running method"):
        arm.ml.online_endpoints.begin_create_or_update(endpoint)
    assert poller.result(timeout=20).provisioning_state == "Succeeded"


def test_an_operation_that_fails_on_order_changes_nothing_and_its_code_reaches_the_sdk(
    arm: ArmCloud, orders: Orders
) -> None:
    name = arm.endpoint("blue", "green", traffic={"blue": 100})
    error = {"code": "OperationCanceled", "message": "A higher priority operation came."}
    number = orders.give("operation.failed", match=f"PUT .*/{name}$", **error)
    endpoint = arm.ml.online_endpoints.get(name)
    endpoint.traffic = {"blue": 50, "green": 50}

    with pytest.raises(HttpResponseError, match=r"\(OperationCanceled\) A higher priority operation came"):
        arm.ml.online_endpoints.begin_create_or_update(endpoint).result()

    after = arm.ml.online_endpoints.get(name)
    assert (after.provisioning_state, after.traffic) == ("Failed", {"blue": 100, "green": 0})
    uri = after.properties["AzureAsyncOperationUri"]
    assert arm.call("GET", uri).json()["error"]["code"] == "OperationCanceled"
    assert orders.struck(number) == [f"PUT {arm.endpoint_path(name).lower()}"]


def test_an_operation_that_is_canceled_on_order_leaves_the_resource_canceled(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})
    error = {"code": "OperationCanceled", "message": "Waiting for lock confirmation.", "status": "Canceled"}
    orders.give("operation.failed", match=f"PUT .*/{name}/deployments/blue", **error)

    status = arm.ended(arm.put_deployment(name, "blue", capacity=2))

    assert (status["status"], status["error"]["code"]) == ("Canceled", "OperationCanceled")
    assert arm.ml.online_deployments.get("blue", name).provisioning_state == "Canceled"
    endpoint = arm.ml.online_endpoints.get(name)
    orders.give("operation.failed", match=f"PUT .*/{name}$", **error)
    with pytest.raises(HttpResponseError, match=r"\(OperationCanceled\) Waiting for lock"):
        arm.ml.online_endpoints.begin_create_or_update(endpoint).result()


def test_a_poll_that_is_refused_for_a_while_is_asked_again_by_the_sdk(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})
    patient = arm.fresh(retry_total=3)
    endpoint = patient.online_endpoints.get(name)
    for refused in (429, 503):
        orders.give("http", match="^GET .*/mfeOperationsStatus/", status=refused, headers={"Retry-After": "0"})

    assert patient.online_endpoints.begin_create_or_update(endpoint).result().provisioning_state == "Succeeded"


def test_a_put_whose_reply_is_lost_after_the_effect_meets_its_own_operation_when_it_is_sent_again(
    arm: ArmCloud, orders: Orders
) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})
    patient = arm.fresh(retry_total=3)
    endpoint = patient.online_endpoints.get(name)
    orders.give("operation.stuck", match=f"PUT .*/{name}$", seconds=2)
    lost = orders.give("http", match=f"^PUT .*/{name}[?]", cut=True, after=True)

    with pytest.raises(ResourceExistsError, match="Already running method"):
        patient.online_endpoints.begin_create_or_update(endpoint)

    assert len(orders.struck(lost)) == 1
    until(lambda: arm.ml.online_endpoints.get(name).provisioning_state == "Succeeded" or None)


def test_a_new_endpoint_whose_operation_fails_takes_no_deployment(arm: ArmCloud, orders: Orders) -> None:
    name = new_name("ep")
    orders.give("operation.failed", match=f"/{name}$")
    with pytest.raises(HttpResponseError, match="InternalServerError"):
        arm.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name)).result()

    assert "has not been created successfully" in arm.put_deployment(name, "blue").text


def test_quota_is_refused_on_order_whatever_the_quota_is(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint()
    arm.model("faulty-model", "1")
    orders.give("quota.refused", match=f"{name}/deployments/blue", message="No cores left today.")
    deployment = ManagedOnlineDeployment(
        name="blue", endpoint_name=name, model="azureml:faulty-model:1", instance_type=SIZE, instance_count=1
    )

    with pytest.raises(HttpResponseError, match=r"(?s)InferencingClientCreateDeploymentFailed.*No cores left today"):
        arm.ml.online_deployments.begin_create_or_update(deployment)

    assert arm.call("GET", f"{arm.endpoint_path(name)}/deployments/blue").status_code == 404


def test_another_writer_drops_the_mirror_although_the_write_of_it_succeeded(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint("blue", "green", traffic={"blue": 100})
    orders.give("mirror.dropped", match=name)

    assert arm.ended(arm.put_traffic(name, {"blue": 100}, {"green": 20}))["status"] == "Succeeded"

    assert not arm.ml.online_endpoints.get(name).mirror_traffic
    arm.ended(arm.put_traffic(name, {"blue": 100}, {"green": 20}))
    assert arm.ml.online_endpoints.get(name).mirror_traffic == {"green": 20}


def test_a_batch_endpoints_operations_fail_on_order_too(arm: ArmCloud, orders: Orders) -> None:
    path = f"{arm.workspace_id}/batchEndpoints/{new_name('be')}"
    orders.give("operation.failed", match="batchendpoints", code="OutOfQuota")

    status = arm.ended(arm.call("PUT", path, {"properties": {"authMode": "aadToken"}}))

    assert (status["status"], status["error"]["code"]) == ("Failed", "OutOfQuota")
    assert until(lambda: arm.call("GET", path).json())["properties"]["provisioningState"] == "Failed"
