"""The running app starts no rollout while a right or the logs are missing, says what mends it, and then goes on."""

from __future__ import annotations

import requests
from azure.identity import ManagedIdentityCredential

from localcloud.monitor.diagnostics import GIVEN
from tests.localcloud.orders import Orders
from tests.loop import stories
from tests.loop.policies import CANARY, FULL, RETIRE
from tests.loop.site import Site
from tests.loop.stories import Story, Told
from tests.loop.world import World

STEPS = (CANARY, FULL, RETIRE)


def without_logs(world: World, site: Site) -> None:
    """Somebody deletes the endpoint's diagnostic setting."""
    assert arm(world, site, "DELETE").ok


def arm(world: World, site: Site, method: str, body: object = None) -> requests.Response:
    """A call about the endpoint's diagnostic setting."""
    token = ManagedIdentityCredential().get_token("https://management.azure.com/.default").token
    url = f"{world.env['LOCALCLOUD_URL']}{site.endpoint_id}/providers/Microsoft.Insights/diagnosticSettings/{GIVEN}"
    return requests.request(
        method,
        url,
        json=body,
        params={"api-version": "2021-05-01-preview"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )


def forget(world: World, fault: int) -> None:
    """The fault is over; those of the other stories stay."""
    requests.delete(f"{world.env['LOCALCLOUD_URL']}/localcloud/faults/{fault}", timeout=5).raise_for_status()


def setting(world: World) -> object:
    """A setting that sends everything."""
    of = world.stack.settings
    group = f"/subscriptions/{of.subscription_id}/resourceGroups/{of.resource_group}"
    workspace = f"{group}/providers/Microsoft.OperationalInsights/workspaces/logs-local"
    return {"properties": {"workspaceId": workspace, "logs": [{"categoryGroup": "allLogs", "enabled": True}]}}


def a_rollout_waits_for_its_logs_and_begins_when_somebody_sends_them(world: World) -> None:
    site = world.live_site(steps=STEPS)
    without_logs(world, site)
    with site.clients() as clients:
        site.register("2")
        held = site.wait_for_reason("diagnostic setting: AmlOnlineEndpointTrafficLog")
        assert (held["phase"], held["flags"]) == ("deploying", ["held"])
        assert "az monitor diagnostic-settings create --name understudy" in held["reasons"][0]
        assert site.deployments() == {f"by-hand-{site.mark}-1": "1"}

        assert arm(world, site, "PUT", setting(world)).ok
        site.wait_for("done", version="2")
    assert not clients.failures


def a_missing_right_holds_the_start_until_somebody_gives_it_and_says_retry(world: World) -> None:
    site, orders = world.live_site(steps=STEPS), Orders(world.env["LOCALCLOUD_URL"])
    number = orders.give("role.missing", match=f"/{site.endpoint}$", times=10_000, actions=["*/deployments/write"])
    with site.clients() as clients:
        site.register("2")
        held = site.wait_for_reason("rights on the endpoint")
        assert "lacks Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments/write" in str(held)
        assert "--role 'AzureML Data Scientist'" in held["reasons"][0]

        forget(world, number)
        assert site.command("retry").status_code == 202
        site.wait_for("done", version="2")
    assert not clients.failures


def a_start_asks_for_rights_and_for_settings_once(world: World) -> None:
    site, orders = world.live_site(steps=STEPS), Orders(world.env["LOCALCLOUD_URL"])
    seen = [
        orders.give("http", match=f"GET {site.endpoint_id}/providers/{path}", times=100, delay_seconds=0)
        for path in ("Microsoft.Authorization/permissions", "Microsoft.Insights/diagnosticSettings")
    ]
    with site.clients():
        site.register("2")
        site.wait_for("done", version="2")
    assert [len(orders.struck(number)) for number in seen] == [1, 1]
    for number in seen:
        forget(world, number)


@stories.of(
    a_rollout_waits_for_its_logs_and_begins_when_somebody_sends_them,
    a_missing_right_holds_the_start_until_somebody_gives_it_and_says_retry,
    a_start_asks_for_rights_and_for_settings_once,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
