"""A version goes out by itself step by step, or is stopped before any client sees it."""

from __future__ import annotations

from contextlib import ExitStack

from tests.loop import stories
from tests.loop.alerts import metric_alert
from tests.loop.policies import CANARY, FULL, LONG_SHADOW, RETIRE, SHADOW
from tests.loop.site import phases
from tests.loop.stories import Story, Told
from tests.loop.versions import Behaviour
from tests.loop.world import World, together


def a_first_version_gets_all_traffic_and_the_next_replaces_it_step_by_step_without_a_failed_request(
    world: World,
) -> None:
    site = world.site(steps=(SHADOW, CANARY, "full: {bake: 1s}", "retire: {after: 1s}"))
    site.register("1")
    first = site.wait_for("done", version="1")
    assert phases(first) == ["deploying", "full", "done"]
    assert site.split() == ({"1": 100}, {})

    with site.clients() as clients:
        site.register("2")
        second = site.wait_for("done", version="2")
        clients.wait_for_answers(5, by="2")
    assert phases(second) == ["deploying", "shadow", "canary", "full", "retiring", "done"]
    assert site.split() == ({"2": 100}, {})
    assert list(site.deployments().values()) == ["2"]
    assert not clients.failures
    assert "deploying" in site.replayed(1)
    assert "retiring" in site.replayed(2)
    assert [(one["number"], one["version"], one["phase"]) for one in site.now()["earlier"]] == [(1, "1", "done")]


def of_four_versions_at_once_only_the_good_one_goes_out_and_no_client_ever_sees_another(world: World) -> None:
    sites = world.live_sites(4, steps=(SHADOW, FULL, RETIRE), keep="1s")
    behaviours = (Behaviour.GOOD, Behaviour.DIFFERS, Behaviour.ERRS, Behaviour.NEVER_STARTS)
    with ExitStack() as stack:
        clients = [stack.enter_context(site.clients()) for site in sites]
        together(list(zip(sites, behaviours, strict=True)), lambda one: one[0].register("2", one[1]))
        good, differing, erring, broken = sites
        good.wait_for("done", version="2")
        stopped = differing.wait_for("rolled_back", version="2")
        failed = erring.wait_for("rolled_back", version="2")
        never_up = broken.wait_for("failed", version="2")
        clients[0].wait_for_answers(5, by="2")
        for site in (differing, erring, broken):
            site.wait_until_deployed("1")

    assert phases(stopped) == phases(failed) == ["deploying", "shadow", "rolling_back", "rolled_back"]
    assert "agreement" in stopped["reasons"][0]
    assert "error_rate" in failed["reasons"][0]
    assert "deployment failed" in never_up["reasons"][0]
    for one, site in zip(clients[1:], (differing, erring, broken), strict=True):
        assert set(one.answers) == {"1"}
        assert site.split() == ({"1": 100}, {})
    assert not any(one.failures for one in clients)
    logs = [name for name in differing.history() if name.endswith(".log")]
    assert logs == [f"1.{stopped['candidate']}.log"], "the stopped candidate's log is kept beside its rollout"
    for site in sites:
        assert "byte for byte" in site.replayed(1)


OWN_GATE = """{name: refused, harm: 0.05, safe: 0.10, query: "AmlOnlineEndpointTrafficLog
  | where TimeGenerated >= since and TimeGenerated < until | where _ResourceId =~ resource
  | summarize requests = count(), counted = countif(ResponseCode == 400) by DeploymentName"}"""


def with_an_alpha_a_good_version_is_shown_safe_and_one_that_errs_harmful_by_tests_that_may_be_looked_at_any_time(
    world: World,
) -> None:
    sites = world.live_sites(2, steps=(SHADOW, FULL, RETIRE), gates=f"alpha: 0.05\n  queries: [{OWN_GATE}]")
    with ExitStack() as stack:
        clients = [stack.enter_context(site.clients()) for site in sites]
        together(
            list(zip(sites, (Behaviour.GOOD, Behaviour.ERRS), strict=True)), lambda one: one[0].register("2", one[1])
        )
        good, erring = sites
        shown = erring.wait_for("rolled_back", version="2")
        waits = good.wait_for_reason("more at this rate")
        released = good.wait_for("done", version="2")

    assert "harm is shown, evidence" in shown["reasons"][0]
    assert waits["phase"] == "shadow"
    assert any("safety is shown, evidence" in line["text"] for line in released["history"])
    assert any("refused: 0 of" in line["text"] for line in released["history"]), "the policy's own query judged, too"
    assert set(clients[1].answers) == {"1"}
    assert not any(one.failures for one in clients)
    for site in sites:
        assert "byte for byte" in site.replayed(1)


def a_version_registered_while_another_is_in_its_shadow_takes_its_place(world: World) -> None:
    site = world.live_site(steps=(LONG_SHADOW, FULL, RETIRE))
    with site.clients() as clients:
        site.register("2")
        site.wait_for("shadow", version="2")
        site.wait_for_split(live={"1": 100}, mirror={"2": 50})
        site.register("3")
        site.wait_for("shadow", version="3")
        site.wait_for_split(live={"1": 100}, mirror={"3": 50})
    assert set(clients.answers) == {"1"}
    assert not clients.failures
    assert "superseded" in site.replayed(1)


def an_endpoint_in_other_hands_is_left_alone_and_the_rollout_says_so(world: World) -> None:
    site = world.bare_site()
    site.deploy_by_hand("1")
    site.deploy_by_hand("2", share=30)
    site.write_policy()
    site.register("3")
    waiting = site.wait_for_reason("in other hands")
    assert (waiting["phase"], waiting["flags"]) == ("deploying", ["held"])
    world.alert(metric_alert(site.endpoint_id))
    site.wait_for("rolled_back", version=waiting["version"])
    assert site.split() == ({"1": 70, "2": 30}, {})
    assert sorted(site.deployments().values()) == ["1", "2"]


@stories.of(
    a_first_version_gets_all_traffic_and_the_next_replaces_it_step_by_step_without_a_failed_request,
    of_four_versions_at_once_only_the_good_one_goes_out_and_no_client_ever_sees_another,
    with_an_alpha_a_good_version_is_shown_safe_and_one_that_errs_harmful_by_tests_that_may_be_looked_at_any_time,
    a_version_registered_while_another_is_in_its_shadow_takes_its_place,
    an_endpoint_in_other_hands_is_left_alone_and_the_rollout_says_so,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
