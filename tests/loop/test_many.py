"""Many endpoints under one policy: a wildcard's models each on their own, and targets one after the other."""

from __future__ import annotations

from azure.ai.ml.entities import ManagedOnlineEndpoint

from tests.loop import stories
from tests.loop.policies import policy_text
from tests.loop.site import Site
from tests.loop.stories import Story, Told
from tests.loop.waiting import wait_until
from tests.loop.world import World, together

SOAK_SECONDS = 8


def at(world: World, site: Site, *, policy: str, target: str, model: str, endpoint: str) -> Site:
    """The site under a policy, a target and names that it shares with others."""
    site.policy, site.model, site.endpoint = policy, model, endpoint
    site.endpoint_id = f"{world.workspace_id}/onlineEndpoints/{endpoint}"
    site.path = f"rollouts/{policy}/{target}/{endpoint}"
    return site


def sites(world: World, count: int) -> list[Site]:
    """Sites whose names are still to be given; they are taken away afterwards."""
    found = [Site(world, mark) for mark in world.marks(count)]
    world.look_after(found)
    return found


def with_endpoints(world: World, *where: Site) -> None:
    """Somebody creates the endpoints; Understudy never does."""
    made = [ManagedOnlineEndpoint(name=site.endpoint, auth_mode="key") for site in where]
    together(made, lambda one: world.ml.online_endpoints.begin_create_or_update(one).result())


def each_model_of_a_wildcard_goes_to_the_endpoint_of_its_own_name(world: World) -> None:
    north, south, other = sites(world, 3)
    policy, mark = f"policy-{north.mark}", north.mark
    for site, name in ((north, f"sales-{mark}-north"), (south, f"sales-{mark}-south"), (other, f"stock-{mark}")):
        at(world, site, policy=policy, target="local", model=name, endpoint=name)
    with_endpoints(world, north, south, other)
    text = policy_text(policy, f'"sales-{mark}-*"', '"{model}"', world.stack.settings)
    world.upload("policies", f"{policy}.yaml", text)
    north.wait_until_in_force()

    north.register("1")
    south.register("1")
    other.register("1")

    north.wait_for("done", version="1")
    south.wait_for("done", version="1")
    assert (north.split(), south.split()) == (({"1": 100}, {}), ({"1": 100}, {}))
    assert other.rollout() is None
    assert not other.deployments()


def an_endpoint_to_which_two_models_names_come_serves_only_the_first_and_the_other_is_told(world: World) -> None:
    (first,) = sites(world, 1)
    second, mark = Site(world, first.mark), first.mark
    policy, endpoint = f"policy-{mark}", f"twin-{mark}-a"
    for site, model in ((first, f"twin-{mark}.a"), (second, f"twin-{mark}_a")):
        at(world, site, policy=policy, target="local", model=model, endpoint=endpoint)
    with_endpoints(world, first)
    world.upload(
        "policies", f"{policy}.yaml", policy_text(policy, f'"twin-{mark}*"', '"{model}"', world.stack.settings)
    )
    first.wait_until_in_force()
    first.register("1")
    first.wait_for("done", version="1")
    before = set(first.record_now()["handled"])

    second.register("2")

    first.wait_until("its event was taken in", lambda _: bool(set(first.record_now()["handled"]) - before))
    told = f"the models {first.model} and {second.model} would share endpoint {endpoint}"
    wait_until(lambda: told in str(world.health()), seconds=60, told=lambda: str(world.health()), every=0.2)
    assert (first.record_now()["model"], first.split()) == (first.model, ({"1": 100}, {}))
    assert list(first.deployments().values()) == ["1"]


def a_version_comes_to_the_second_target_when_it_is_done_and_has_soaked_at_the_first(world: World) -> None:
    staging, production = sites(world, 2)
    policy, model = f"policy-{staging.mark}", f"model-{staging.mark}"
    for site, target in ((staging, "staging"), (production, "production")):
        at(world, site, policy=policy, target=target, model=model, endpoint=f"{target}-{staging.mark}")
    with_endpoints(world, staging, production)
    text = policy_text(policy, model, staging.endpoint, world.stack.settings)
    first = text[text.index("  - name: local") : text.index("deployment:")].replace("name: local", "name: staging")
    second = first.replace("staging", "production") + f"    soak: {SOAK_SECONDS}s\n"
    world.upload("policies", f"{policy}.yaml", text.replace(first.replace("staging", "local", 1), first + second))
    staging.wait_until_in_force()

    staging.register("1")

    queued = production.wait_for_reason("waits for target staging")
    assert queued["flags"] == ["queued_for_target"]
    staging.wait_for("done", version="1")
    production.wait_for_reason("soaks: version 1 is live at target staging")
    assert not production.deployments()
    production.wait_for("done", version="1")
    assert (staging.split(), production.split()) == (({"1": 100}, {}), ({"1": 100}, {}))


@stories.of(
    each_model_of_a_wildcard_goes_to_the_endpoint_of_its_own_name,
    an_endpoint_to_which_two_models_names_come_serves_only_the_first_and_the_other_is_told,
    a_version_comes_to_the_second_target_when_it_is_done_and_has_soaked_at_the_first,
)
def test(story: Story, told: Told) -> None:
    told.to_its_end(story)
