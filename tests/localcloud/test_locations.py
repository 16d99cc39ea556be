"""What a region has and what the caller may do there, by the documented shapes."""

from __future__ import annotations

from localcloud.arm.locations import CLUSTERS_ONLY, FAMILIES
from localcloud.arm.quota import cores_needed
from tests.localcloud.arm_cloud import SIZE, ArmCloud
from tests.localcloud.orders import Orders


def region(arm: ArmCloud, what: str) -> list[dict[str, object]]:
    """A list of the region."""
    subscription = arm.workspace_id.split("/resourceGroups/")[0]
    path = f"{subscription}/providers/Microsoft.MachineLearningServices/locations/westeurope/{what}"
    found: list[dict[str, object]] = arm.call("GET", path).json()["value"]
    return found


def test_sizes_tell_their_family_their_cores_and_whether_endpoints_take_them(arm: ArmCloud) -> None:
    sizes = {one["name"]: one for one in region(arm, "vmSizes")}
    assert (sizes[SIZE]["family"], sizes[SIZE]["vCPUs"]) == ("standardFSv2Family", 2)
    assert "MIR" in str(sizes[SIZE]["supportedComputeTypes"])
    assert "MIR" not in str(sizes[CLUSTERS_ONLY["DSv2"][0]]["supportedComputeTypes"])


def test_usages_count_the_cores_of_deployments_with_a_fifth_more(arm: ArmCloud) -> None:
    def used() -> dict[object, object]:
        return {one["name"]["value"]: one["currentValue"] for one in region(arm, "usages")}  # type: ignore[index]

    family, total = "Standard FSv2 Family Cluster Dedicated vCPUs", "Total Cluster Dedicated Regional vCPUs"
    before = used()
    assert len(before) == len(FAMILIES) + 1
    endpoint = arm.endpoint()
    assert arm.ended(arm.put_deployment(endpoint, "blue", capacity=3))["status"] == "Succeeded"

    after = used()

    more = cores_needed(SIZE, 3)
    assert (after[family], after[total]) == (int(str(before[family])) + more, int(str(before[total])) + more)


def test_permissions_are_told_at_any_scope_and_without_what_a_fault_takes(arm: ArmCloud, orders: Orders) -> None:
    endpoint = arm.endpoint_path("any")
    group = arm.workspace_id.split("/providers/")[0]
    orders.give("role.missing", match="/onlineEndpoints/any$", actions=["*/write"])
    for scope, lacking in ((endpoint, ["*/write"]), (endpoint, []), (group, [])):
        (told,) = arm.call("GET", f"{scope}/providers/Microsoft.Authorization/permissions").json()["value"]
        assert (told["actions"], told["notActions"], told["dataActions"]) == (["*"], lacking, ["*"])
