"""Which split each step wants, what "back" means, and what is somebody else's."""

from __future__ import annotations

import pytest

from rollout.endpoint import EndpointSeen
from rollout.phases import Phase
from rollout.record import Split
from rollout.traffic import back, foreign, is_split, nowhere_back, sole_live, wanted
from tests.rollout.world import NEW, OLD, POLICY, SPLITS, deployment, endpoint, standing

WANTING = [phase for phase in SPLITS if phase not in (Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.SUPERSEDED)]


@pytest.mark.parametrize("phase", [p for p in WANTING if p is not Phase.FAILED])
def test_each_phase_wants_the_split_of_its_step_or_of_the_last_step_that_had_one(phase: Phase) -> None:
    assert wanted(POLICY, standing(phase)) == SPLITS[phase]


@pytest.mark.parametrize(
    ("phase", "expected"),
    [(Phase.TESTING, {}), (Phase.SHADOW, {}), (Phase.CANARY, {}), (Phase.FULL, {NEW: 100})],
)
def test_a_first_version_gets_all_traffic_or_none(phase: Phase, expected: Split) -> None:
    assert wanted(POLICY, standing(phase, live=None)) == (expected, {})


def others(traffic: dict[str, int], **states: str) -> EndpointSeen:
    """An endpoint with deployments of any name, each in the state given."""
    return EndpointSeen("Succeeded", traffic, {}, {n: deployment(n, s) for n, s in states.items()})


def test_back_is_what_was_live_when_it_is_healthy_even_with_no_traffic_now() -> None:
    assert back(standing(Phase.FULL), endpoint({NEW: 100})) == OLD


@pytest.mark.parametrize("state", ["Updating", "Scaling"])
def test_a_deployment_that_is_being_changed_still_serves(state: str) -> None:
    assert back(standing(Phase.FULL), endpoint({NEW: 100}, old=state)) == OLD


@pytest.mark.parametrize("state", ["Failed", "Creating", "Deleting", "Canceled", ""])
def test_back_is_not_what_cannot_serve(state: str) -> None:
    assert back(standing(Phase.FULL), endpoint({NEW: 100}, old=state)) is None


def test_where_live_is_not_healthy_back_is_the_healthy_one_with_the_largest_share() -> None:
    seen = others({"a": 20, "b": 50, "c": 30, NEW: 0}, a="Succeeded", b="Failed", c="Succeeded")

    assert back(standing(Phase.CANARY, live="gone"), seen) == "c"


def test_back_is_never_the_candidate_nor_one_that_has_no_traffic() -> None:
    seen = others({NEW: 100}, idle="Succeeded", **{NEW: "Succeeded"})

    assert back(standing(Phase.FULL, live=None), seen) is None


@pytest.mark.parametrize(
    ("traffic", "old", "nowhere"),
    [
        ({NEW: 100}, "", True),
        ({NEW: 100}, "Deleting", True),
        ({NEW: 100}, "Failed", False),
        ({NEW: 100}, "Succeeded", False),
        ({}, "", False),
    ],
    ids=["gone", "being deleted", "may recover", "healthy", "candidate serves nobody"],
)
def test_there_is_nowhere_to_go_back_to_only_when_what_was_live_is_gone(
    traffic: Split, old: str, nowhere: bool
) -> None:
    assert nowhere_back(standing(Phase.FULL), endpoint(traffic, old=old)) is nowhere


def test_a_split_is_compared_with_its_mirror() -> None:
    seen = endpoint({OLD: 100}, {NEW: 20})

    assert is_split(seen, {OLD: 100}, {NEW: 20})
    assert not is_split(seen, {OLD: 100}, {})
    assert not is_split(seen, {OLD: 100}, {NEW: 10})
    assert not is_split(seen, {OLD: 90, NEW: 10}, {NEW: 20})


def test_a_split_is_foreign_when_it_was_neither_seen_nor_asked_for() -> None:
    record = standing(Phase.CANARY, traffic={OLD: 100}, asked=({OLD: 90, NEW: 10}, {}))
    goal = ({OLD: 90, NEW: 10}, dict[str, int]())

    assert not foreign(record, endpoint({OLD: 100}), goal), "seen before"
    assert not foreign(record, endpoint({OLD: 90, NEW: 10}), goal), "asked for"
    assert foreign(record, endpoint({OLD: 50, NEW: 50}), goal)
    assert foreign(record, endpoint({}), goal)


def test_a_mirror_is_foreign_when_it_was_neither_seen_nor_asked_for() -> None:
    record, goal = standing(Phase.SHADOW), SPLITS[Phase.SHADOW]

    assert not foreign(record, endpoint(*goal), goal)
    assert foreign(record, endpoint({OLD: 100}, {NEW: 50}), goal) == f"the mirror to 50 % {NEW}"
    assert foreign(record, endpoint({OLD: 100}, {"theirs": 20}), goal)
    assert foreign(standing(Phase.CANARY), endpoint(*SPLITS[Phase.CANARY][:1], {"theirs": 20}), SPLITS[Phase.CANARY])


def test_a_lost_mirror_is_not_foreign() -> None:
    assert not foreign(standing(Phase.SHADOW), endpoint({OLD: 100}), SPLITS[Phase.SHADOW])


@pytest.mark.parametrize(
    ("traffic", "mirror", "expected"),
    [
        ({}, {}, (True, None)),
        ({"a": 100}, {}, (True, "a")),
        ({"a": 90, "b": 10}, {}, (False, None)),
        ({"a": 100}, {"b": 10}, (False, None)),
        ({}, {"b": 10}, (False, None)),
    ],
)
def test_a_rollout_starts_from_one_live_deployment_or_none_and_no_mirror(
    traffic: Split, mirror: Split, expected: tuple[bool, str | None]
) -> None:
    assert sole_live(endpoint(traffic, mirror)) == expected
