"""Which version is rolled out, when, and when not."""

from __future__ import annotations

import pytest

from rollout.observation import CommandItem, VersionSeen
from rollout.phases import Flag, Phase
from rollout.record import Tried
from tests.rollout.azure import Azure, Loop
from tests.rollout.journey import HOUR, done, in_canary, in_full, in_shadow, old_is_live
from tests.rollout.world import NEW, OLD, PACE, POLICY, SAFE, V1, V2, V3, alert, command, name_of, version, versions


def test_a_newer_version_ends_a_rollout_that_has_not_given_its_candidate_all_traffic() -> None:
    loop = in_canary()
    loop.look(versions=versions(V1, V2, V3))
    loop.until_read_back()
    assert (loop.phase(), loop.azure.traffic) == (Phase.SUPERSEDED, {OLD: 100})

    loop.look(versions=versions(V1, V2, V3))

    assert loop.record is not None
    assert (loop.record.phase, loop.record.version, loop.record.number) == (Phase.DEPLOYING, "3", 2)
    assert loop.record.candidate == name_of(V3)


def test_a_newer_version_waits_for_a_bake_and_then_has_the_old_deployment_deleted_at_once() -> None:
    loop = in_full()
    loop.look(evidence=SAFE, versions=versions(V1, V2, V3))
    assert loop.phase() is Phase.FULL
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.phase() is Phase.RETIRING

    loop.look(versions=versions(V1, V2, V3))
    assert loop.azure.deployments[OLD] == "Deleting"


@pytest.mark.parametrize("says", ["supersede", "queue", "ignore"])
def test_an_older_version_that_a_person_started_is_not_superseded_by_what_was_tried_before_it(says: str) -> None:
    loop = in_canary()
    loop.policy = POLICY.model_copy(update={"on_new_version": says})
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    v0 = version(0)
    loop.look(commands=(command("start", "0"),), versions=versions(v0, V1, V2))

    loop.look(versions=versions(v0, V1, V2))  # some tag was changed, so the versions are listed again

    assert loop.record is not None
    assert (loop.record.version, loop.record.phase) == ("0", Phase.DEPLOYING)
    loop.look(versions=versions(v0, V1, V2, V3))
    ends_here = says == "supersede"
    assert (loop.phase() is Phase.SUPERSEDED) == ends_here, "what is really new is still newer"


@pytest.mark.parametrize(("says", "started"), [("queue", "3"), ("ignore", "2")])
def test_a_newer_version_that_does_not_supersede_waits_its_turn_or_is_ignored_for_good(says: str, started: str) -> None:
    loop = in_shadow()
    loop.policy = POLICY.model_copy(update={"on_new_version": says})

    loop.look(versions=versions(V1, V2, V3))
    assert loop.phase() is Phase.SHADOW
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2, V3))

    assert loop.record is not None
    assert loop.record.version == started


def test_a_version_that_was_tried_is_not_tried_again_by_itself() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()

    for _ in range(3):
        loop.look(versions=versions(V1, V2))
        assert loop.phase() is Phase.ROLLED_BACK

    again = version(2, created=V3.created)
    loop.look(versions=versions(V1, again))
    assert loop.phase() is Phase.DEPLOYING, "the same version registered again is another one"
    assert loop.record is not None
    assert loop.record.candidate == name_of(again) != NEW


@pytest.mark.parametrize(
    ("known", "why"), [((V1,), "is archived, or no longer listed"), ((V1, V2), "lost a tag that the policy requires")]
)
def test_a_version_that_is_taken_away_meanwhile_goes_back_and_the_reason_says_how(
    known: tuple[VersionSeen, ...], why: str
) -> None:
    loop = in_canary()
    loop.look(versions=versions(*known, eligible=(V1,)))
    loop.until_read_back()
    assert loop.record is not None
    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {OLD: 100})
    assert loop.record.reasons[0] == f"version 2 {why}"


def test_a_version_that_already_serves_all_traffic_starts_no_rollout() -> None:
    loop = old_is_live()
    assert loop.look(versions=versions(V1)) is None


def test_an_older_version_than_the_serving_one_starts_no_rollout_by_itself() -> None:
    loop = Loop(Azure({NEW: 100}, deployments={NEW: "Succeeded"}, models={NEW: V2.id}))
    assert loop.look(versions=versions(V1, V2, eligible=(V1,))) is None


def test_a_person_may_start_any_known_version() -> None:
    loop = done()
    loop.look(commands=(command("start", "1"),), versions=versions(V1, V2))

    assert loop.record is not None
    assert (loop.record.version, loop.record.candidate) == ("1", OLD)


def test_starting_what_is_live_already_changes_nothing_and_says_so() -> None:
    loop = done()
    loop.look(commands=(command("start", "2"),), versions=versions(V1, V2))

    assert loop.record is not None
    assert (loop.record.phase, loop.record.number) == (Phase.DONE, 1)
    assert loop.record.entries[-1].text == "start by ann: she said so; nothing to act on"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (command("start", "9"), "there is no version 9"),
        (command("start", "1"), "version 1 lacks a tag that the policy requires"),
    ],
)
def test_a_start_of_a_version_that_is_unknown_or_not_allowed_begins_nothing_and_says_so(
    asked: CommandItem, why: str
) -> None:
    loop = done()
    loop.look(commands=(asked,), versions=versions(V1, V2, eligible=(V2,)))

    assert loop.record is not None
    assert (loop.record.phase, loop.record.number) == (Phase.DONE, 1)
    assert loop.record.entries[-1].text == f"start by ann: she said so; nothing was begun: {why}"


def test_a_start_where_no_version_is_allowed_begins_nothing_and_says_so() -> None:
    loop = done()
    loop.look(commands=(command("start"),), versions=versions(V1, V2, eligible=()))

    assert loop.record is not None
    assert loop.record.entries[-1].text.endswith("nothing was begun: there is no version that the policy allows")


def test_a_retry_of_a_version_that_lost_its_tag_begins_nothing_and_says_so() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(commands=(command("retry"),), versions=versions(V1, V2, eligible=(V1,)))

    assert loop.record is not None
    assert (loop.record.phase, loop.record.number) == (Phase.ROLLED_BACK, 1)
    assert loop.record.entries[-1].text.endswith("nothing was begun: version 2 lacks a tag that the policy requires")


def test_a_refused_retry_is_told_in_the_rollout_of_the_newer_version_that_begins_in_the_same_look() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(commands=(command("retry"),), versions=versions(V1, V2, V3, eligible=(V1, V3)))

    assert loop.record is not None
    assert loop.record.version == "3"
    assert "nothing was begun: version 2 lacks a tag" in loop.record.entries[0].text


def test_a_retry_rolls_the_same_version_out_again_with_the_deployment_that_is_still_there() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(commands=(command("retry"),), versions=versions(V1, V2))
    assert loop.record is not None
    assert (loop.record.phase, loop.record.candidate) == (Phase.DEPLOYING, NEW)
    assert not loop.record.leftovers, "it is not deleted under the new rollout"

    loop.look()
    assert (loop.phase(), loop.record.live) == (Phase.TESTING, OLD)


def test_a_retry_on_an_endpoint_in_other_hands_waits_like_every_start() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.azure.deployments["by-hand"] = "Succeeded"
    loop.azure.traffic = {OLD: 60, "by-hand": 40}
    loop.look(commands=(command("retry"),), versions=versions(V1, V2))

    loop.look()
    loop.look(HOUR)
    assert loop.record is not None
    assert (loop.phase(), loop.record.flags) == (Phase.DEPLOYING, frozenset({Flag.HELD}))
    assert "in other hands" in loop.record.reasons[0]


def test_versions_that_could_not_be_listed_are_listed_again_at_the_pace_and_not_in_a_loop() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    assert loop.record is not None
    assert loop.record.list_versions

    loop.look(trouble=("429",))
    assert loop.record.list_versions
    assert loop.record.next_look is not None
    assert loop.record.next_look > loop.now


def test_a_finished_rollout_whose_news_could_not_be_listed_is_looked_at_again_at_the_pace() -> None:
    loop = done()
    listed = loop.look(versions=versions(V1, V2))
    assert listed is not None
    assert listed.next_look is None

    unlisted = loop.look(unlisted=True, trouble=("429",))
    assert unlisted is not None
    assert (unlisted.record.list_versions, unlisted.next_look) == (True, loop.now + PACE)

    news = loop.look(versions=versions(V1, V2, V3))
    assert news is not None
    assert news.record.version == "3"


def test_what_was_read_from_the_inbox_is_carried_from_record_to_record() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),), handled=("one",))
    loop.until_read_back(handled=("two", "one"))
    loop.look(versions=versions(V1, V2, V3), handled=("three",))

    assert loop.record is not None
    assert loop.record.number == 2
    assert loop.record.handled == ("one", "two", "three")
    assert Tried("2", V2.created) in loop.record.tried
