"""What a subscription may have in a region: names, counts, machines. Azure's own numbers, which are settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from localcloud.arm.batch_records import BatchDeployment, BatchEndpoint
from localcloud.arm.paths import workspace_scope
from localcloud.arm.quota import check_new_deployment, check_new_endpoint, check_quota, cores_needed
from localcloud.arm.store import Deployment, Endpoint, Store
from localcloud.seams import AzureError
from localcloud.settings import Settings
from tests.localcloud.arm_cloud import ArmCloud, new_name

SETTINGS = Settings()
SIZE = "Standard_F4s_v2"


def online(store: Store, name: str, *deployments: str) -> Endpoint:
    """An online endpoint in the store."""
    endpoint = store.endpoints[name] = Endpoint(workspace_scope(SETTINGS), name, "westeurope", "Key")
    for one in deployments:
        properties, sku = {"instanceType": SIZE}, {"capacity": 1}
        endpoint.deployments[one] = Deployment(one, properties, sku, {}, "westeurope", None, {})
    return endpoint


def batch(store: Store, name: str, *deployments: str) -> BatchEndpoint:
    """A batch endpoint in the store."""
    endpoint = store.batch_endpoints[name] = BatchEndpoint(workspace_scope(SETTINGS), name, "westeurope", "v")
    endpoint.deployments.update({one: BatchDeployment(one, {}, {}, "westeurope") for one in deployments})
    return endpoint


def refusal(check: Callable[[], None]) -> str:
    """The whole text of a refusal with 400."""
    with pytest.raises(AzureError) as refused:
        check()
    assert refused.value.status == 400
    return f"{refused.value.code} {refused.value.message} {refused.value.details}"


def test_azures_own_numbers_are_the_defaults() -> None:
    assert (SETTINGS.endpoints_per_region, SETTINGS.deployments_per_region) == (100, 500)
    assert (SETTINGS.deployments_per_endpoint, SETTINGS.instances_per_deployment) == (20, 50)


def test_online_and_batch_endpoints_count_together_in_a_region() -> None:
    store, settings = Store(), Settings(endpoints_per_region=2)
    online(store, "one")
    check_new_endpoint(store, settings, "two")
    batch(store, "two")

    assert "Current usage/limit: 2/2" in refusal(lambda: check_new_endpoint(store, settings, "three"))


def test_a_name_is_free_once_in_a_region_whatever_kind_of_endpoint_has_it() -> None:
    store, settings = Store(), Settings(taken_endpoint_names="fraud, churn")
    online(store, "credit")
    batch(store, "scores")

    for taken in ("credit", "Credit", "scores", "fraud", "CHURN"):
        assert "UserError An endpoint with this name" in refusal(partial(check_new_endpoint, store, settings, taken))
    check_new_endpoint(store, settings, "credit-2")


def test_a_new_endpoint_of_a_taken_name_is_refused_on_the_wire(arm: ArmCloud) -> None:
    name = arm.endpoint()

    refused = arm.call("PUT", f"{arm.workspace_id}/batchEndpoints/{name}", {"properties": {"authMode": "aadToken"}})

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "UserError")
    assert arm.ended(arm.put_traffic(name, {}))["status"] == "Succeeded", "an update is no second endpoint"


def test_an_endpoint_takes_so_many_deployments_and_a_region_so_many_of_all_kinds() -> None:
    store = Store()
    endpoint = online(store, "one", "blue", "green")
    scores = batch(store, "two", "nightly")

    full = refusal(lambda: check_new_deployment(store, Settings(deployments_per_endpoint=2), endpoint))
    assert "at most 2 deployments" in full
    check_new_deployment(store, Settings(deployments_per_endpoint=2), scores)
    region = Settings(deployments_per_region=3)
    assert "Current usage/limit: 3/3" in refusal(lambda: check_new_deployment(store, region, scores))
    check_new_deployment(store, Settings(deployments_per_region=4), endpoint)


def test_blue_and_green_hold_their_machines_both_until_the_deletion_has_ended() -> None:
    store, both = Store(), 2 * cores_needed(SIZE, 1)
    endpoint = online(store, "one", "blue", "green")
    endpoint.deployments["green"].state = "Deleting"

    def third(settings: Settings) -> None:
        check_quota(store, settings, "one", "red", SIZE, 1)

    full = replace(SETTINGS, quota_cores=both + 7)
    assert f"Current usage/limit: {both}/{both + 7}. Additional needed: 8" in refusal(lambda: third(full))
    del endpoint.deployments["green"]
    third(full)


def test_an_update_is_measured_against_the_quota_without_its_own_share() -> None:
    store = Store()
    online(store, "one", "blue")

    check_quota(store, replace(SETTINGS, quota_cores=8), "one", "blue", SIZE, 1)
    assert (
        "OutOfQuota".lower()
        in refusal(lambda: check_quota(store, replace(SETTINGS, quota_cores=8), "one", "blue", SIZE, 2)).lower()
    )


@pytest.mark.parametrize("capacity", [0, 51])
def test_a_deployment_has_from_1_to_50_instances(arm: ArmCloud, capacity: int) -> None:
    reply = arm.put_deployment(arm.endpoint(), "blue", capacity)
    assert (reply.status_code, "from 1 to 50" in reply.text) == (400, True)


def test_an_endpoint_has_no_place_for_a_deployment_that_does_not_fit_its_name_rules(arm: ArmCloud) -> None:
    reply = arm.put_deployment(arm.endpoint(), new_name("much-too-long-for-a-deployment"))
    assert (reply.status_code, "3 to 32 characters" in reply.text) == (400, True)
