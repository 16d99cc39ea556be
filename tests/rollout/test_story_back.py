"""Going back: in the look that sees harm, and again until it is read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.decision import SetTraffic
from rollout.phases import Phase
from rollout.record import Split
from tests.rollout.journey import DAY, HOUR, UNDER_WAY, before_retirement, done, in_canary, in_shadow
from tests.rollout.world import NEW, OLD, PACE, SAFE, V1, V2, V3, alert, decided, versions


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_an_alert_sends_all_traffic_back_in_the_same_look_whatever_the_phase(phase: Phase) -> None:
    loop = UNDER_WAY[phase]()
    assert loop.phase() is phase

    loop.look(alerts=(alert("rollback"),))
    assert loop.azure.under_way == ({OLD: 100}, {})
    loop.until_read_back()

    assert (loop.phase(), loop.azure.traffic, loop.azure.mirror) == (Phase.ROLLED_BACK, {OLD: 100}, {})


@pytest.mark.parametrize("phase", UNDER_WAY)
def test_the_way_back_is_written_again_at_each_look_until_it_is_read_back(phase: Phase) -> None:
    loop = UNDER_WAY[phase]()
    loop.look(alerts=(alert("rollback"),), acts=False)  # the worker died after it had saved its intent

    for fault in ({"lost": True}, {"state": "Failed", "lost": True}):
        loop.look()
        assert loop.azure.under_way == ({OLD: 100}, {})
        loop.azure.settle(**fault)
        assert loop.phase() is Phase.ROLLING_BACK
    loop.look()
    loop.until_read_back()

    assert (loop.phase(), loop.azure.traffic, loop.azure.mirror) == (Phase.ROLLED_BACK, {OLD: 100}, {})


def test_a_write_forward_that_is_still_under_way_when_harm_is_seen_does_not_escape_the_rollback() -> None:
    loop = in_shadow()
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.azure.under_way == ({OLD: 90, NEW: 10}, {})

    loop.look(alerts=(alert("rollback"),), conflict=True)  # refused: the write forward still runs
    assert loop.phase() is Phase.ROLLING_BACK
    loop.azure.settle()
    loop.look()
    loop.until_read_back()

    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {OLD: 100})


def test_back_means_what_is_healthy_now_not_what_was_live_when_the_rollout_began() -> None:
    loop = in_canary()
    loop.azure.deployments |= {OLD: "Failed", "by-hand": "Succeeded"}
    loop.azure.traffic = {"by-hand": 60, NEW: 40}

    loop.look(alerts=(alert("rollback"),))

    assert loop.azure.under_way == ({"by-hand": 100}, {})


def test_with_nothing_healthy_to_go_back_to_the_traffic_stays_until_there_is() -> None:
    loop = in_canary()
    loop.azure.deployments[OLD] = "Failed"

    loop.look(alerts=(alert("rollback"),))
    assert (loop.phase(), loop.azure.under_way) == (Phase.ROLLING_BACK, None)
    loop.azure.deployments[OLD] = "Succeeded"
    loop.look()

    assert loop.azure.under_way == ({OLD: 100}, {})


def test_a_rollback_that_can_go_nowhere_for_a_day_ends_as_failed_so_that_a_newer_version_can_begin() -> None:
    loop = in_canary()
    loop.azure.deployments[OLD] = "Failed"
    loop.look(alerts=(alert("rollback"),))

    loop.look(DAY + HOUR)
    assert (loop.phase(), loop.azure.traffic) == (Phase.FAILED, {OLD: 90, NEW: 10})
    assert loop.record is not None
    assert not loop.record.leftovers, "what has traffic is not marked for deletion"

    loop.look(versions=versions(V1, V2, V3))
    assert loop.record.version == "3"


def test_the_record_says_how_long_it_took_from_harm_to_the_read_back() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.azure.settle()
    loop.look(timedelta(seconds=20))

    assert loop.record is not None
    assert loop.record.reasons == ("alert errors fired", f"all live traffic is on {OLD}, 20.0 s after this was known")
    assert loop.record.entered == loop.now


def test_a_failed_candidate_is_kept_for_its_time_then_its_log_is_saved_and_it_is_deleted() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2))

    loop.look(timedelta(hours=23))
    assert loop.azure.deployments[NEW] == "Succeeded"
    loop.look(HOUR)
    assert loop.azure.deployments[NEW] == "Deleting"
    loop.azure.deploy()
    loop.look()

    assert loop.record is not None
    assert (loop.record.leftovers, loop.record.next_look) == ((), None)


def test_the_last_healthy_deployment_of_an_endpoint_in_use_is_not_deleted_even_when_its_time_has_come() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2))
    loop.azure.deployments[OLD] = "Failed"

    loop.look(2 * DAY)
    assert loop.azure.deployments[NEW] == "Succeeded"

    loop.azure.deployments[OLD] = "Succeeded"
    loop.look()
    assert loop.azure.deployments[NEW] == "Deleting"


def test_the_record_says_how_long_another_operation_blocked_the_way_back() -> None:
    loop = in_shadow()
    loop.look(2 * HOUR, evidence=SAFE)
    assert loop.azure.state == "Updating", "the write of the canary runs"

    loop.look(alerts=(alert("rollback"),), conflict=True)
    loop.look(timedelta(seconds=10), conflict=True)
    loop.azure.settle()
    loop.look(timedelta(seconds=5))
    loop.look(timedelta(seconds=20))
    assert loop.phase() is Phase.ROLLING_BACK, "our own write runs, which blocks nobody"
    loop.azure.settle()
    loop.look(timedelta(seconds=5))

    assert loop.record is not None
    assert loop.record.reasons[-1] == (
        f"all live traffic is on {OLD}, 40.0 s after this was known, 15.0 s of it blocked by Azure"
    )


def test_a_way_back_that_azure_refuses_for_good_is_not_blocked_by_another_operation() -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),), acts=False)
    assert loop.record is not None
    loop.record = replace(loop.record, refused="403", reasons=(*loop.record.reasons, "refused: 403"))
    loop.look()
    loop.until_read_back()

    assert loop.record.blocked_seconds == 0.0
    assert loop.phase() is Phase.ROLLED_BACK


@pytest.mark.parametrize("use", [({NEW: 100}, {}), ({OLD: 100}, {NEW: 20})], ids=["live", "mirrored"])
def test_a_failed_candidate_that_somebody_gave_traffic_is_in_use_and_not_looked_at_for_ever(
    use: tuple[Split, Split],
) -> None:
    loop = in_canary()
    loop.look(alerts=(alert("rollback"),))
    loop.until_read_back()
    loop.look(versions=versions(V1, V2))
    loop.azure.traffic, loop.azure.mirror = use

    loop.look(2 * DAY)

    assert loop.record is not None
    assert (loop.record.leftovers, loop.record.next_look) == ((), None)
    told = [entry.text for entry in loop.record.entries if "is in use" in entry.text]
    assert told == [f"deployment {NEW} is not deleted: somebody gave it traffic, so it is in use"]


def test_after_done_an_alert_opens_a_rollback_and_writes_the_way_back_in_the_same_look() -> None:
    loop = before_retirement()
    assert loop.phase() is Phase.DONE

    loop.look(DAY, alerts=(alert("rollback"),), handled=("alert-1",))

    assert loop.azure.under_way == ({OLD: 100}, {})
    assert loop.record is not None
    assert (loop.record.kind, loop.record.phase, loop.record.number) == ("rollback", Phase.ROLLING_BACK, 2)
    assert loop.record.handled == ("alert-1",)
    loop.until_read_back()
    assert (loop.phase(), loop.azure.traffic) == (Phase.ROLLED_BACK, {OLD: 100})
    loop.look(versions=versions(V1, V2))
    assert loop.record.number == 2, "the version that was taken back is not rolled out again by itself"


def test_after_the_old_deployment_is_gone_an_alert_changes_nothing() -> None:
    loop = done()
    loop.look(versions=versions(V1, V2))
    loop.look(alerts=(alert("rollback"),))

    assert (loop.phase(), loop.azure.traffic, loop.azure.under_way) == (Phase.DONE, {NEW: 100}, None)
    assert loop.record is not None
    assert loop.record.retired, "the door refuses a rollback with this"
    before = before_retirement().record
    assert before is not None
    assert not before.retired


def test_the_old_deployment_unhealthy_after_done_an_alert_does_not_send_traffic_to_it() -> None:
    loop = before_retirement()
    loop.azure.deployments[OLD] = "Failed"
    loop.look(alerts=(alert("rollback"),))

    assert (loop.phase(), loop.azure.under_way) == (Phase.DONE, None)


def test_an_alert_after_done_is_not_lost_to_a_failed_read_of_the_endpoint() -> None:
    loop = before_retirement()
    assert loop.record is not None

    unread = decided(loop.record, None, now=loop.now, alerts=(alert("rollback"),), handled=("alert-1",)).record
    assert unread.wish is not None
    assert unread.next_look is not None, "it is read again at the pace"
    again = decided(unread, loop.azure.seen(), now=loop.now + PACE)

    assert [action for action in again.actions if isinstance(action, SetTraffic)] == [SetTraffic({OLD: 100}, {}, True)]
    assert again.record.reasons[0] == "alert errors fired"


def test_a_way_back_for_which_the_endpoint_cannot_be_read_for_a_day_is_given_up_and_says_so() -> None:
    loop = before_retirement()
    assert loop.record is not None
    asked = decided(loop.record, None, now=loop.now, alerts=(alert("rollback"),)).record

    late = decided(asked, None, now=loop.now + DAY + HOUR).record

    assert (late.wish, late.next_look) == (None, None)
    assert "the endpoint could not be read: alert errors fired" in late.entries[-1].text
