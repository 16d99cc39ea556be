"""Online endpoints on the wire, as recorded from Azure: operations, traffic, mirror, keys, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError

from tests.localcloud.arm_cloud import ArmCloud, new_name


@pytest.fixture(scope="module")
def two(arm: ArmCloud) -> str:
    """An endpoint with the deployments blue (all of the traffic) and green (none)."""
    return arm.endpoint("blue", "green", traffic={"blue": 100})


def refusal(reply: requests.Response) -> dict[str, Any]:
    """The nested errors of a service-side validation."""
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["code"] == "BadRequest"
    assert reply.headers["x-ms-response-type"] == "error"
    assert {info["type"] for info in error["additionalInfo"]} >= {"ComponentName", "Correlation", "Time"}
    text = error["details"][0]["message"]
    errors: dict[str, Any] = json.loads(text[text.index("{") :])["errors"]
    return errors


def test_the_sdk_creates_gets_lists_and_deletes_an_endpoint(arm: ArmCloud) -> None:
    name = new_name("ep")
    made = arm.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
    assert made.provisioning_state == "Succeeded"
    assert made.scoring_uri.startswith("https://localhost:")
    assert name in {endpoint.name for endpoint in arm.ml.online_endpoints.list()}

    arm.ml.online_endpoints.begin_delete(name).result()

    assert name not in {endpoint.name for endpoint in arm.ml.online_endpoints.list()}
    assert arm.call("GET", arm.endpoint_path(name)).status_code == 404


def test_a_new_endpoint_has_no_scoring_address_until_its_operation_has_succeeded(arm: ArmCloud) -> None:
    name = new_name("ep")
    reply = arm.put_traffic(name, {})

    assert reply.status_code == 201
    body = reply.json()
    assert body["properties"]["provisioningState"] == "Creating"
    assert body["properties"]["scoringUri"] is None
    assert arm.ended(reply)["status"] == "Succeeded"
    after = arm.call("GET", arm.endpoint_path(name)).json()["properties"]
    assert after["scoringUri"].endswith("/score")
    assert after["swaggerUri"].endswith("/swagger.json")


def test_the_reply_to_a_traffic_put_shows_the_old_split_and_the_operation_brings_the_new_one(arm: ArmCloud) -> None:
    name = arm.endpoint("blue", "green", traffic={"blue": 100})

    reply = arm.put_traffic(name, {"blue": 90, "green": 10})

    assert reply.status_code == 201
    assert reply.json()["properties"]["traffic"] == {"blue": 100}
    assert reply.json()["properties"]["provisioningState"] == "Updating"
    status = arm.ended(reply)
    assert (status["status"], status["percentComplete"]) == ("Succeeded", 100.0)
    assert status["endTime"] > status["startTime"]
    after = arm.call("GET", arm.endpoint_path(name)).json()["properties"]
    assert after["traffic"] == {"blue": 90, "green": 10}


def test_an_accepted_put_names_its_operation_in_headers_and_in_the_resource(arm: ArmCloud, two: str) -> None:
    reply = arm.put_traffic(two, {"blue": 100})

    operation = reply.headers["Azure-AsyncOperation"]
    assert "/locations/westeurope/mfeOperationsStatus/oe:" in operation
    assert reply.headers["Location"].startswith(f"{arm.url}{arm.endpoint_path(two)}")
    assert reply.headers["x-ms-async-operation-timeout"] == "PT30M"
    assert int(reply.headers["x-ms-ratelimit-remaining-subscription-writes"]) > 0
    first = arm.call("GET", operation).json()
    assert (first["status"], first["percentComplete"]) == ("Updating", 0.0)
    arm.ended(reply)
    kept = arm.call("GET", arm.endpoint_path(two)).json()["properties"]["properties"]
    assert kept["AzureAsyncOperationUri"] == operation
    assert kept["azureml.onlineendpointid"] == arm.endpoint_path(two).lower()


def test_a_put_without_mirror_traffic_clears_the_mirror(arm: ArmCloud, two: str) -> None:
    arm.ended(arm.put_traffic(two, {"blue": 100}, {"green": 20}))
    assert arm.call("GET", arm.endpoint_path(two)).json()["properties"]["mirrorTraffic"] == {"green": 20}

    arm.ended(arm.put_traffic(two, {"blue": 100}))

    assert arm.call("GET", arm.endpoint_path(two)).json()["properties"]["mirrorTraffic"] == {}


@pytest.mark.parametrize(
    ("traffic", "mirror", "field"),
    [
        ({"blue": 50}, {}, "Traffic"),
        ({"blue": 60, "green": 60}, {}, "Traffic"),
        ({"blue": 100, "nobody": 0}, {}, "Traffic"),
        ({"blue": 99.5, "green": 0.5}, {}, "Traffic"),
        ({"blue": 100}, {"green": 51}, "MirrorTraffic"),
        ({"blue": 100}, {"blue": 10}, "MirrorTraffic"),
        ({}, {"blue": 10, "green": 10}, "MirrorTraffic"),
        ({"blue": 100}, {"nobody": 10}, "MirrorTraffic"),
    ],
)
def test_a_split_that_azure_does_not_allow_is_refused_at_once_and_changes_nothing(
    arm: ArmCloud, two: str, traffic: dict[str, int], mirror: dict[str, int], field: str
) -> None:
    before = arm.call("GET", arm.endpoint_path(two)).json()["properties"]

    assert field in refusal(arm.put_traffic(two, traffic, mirror))

    assert arm.call("GET", arm.endpoint_path(two)).json()["properties"] == before


def test_traffic_cannot_be_given_to_deployments_that_do_not_exist_yet(arm: ArmCloud) -> None:
    name = new_name("ep")
    assert "Traffic" in refusal(arm.put_traffic(name, {"blue": 100}))
    assert arm.call("GET", arm.endpoint_path(name)).status_code == 404


@pytest.mark.parametrize("name", ["ab", "1ep", "e" * 33, "ep-", "e--p", "e_p"])
def test_a_name_against_the_rules_is_refused(arm: ArmCloud, name: str) -> None:
    assert "Name" in refusal(arm.put_traffic(name, {}))


def test_a_second_write_during_an_operation_is_a_conflict(arm: ArmCloud, two: str) -> None:
    running = arm.put_traffic(two, {"blue": 100})

    second = arm.put_traffic(two, {"blue": 100})
    deployment = arm.call("DELETE", f"{arm.endpoint_path(two)}/deployments/green")

    assert second.status_code == deployment.status_code == 409
    assert "Already running method" in second.json()["error"]["message"]
    assert arm.ended(running)["status"] == "Succeeded"


def test_segment_names_and_ids_are_matched_in_any_case(arm: ArmCloud, two: str) -> None:
    reply = arm.call("GET", arm.endpoint_path(two).lower().replace(two, two.upper()))
    assert reply.json()["id"] == arm.endpoint_path(two)


def test_a_request_without_a_token_is_401_and_an_unknown_scope_404(arm: ArmCloud) -> None:
    path = f"{arm.url}{arm.workspace_id}?api-version=2024-10-01"
    assert requests.get(path, timeout=10).status_code == 401
    other = arm.workspace_id.replace("rg-local", "rg-other")
    assert arm.call("GET", other).json()["error"]["code"] == "ResourceGroupNotFound"
    assert arm.call("GET", arm.workspace_id + "-2").json()["error"]["code"] == "ResourceNotFound"


def test_live_traffic_is_served_by_the_deployment_that_has_it_and_keys_can_be_replaced(arm: ArmCloud) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})
    uri = arm.ml.online_endpoints.get(name).scoring_uri
    old = arm.ml.online_endpoints.get_keys(name)

    def score(key: str) -> requests.Response:
        body = {"data": [{"x": 1.0}]}
        return requests.post(uri, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    assert score(old.primary_key).headers["azureml-model-deployment"] == "blue"
    arm.ml.online_endpoints.begin_regenerate_keys(name, key_type="primary").result()
    new = arm.ml.online_endpoints.get_keys(name)
    assert new.secondary_key == old.secondary_key
    assert (score(old.primary_key).status_code, score(new.primary_key).status_code) == (401, 200)


def test_deleting_what_is_not_there_is_204(arm: ArmCloud) -> None:
    assert arm.call("DELETE", arm.endpoint_path(new_name("ep"))).status_code == 204


def test_deleting_answers_202_with_a_null_body_and_takes_the_deployments_along(arm: ArmCloud) -> None:
    name = arm.endpoint("blue", traffic={"blue": 100})

    reply = arm.call("DELETE", arm.endpoint_path(name))

    assert (reply.status_code, reply.text) == (202, "null")
    assert "/mfeOperationResults/oe:" in reply.headers["Location"]
    assert arm.call("GET", arm.endpoint_path(name)).json()["properties"]["provisioningState"] == "Deleting"
    assert arm.ended(reply)["status"] == "Succeeded"
    assert arm.call("GET", reply.headers["Location"]).status_code == 204
    assert arm.call("GET", f"{arm.endpoint_path(name)}/deployments/blue").status_code == 404


def test_an_unknown_endpoint_is_not_found_by_the_sdk(arm: ArmCloud) -> None:
    with pytest.raises(HttpResponseError) as caught:
        arm.ml.online_endpoints.get("nobody")
    assert caught.value.status_code == 404
