"""PATCH, which the SDK never sends and the REST reference has: 202, a Location to poll, and only a few fields."""

from __future__ import annotations

import requests

from tests.localcloud.arm_cloud import ArmCloud, new_name, until


def result(arm: ArmCloud, accepted: requests.Response) -> requests.Response:
    """The resource at the Location of an accepted PATCH."""
    assert accepted.status_code == 202, accepted.text
    assert accepted.content == b""
    assert int(accepted.headers["Retry-After"]) >= 1

    def ready() -> requests.Response | None:
        reply = arm.call("GET", accepted.headers["Location"])
        return reply if reply.status_code != 202 else None

    return until(ready)


def test_an_endpoints_tags_are_merged_and_its_traffic_stays(arm: ArmCloud) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})
    result(arm, arm.call("PATCH", arm.endpoint_path(name), {"tags": {"team": "risk", "old": "1"}}))

    after = result(arm, arm.call("PATCH", arm.endpoint_path(name), {"tags": {"old": None, "new": "2"}})).json()

    assert after["tags"] == {"team": "risk", "new": "2"}
    assert after["properties"]["traffic"] == {"blue": 100}
    refused = arm.call("PATCH", arm.endpoint_path(name), {"properties": {"traffic": {}}})
    assert (refused.status_code, "cannot be patched" in refused.text) == (400, True)


def test_another_capacity_scales_a_deployment_and_keeps_the_rest(arm: ArmCloud) -> None:
    path = f"{arm.endpoint_path(arm.endpoint('blue', traffic={'blue': 100}))}/deployments/blue"

    accepted = arm.call("PATCH", path, {"sku": {"capacity": 3}, "tags": {"a": "b"}})

    assert arm.call("GET", path).json()["properties"]["provisioningState"] == "Scaling"
    after = result(arm, accepted).json()
    assert (after["sku"]["capacity"], after["sku"]["name"], after["tags"]) == (3, "Default", {"a": "b"})
    assert after["properties"]["provisioningState"] == "Succeeded"
    assert arm.call("PATCH", path, {"sku": {"capacity": 900}}).status_code == 400


def test_a_batch_endpoint_and_its_deployment_take_tags_and_a_description(arm: ArmCloud) -> None:
    arm.model("patched-model", "1")
    path = f"{arm.workspace_id}/batchEndpoints/{new_name('be')}"
    model = {"referenceType": "Id", "assetId": f"{arm.workspace_id}/models/patched-model/versions/1"}
    deployment = {"properties": {"model": model, "compute": "cpu", "miniBatchSize": 4}}
    arm.ended(arm.call("PUT", path, {"properties": {"authMode": "aadToken"}}))
    arm.ended(arm.call("PUT", f"{path}/deployments/one", deployment))

    endpoint = result(arm, arm.call("PATCH", path, {"tags": {"a": "b"}})).json()
    change = {"tags": {"c": "d"}, "properties": {"description": "mine"}}
    after = result(arm, arm.call("PATCH", f"{path}/deployments/one", change)).json()

    assert endpoint["tags"] == {"a": "b"}
    assert (after["tags"], after["properties"]["description"]) == ({"c": "d"}, "mine")
    assert after["properties"]["miniBatchSize"] == 4
    assert arm.call("PATCH", f"{path}/deployments/one", {"properties": {"model": model}}).status_code == 400
