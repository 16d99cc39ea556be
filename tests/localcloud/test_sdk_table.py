"""Each row of the table of facts/azureml-wire.md, section 2: its call made by the real SDK, and what that sends.

The requests are asserted too: they are what a stand-in must answer, and an SDK that sends others needs a new look.
Here are the rows of online endpoints and deployments; batch, assets and jobs are in the files beside this one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.ai.ml.entities import (
    DataCollector,
    DeploymentCollection,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
)

from tests.localcloud.arm_cloud import SIZE, ArmCloud, new_name
from tests.localcloud.sdk_rows import row
from tests.localcloud.spy import requests_seen

ONLINE, ONLINE_DEPLOYMENTS = "(2022-02-01-preview)", "(2023-04-01-preview)"
DISCOVERY = "GET /registrymanagement/v1.0/registries/contoso-models/discovery (v1.0)"
GET_WS = "GET WS (2024-10-01-preview)"
E, DEPLOYMENTS = "WS/onlineEndpoints/E", "WS/onlineEndpoints/E/deployments"

pytestmark = pytest.mark.usefixtures("no_sticky_header")


@pytest.fixture(scope="module")
def live(arm: ArmCloud) -> str:
    """An online endpoint with one deployment, blue, that takes all traffic."""
    return arm.endpoint("blue", traffic={"blue": 100})


@row("workspaces.get")
def test_workspaces_get(arm: ArmCloud) -> None:
    with requests_seen(arm) as seen:
        assert arm.ml.workspaces.get(arm.stack.settings.workspace).location == "westeurope"
    assert seen[0] == GET_WS


@row("online_endpoints.begin_create_or_update")
def test_online_endpoints_create(arm: ArmCloud) -> None:
    name = new_name("ep")
    with requests_seen(arm, E=name) as seen:
        made = arm.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name)).result()
    assert made.provisioning_state == "Succeeded"
    assert seen == [GET_WS, f"PUT {E} {ONLINE}", f"GET {E} {ONLINE}"]
    assert "if-match" not in seen.headers_of(f"/onlineEndpoints/{name}")[0], "no call has an ETag"


@row("online_endpoints.get")
def test_online_endpoints_get_shows_deployments_without_traffic_as_0(arm: ArmCloud) -> None:
    name = arm.endpoint("blue", "green", traffic={"blue": 100})
    with requests_seen(arm, E=name) as seen:
        assert arm.ml.online_endpoints.get(name).traffic == {"blue": 100, "green": 0}
    assert seen == [f"GET {E} {ONLINE}", f"GET {DEPLOYMENTS} {ONLINE}"]

    arm.ended(arm.put_traffic(name, {"blue": 100}, {"green": 10}))
    assert arm.ml.online_endpoints.get(name).traffic == {"blue": 100}, "a mirror is not shown as 0"


@row("online_endpoints.list")
def test_online_endpoints_list(arm: ArmCloud, live: str) -> None:
    with requests_seen(arm, E=live) as seen:
        assert live in {endpoint.name for endpoint in arm.ml.online_endpoints.list()}
    assert seen == [f"GET WS/onlineEndpoints {ONLINE}"]


@row("get_keys")
@pytest.mark.parametrize(
    ("mode", "calls"),
    [("Key", [f"POST {E}/listKeys {ONLINE}"]), ("AMLToken", [f"POST {E}/token {ONLINE}"]), ("AADToken", [])],
)
def test_get_keys_asks_for_what_the_endpoint_takes(arm: ArmCloud, mode: str, calls: list[str]) -> None:
    name = new_name("ep")
    arm.ended(arm.call("PUT", arm.endpoint_path(name), {"properties": {"authMode": mode}}))
    with requests_seen(arm, E=name) as seen:
        credentials = arm.ml.online_endpoints.get_keys(name)
    assert seen == [f"GET {E} {ONLINE}", *calls]
    if mode == "Key":
        assert credentials.primary_key != credentials.secondary_key
    if mode == "AMLToken":
        assert credentials.expiry_time_utc - credentials.refresh_after_time_utc == 12 * 3600
    if mode == "AADToken":
        assert credentials.access_token, "the caller's own"


@row("begin_regenerate_keys")
def test_keys_are_made_anew(arm: ArmCloud, live: str) -> None:
    before = arm.ml.online_endpoints.get_keys(live)
    with requests_seen(arm, E=live) as seen:
        arm.ml.online_endpoints.begin_regenerate_keys(live, key_type="secondary").result()
    assert seen == [
        f"GET {E} {ONLINE}",
        f"POST {E}/listKeys {ONLINE}",
        f"POST {E}/regenerateKeys {ONLINE}",
    ]
    after = arm.ml.online_endpoints.get_keys(live)
    assert (after.primary_key, after.secondary_key != before.secondary_key) == (before.primary_key, True)


@row("online_endpoints.invoke")
def test_online_endpoints_invoke(arm: ArmCloud, live: str, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"data": [{"x": 1.0}]}')
    with requests_seen(arm, E=live) as seen:
        assert "predictions" in arm.ml.online_endpoints.invoke(live, request_file=str(request))
    steps = [f"GET {E} {ONLINE}", f"POST {E}/listKeys {ONLINE}", "POST /E/score"]
    assert seen == steps

    with requests_seen(arm, E=live) as seen:
        arm.ml.online_endpoints.invoke(live, deployment_name="blue", request_file=str(request))
    assert seen == [f"GET {DEPLOYMENTS} {ONLINE}", *steps]

    with requests_seen(arm, E=live) as seen:
        arm.ml.online_endpoints.invoke(live, request_file=str(request))
    assert "azureml-model-deployment" in seen.headers_of("/score")[0], "the SDK's own bug: the pin sticks"


@row("online_endpoints.begin_delete")
def test_online_endpoints_delete(arm: ArmCloud) -> None:
    name = arm.endpoint()
    with requests_seen(arm, E=name) as seen:
        arm.ml.online_endpoints.begin_delete(name).result()
    assert seen == [f"DELETE {E} {ONLINE}"]
    assert arm.call("GET", arm.endpoint_path(name)).status_code == 404


@row("online_deployments.begin_create_or_update")
def test_online_deployments_of_a_registry_model_with_a_collector(arm: ArmCloud, live: str) -> None:
    model = new_name("model")
    made = arm.registry().models.create_or_update(Model(name=model, version="1", path=str(arm.model_folder())))
    deployment = ManagedOnlineDeployment(
        name="green",
        endpoint_name=live,
        model=made.id,
        instance_type=SIZE,
        instance_count=1,
        data_collector=DataCollector(collections={"model_inputs": DeploymentCollection(enabled="true")}),
    )

    with requests_seen(arm, E=live, N=model) as seen:
        arm.ml.online_deployments.begin_create_or_update(deployment).result()

    puts = [line for line in seen if line.startswith("PUT")]
    assert puts[0].startswith("PUT WS/data/E-green-model_inputs/versions/1 ")
    assert puts[1:] == [f"PUT {DEPLOYMENTS}/green {ONLINE_DEPLOYMENTS}"]
    assert seen[0] == f"GET {E} {ONLINE_DEPLOYMENTS}"
    assert DISCOVERY in seen
    assert any(line.startswith("GET /mferp/managementfrontendREG/models/N/versions/1") for line in seen)
    assert seen[-1] == f"GET {DEPLOYMENTS}/green {ONLINE_DEPLOYMENTS}"
    collected = arm.call("GET", f"{arm.endpoint_path(live)}/deployments/green").json()["properties"]["dataCollector"]
    assert collected["collections"]["model_inputs"]["dataCollectionMode"] == "Enabled"
    assert "scaleSettings" not in seen.body_of("PUT")["properties"], "required in the reply, never sent"


@row("online_deployments.get / list")
def test_online_deployments_get_and_list(arm: ArmCloud, live: str) -> None:
    with requests_seen(arm, E=live) as seen:
        assert arm.ml.online_deployments.get("blue", live).instance_count == 1
        assert "blue" in {deployment.name for deployment in arm.ml.online_deployments.list(live)}
    assert seen == [f"GET {DEPLOYMENTS}/blue {ONLINE_DEPLOYMENTS}", f"GET {DEPLOYMENTS} {ONLINE_DEPLOYMENTS}"]


@row("online_deployments.get_logs")
def test_online_deployments_get_logs_of_both_containers(arm: ArmCloud, live: str) -> None:
    with requests_seen(arm, E=live) as seen:
        served = arm.ml.online_deployments.get_logs("blue", live, lines=10)
        fetched = arm.ml.online_deployments.get_logs("blue", live, lines=10, container_type="storage-initializer")
    assert seen == [f"POST {DEPLOYMENTS}/blue/getLogs {ONLINE_DEPLOYMENTS}"] * 2
    assert seen.body_of("POST") == {"containerType": "StorageInitializer", "tail": 10}
    assert "InitializeService" in served
    assert "shared-model" in fetched
    assert "InitializeService" not in fetched


@row("online_deployments.begin_delete")
def test_online_deployments_delete(arm: ArmCloud, live: str) -> None:
    assert arm.ended(arm.put_deployment(live, "spare"))["status"] == "Succeeded"
    with requests_seen(arm, E=live) as seen:
        arm.ml.online_deployments.begin_delete("spare", live).result()
        arm.ml.online_deployments.begin_delete("spare", live).result()
    assert seen == [f"DELETE {DEPLOYMENTS}/spare {ONLINE_DEPLOYMENTS}"] * 2, "204 is done, without a poll"
