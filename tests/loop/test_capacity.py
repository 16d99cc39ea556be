"""Machines before traffic, on the local Azure: quota, stuck and failed operations, autoscale, the slow way back."""

from __future__ import annotations

from typing import Any

import requests

from tests.localcloud.orders import Orders
from tests.loop import stories
from tests.loop.policies import CANARY, FULL, LONG_CANARY, RETIRE, SHADOW
from tests.loop.site import Site
from tests.loop.stories import Story, Told
from tests.loop.waiting import wait_until
from tests.loop.world import World

INSIGHTS = "2022-10-01"


def orders(world: World) -> Orders:
    """Faults; each names its victim's endpoint, since all stories run at once."""
    return Orders(world.env["LOCALCLOUD_URL"], verify=world.env["LOCALCLOUD_CA"])


def arm(world: World, method: str, path: str, body: Any = None, version: str = "2024-10-01") -> requests.Response:
    """A raw call to Azure Resource Manager, as another engineer's script makes it."""
    token = world.credential.get_token("https://management.azure.com/.default").token
    return requests.request(
        method,
        f"{world.env['LOCALCLOUD_URL']}{path}",
        json=body,
        params={"api-version": version},
        headers={"Authorization": f"Bearer {token}"},
        verify=world.env["LOCALCLOUD_CA"],
        timeout=10,
    )


def capacities(world: World, site: Site) -> dict[str, int]:
    """Instances by model version."""
    versions = site.deployments()
    listed = arm(world, "GET", f"{site.endpoint_id}/deployments").json()["value"]
    return {versions[one["name"]]: one["sku"]["capacity"] for one in listed if one["name"] in versions}


def texts(rollout: dict[str, Any]) -> str:
    """The history in one text."""
    return "\n".join(entry["text"] for entry in rollout["history"])


def a_share_waits_for_its_instances_even_when_their_operation_is_stuck_and_no_request_fails(world: World) -> None:
    site = world.live_site(steps=(SHADOW, CANARY, FULL))
    with site.clients() as clients:
        site.register("2")
        site.wait_for("shadow", version="2")
        assert capacities(world, site) == {"1": 4, "2": 2}, "a mirror of 50 % needs half of 4"
        orders(world).give("operation.stuck", match=f"PUT .*/{site.endpoint}/deployments/model", seconds=3)
        done = site.wait_for("done", version="2")
        clients.wait_for_answers(5, by="2")

    assert not clients.failures
    assert capacities(world, site) == {"1": 4, "2": 4}, "the old one keeps its own"
    history = texts(done)
    asked, given = history.index("asked for 4 instances"), history.rindex("asked for live")
    assert asked < given, "first the machines, then the share"


def without_quota_it_holds_and_goes_on_when_quota_returns(world: World) -> None:
    site = world.live_site(steps=(SHADOW, FULL))
    words = "Not enough quota available for SKU. Current usage/limit: 4/6. Additional needed: 8"
    orders(world).give("quota.refused", match=f"{site.endpoint}/deployments/model", message=words)
    with site.clients():
        site.register("2")
        held = site.wait_for_reason("8 more cores are needed, so raise the quota by 6")
        assert (held["phase"], held["flags"]) == ("deploying", ["held"])
        assert site.command("retry").status_code == 202, "a person who got the quota need not wait for the next try"
        site.wait_for("done", version="2")


def a_conflict_and_a_canceled_operation_are_tried_again(world: World) -> None:
    site = world.live_site(steps=(SHADOW, FULL))
    deployment = f"{site.endpoint}/deployments/model"
    orders(world).give("http", match=f"^PUT .*{deployment}", status=409, body={"error": {"code": "Conflict"}})
    orders(world).give(
        "operation.failed", match=f"PUT .*{deployment}", code="OperationCanceled", message="A higher priority one came."
    )
    with site.clients():
        site.register("2")
        done = site.wait_for("done", version="2")
    assert "it is made again" in texts(done)


def instances_that_azure_fails_to_make_send_the_traffic_back(world: World) -> None:
    site = world.live_site(steps=(LONG_CANARY, FULL))
    with site.clients() as clients:
        site.register("2")
        site.wait_for_split({"1": 50, "2": 50})
        orders(world).give("operation.failed", match=f"PUT .*/{site.endpoint}/deployments/model", code="OutOfQuota")
        assert site.command("promote").status_code == 202
        stopped = site.wait_for("rolled_back", version="2")
    assert "OutOfQuota" in stopped["reasons"][0]
    assert site.split() == ({"1": 100}, {})
    assert not clients.failures


def a_deployment_that_becomes_unhealthy_after_promotion_gives_the_traffic_back(world: World) -> None:
    site = world.live_site(steps=(CANARY, "full: {bake: 10m}"))
    with site.clients() as clients:
        site.register("2")
        site.wait_for("full", version="2")
        site.wait_for_split({"2": 100})
        [name] = [name for name, version in site.deployments().items() if version == "2"]
        path = f"{site.endpoint_id}/deployments/{name}"
        orders(world).give("operation.failed", match=f"PUT .*/{name}", code="ResourceNotReady")
        body = arm(world, "GET", path).json()
        sent = {key: body[key] for key in ("location", "tags", "sku", "properties")}
        assert arm(world, "PUT", path, sent).ok
        stopped = site.wait_for("rolled_back", version="2")
    assert "is Failed" in stopped["reasons"][0]
    assert site.split() == ({"1": 100}, {})
    assert not clients.failures


def autoscale_goes_with_the_traffic_and_the_old_setting_with_its_deployment(world: World) -> None:
    site = world.live_site(steps=(CANARY, FULL, RETIRE))
    [old] = site.deployments()
    source = f"{site.endpoint_id}/deployments/{old}"
    names = f"{world.workspace_id.split('/providers/')[0]}/providers/Microsoft.Insights/autoscaleSettings"
    rules = [{"metricTrigger": {"metricName": "CpuUtilizationPercentage", "metricResourceUri": source}}]
    profiles = [{"name": "p", "capacity": {"minimum": "2", "maximum": "6", "default": "2"}, "rules": rules}]
    setting = {"enabled": True, "targetResourceUri": source, "profiles": profiles}
    body = {"location": "westeurope", "properties": setting}
    assert arm(world, "PUT", f"{names}/by-hand-{site.mark}", body, INSIGHTS).ok
    with site.clients():
        site.register("2")
        site.wait_for("done", version="2")

    [name] = site.deployments()
    listed = [one["properties"] for one in arm(world, "GET", names, None, INSIGHTS).json()["value"]]
    [carried] = [one for one in listed if site.endpoint in one["targetResourceUri"].lower()]
    assert carried["targetResourceUri"].lower() == f"{site.endpoint_id}/deployments/{name}".lower()
    assert carried["profiles"][0]["capacity"]["maximum"] == "6"
    assert carried["profiles"][0]["rules"][0]["metricTrigger"]["metricResourceUri"].endswith(name)


def when_the_old_deployment_is_gone_a_rollback_deploys_its_version_again(world: World) -> None:
    site = world.live_site(steps=(SHADOW, FULL, RETIRE), keep="0s")
    with site.clients() as clients:
        site.register("2")
        site.wait_for("done", version="2")
        wait_until(lambda: site.record_now()["list_versions"] is False, seconds=20, told=lambda: str(site.record()))
        answer = site.command("rollback")
        assert answer.status_code == 202
        assert answer.json()["note"].startswith("slow: the deployment must be made again")
        back = site.wait_for("done", version="1")
        clients.wait_for_answers(5, by="1")
        site.wait_until_deployed("1")
    assert (back["kind"], back["number"]) == ("rollback", 2)
    assert not clients.failures
    assert site.split() == ({"1": 100}, {})


@stories.of(
    a_share_waits_for_its_instances_even_when_their_operation_is_stuck_and_no_request_fails,
    without_quota_it_holds_and_goes_on_when_quota_returns,
    a_conflict_and_a_canceled_operation_are_tried_again,
    instances_that_azure_fails_to_make_send_the_traffic_back,
    a_deployment_that_becomes_unhealthy_after_promotion_gives_the_traffic_back,
    autoscale_goes_with_the_traffic_and_the_old_setting_with_its_deployment,
    when_the_old_deployment_is_gone_a_rollback_deploys_its_version_again,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
