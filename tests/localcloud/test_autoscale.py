"""Autoscale settings of deployments: kept by their documented shape, and carried from one deployment to another."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.arm import Arm
from cloud.autoscale import Autoscale, for_another
from cloud.errors import Permanent
from tests.localcloud.arm_cloud import ArmCloud, new_name


def setting(source: str, endpoint: str) -> dict[str, Any]:
    """One that grows by the deployment's own processors and by the endpoint's latency."""
    capacity = {"minimum": "2", "maximum": "5", "default": "2"}
    rules = [
        {"metricTrigger": {"metricName": "CpuUtilizationPercentage", "metricResourceUri": source}},
        {
            "metricTrigger": {
                "metricName": "RequestLatency_P95",
                "metricResourceUri": endpoint,
                "dimensions": [{"DimensionName": "deployment", "Operator": "Equals", "Values": ["blue"]}],
            }
        },
    ]
    profiles = [{"name": "always", "capacity": capacity, "rules": rules}]
    return {
        "location": "westeurope",
        "tags": {"team": "risk"},
        "properties": {"enabled": True, "name": "by-hand", "targetResourceUri": source, "profiles": profiles},
    }


def test_the_copy_of_a_setting_speaks_of_the_new_deployment_and_of_nothing_else_that_is_new() -> None:
    source, target = "/subscriptions/s/onlineEndpoints/e/deployments/blue", "/subscriptions/s/deployments/green"
    body = setting(source.upper(), "/subscriptions/s/onlineEndpoints/e")

    made = for_another(body, source, target, "autoscale-green")

    expected = setting(target, "/subscriptions/s/onlineEndpoints/e")
    expected["properties"]["name"] = "autoscale-green"
    expected["properties"]["profiles"][0]["rules"][1]["metricTrigger"]["dimensions"][0]["Values"] = ["green"]
    assert made == expected
    assert body == setting(source.upper(), "/subscriptions/s/onlineEndpoints/e"), "what was read is left as it was"


def test_settings_are_carried_once_and_go_with_their_deployment(arm: ArmCloud) -> None:
    endpoint = arm.endpoint_path(new_name("ep"))
    blue, green = f"{endpoint}/deployments/blue", f"{endpoint}/deployments/green"
    group = arm.workspace_id.split("/providers/")[0]
    path = f"{group}/providers/Microsoft.Insights/autoscaleSettings/{new_name('by-hand')}"
    assert arm.call("PUT", path, setting(blue, endpoint)).status_code == 201
    autoscale = Autoscale(Arm(arm.url, "https://management.azure.com", arm.credential))

    assert autoscale.carry(blue.lower(), green.lower()) == 1
    assert autoscale.carry(blue.lower(), green.lower()) == 0, "it has them"

    (carried,) = autoscale.of(green.lower())
    assert carried.enabled
    assert carried.body["properties"]["profiles"][0]["capacity"]["maximum"] == "5"
    assert len(autoscale.of(blue.lower())) == 1, "the old deployment keeps its own"
    autoscale.remove(blue.lower())
    assert autoscale.of(blue.lower()) == ()
    assert arm.call("GET", path).status_code == 404
    autoscale.remove(green.lower())
    assert autoscale.carry(blue.lower(), green.lower()) == 0, "there is nothing to carry"


def test_a_second_setting_for_one_target_and_one_without_profiles_are_refused(arm: ArmCloud) -> None:
    target = f"{arm.endpoint_path(new_name('ep'))}/deployments/blue"
    names = f"{arm.workspace_id.split('/providers/')[0]}/providers/Microsoft.Insights/autoscalesettings"
    first, second = (f"{names}/{new_name('s')}" for _ in range(2))

    assert arm.call("PUT", first, setting(target, target)).status_code == 201
    assert arm.call("PUT", first, setting(target, target)).status_code == 200
    assert arm.call("PUT", second, setting(target, target)).status_code == 409
    assert arm.call("PUT", second, {"location": "westeurope", "properties": {"profiles": []}}).status_code == 400
    listed = arm.call("GET", names).json()["value"]
    assert [one["id"].lower() for one in listed if one["properties"]["targetResourceUri"] == target] == [first.lower()]
    assert arm.call("DELETE", first).status_code == 200
    assert arm.call("DELETE", first).status_code == 204


def test_a_resource_without_a_group_is_told_of() -> None:
    with pytest.raises(Permanent, match="names no resource group"):
        Autoscale(Arm("https://localhost", "a", None)).of("/not/an/id")  # type: ignore[arg-type]
