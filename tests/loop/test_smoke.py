"""Before a version sees any traffic: its inputs, its answers to sample requests; and load where clients are few."""

from __future__ import annotations

import json

from tests.loop import stories
from tests.loop.policies import CANARY, FULL, SHADOW
from tests.loop.site import Site, phases
from tests.loop.stories import Story, Told
from tests.loop.versions import Behaviour
from tests.loop.waiting import wait_until
from tests.loop.world import World, together

APPROVAL = "approval: {at_most: 10m}"
REQUESTS = [{"data": [{"x": number}]} for number in range(0, 90, 10)]
EXPECTED = [{"predictions": [number / 97]} for number in range(0, 90, 10)]
SHAPE = {"type": "object", "required": ["predictions", "version"], "properties": {"predictions": {"type": "array"}}}


def smoke(**keys: object) -> str:
    return f"smoke: {json.dumps(keys)}"


def from_a_file(world: World, site: Site, lines: str) -> str:
    """A file of requests beside the policies; its name."""
    name = f"smoke/{site.mark}.jsonl"
    world.upload("policies", name, lines)
    return name


def a_version_that_answers_as_expected_goes_on_and_one_that_does_not_never_sees_traffic(world: World) -> None:
    good, differing, erring = world.bare_sites(3)
    together([good, differing, erring], Site.deploy_by_hand)
    lines = "".join(f"{json.dumps(request)}\n" for request in REQUESTS)
    for site in (good, differing, erring):
        step = smoke(
            requests_from=from_a_file(world, site, lines),
            expect={"schema": SHAPE, "values": EXPECTED},
            max_latency="20s",
        )
        site.write_policy(steps=(step, APPROVAL, FULL))
        site.wait_until_in_force()
    behaviours = (Behaviour.GOOD, Behaviour.DIFFERS, Behaviour.ERRS)
    together(list(zip((good, differing, erring), behaviours, strict=True)), lambda one: one[0].register("2", one[1]))

    tested = good.wait_for("awaiting_approval", version="2")
    wrong = differing.wait_for("failed", version="2")
    broken = erring.wait_for("failed", version="2")

    assert any("9 smoke requests answered well" in entry["text"] for entry in tested["history"])
    assert any("input schema not compared" in entry["text"] for entry in tested["history"])
    assert "request 1 of 9: at $.predictions[0]: expected 0.0, came 1" in wrong["reasons"][0]
    assert "request 1 of 9: expected status 200, came 424" in broken["reasons"][0]
    for site, ended in ((differing, wrong), (erring, broken)):
        assert "awaiting_approval" not in phases(ended)
        assert site.split() == ({"1": 100}, {})


def a_version_that_no_longer_takes_what_clients_send_is_stopped_by_either_source_unless_the_policy_lets_it(
    world: World,
) -> None:
    by_swagger, by_signature, let_pass, wider = sites = world.bare_sites(4)
    kinds = ("custom_model", "mlflow_model", "custom_model", "mlflow_model")
    for site, kind in zip(sites, kinds, strict=True):
        site.kind, site.inputs = kind, {"x": "long"}
    together(sites, Site.deploy_by_hand)
    for site in sites:
        step = smoke(input_schema="any") if site is let_pass else smoke()
        site.write_policy(steps=(step, APPROVAL, FULL))
    for site in sites:
        site.wait_until_in_force()
    for site in sites:
        site.inputs = {"x": "double"} if site is wider else {"x": "double", "y": "double"}
    together(sites, lambda site: site.register("2"))

    stopped = by_swagger.wait_for("failed", version="2")
    also = by_signature.wait_for("failed", version="2")
    passed = let_pass.wait_for("awaiting_approval", version="2")
    widened = wider.wait_for("awaiting_approval", version="2")

    assert "(swagger.json): data[].y is new and required" in stopped["reasons"][0]
    assert "(MLflow signature): y is new and required" in also["reasons"][0]
    assert not any("input schema" in entry["text"] for entry in passed["history"])
    assert any("compatible by MLflow signature, 1 inputs" in entry["text"] for entry in widened["history"])


def an_endpoint_without_clients_is_judged_on_load_that_is_marked_as_such(world: World) -> None:
    site = world.bare_site()
    site.deploy_by_hand()
    load = f", load: {json.dumps({'requests': REQUESTS, 'per_minute': 600})}}}"
    site.write_policy(steps=(SHADOW.replace("}", load), CANARY.replace("}", load), FULL))
    site.wait_until_in_force()
    site.register("2")

    done = site.wait_for("done", version="2")

    assert phases(done) == ["deploying", "shadow", "canary", "full", "done"]
    said = [entry["text"] for entry in done["history"]]
    assert said.count("600 recorded requests a minute are sent as load") == 2, "once in each step"
    canary = next(text for text in said if text.startswith("canary"))
    assert "were load" in canary
    assert "agreement" in canary, "load is mirrored as a client's requests are"


def load_that_cannot_be_sent_is_told_and_never_promotes(world: World) -> None:
    site = world.bare_site()
    site.deploy_by_hand()
    site.write_policy(steps=(SHADOW.replace("}", ", load: {requests_from: nowhere.jsonl}}"), FULL))
    site.wait_until_in_force()
    site.register("2")

    told = "no load was sent: there is no blob policies/nowhere.jsonl: upload it beside the policy"
    waiting = site.wait_for_reason(told)
    assert waiting["phase"] == "shadow"
    world.upload("policies", "nowhere.jsonl", json.dumps(REQUESTS))
    wait_until(
        lambda: "were load" in str(site.now()["history"]) or site.now()["phase"] == "done",
        seconds=60,
        told=lambda: str(site.now()),
    )
    world.blobs.get_blob_client("policies", "nowhere.jsonl").delete_blob()


@stories.of(
    a_version_that_answers_as_expected_goes_on_and_one_that_does_not_never_sees_traffic,
    a_version_that_no_longer_takes_what_clients_send_is_stopped_by_either_source_unless_the_policy_lets_it,
    an_endpoint_without_clients_is_judged_on_load_that_is_marked_as_such,
    load_that_cannot_be_sent_is_told_and_never_promotes,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
