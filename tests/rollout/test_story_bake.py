"""How a bake ends: on evidence that it is safe, after twice its time with too little, and back after a day of none."""

from __future__ import annotations

from datetime import timedelta

from rollout.phases import Phase
from tests.rollout.journey import DAY, HOUR, in_full
from tests.rollout.world import NEW, OLD, POLICY, SAFE, UNKNOWN, command

MINUTE = timedelta(minutes=1)


def test_a_bake_without_any_evidence_goes_back_after_a_day() -> None:
    loop = in_full()
    loop.look(DAY)
    assert loop.phase() is Phase.FULL
    loop.look(2 * HOUR)

    assert loop.azure.under_way == ({OLD: 100}, {})


def test_a_bake_with_too_few_requests_goes_on_with_its_reasons_and_ends_when_there_are_enough() -> None:
    loop = in_full()
    loop.look(90 * MINUTE, evidence=UNKNOWN)
    assert loop.phase() is Phase.FULL
    assert loop.record is not None
    assert loop.record.reasons == (
        "the bake goes on until there is evidence",
        "error_rate: 10 of at least 50 requests seen, 40 more needed",
        "latency_p95: 10 of at least 50 requests seen, 40 more needed",
    )

    loop.look(evidence=SAFE)
    assert loop.phase() is Phase.RETIRING


def test_a_bake_with_too_few_requests_for_twice_its_time_ends_without_a_verdict_and_says_so() -> None:
    loop = in_full()
    loop.look(HOUR, evidence=UNKNOWN)
    loop.look(HOUR, evidence=UNKNOWN)

    assert (loop.phase(), loop.azure.traffic) == (Phase.RETIRING, {NEW: 100})
    assert loop.record is not None
    assert any("over without a verdict: error_rate: 10 of at least 50" in e.text for e in loop.record.entries)


def test_one_read_that_fails_after_a_long_pause_does_not_go_back() -> None:
    loop = in_full()
    loop.look(commands=(command("pause"),), evidence=UNKNOWN)
    for _ in range(3):
        loop.look(DAY - HOUR, evidence=UNKNOWN)
    loop.look(commands=(command("resume"),), trouble=("429",))
    assert (loop.phase(), loop.azure.under_way) == (Phase.FULL, None)

    loop.look(evidence=UNKNOWN)
    assert loop.phase() is Phase.RETIRING


def test_a_bake_that_turned_blind_goes_back_a_day_after_the_last_evidence() -> None:
    loop = in_full()
    loop.look(90 * MINUTE, evidence=UNKNOWN)
    loop.look(23 * HOUR)
    assert loop.phase() is Phase.FULL

    loop.look(2 * HOUR)
    assert loop.azure.under_way == ({OLD: 100}, {})


def test_the_days_in_which_nobody_looked_are_not_blindness() -> None:
    loop = in_full()
    loop.look(HOUR, evidence=UNKNOWN)
    loop.look(3 * DAY, trouble=("429",))
    assert (loop.phase(), loop.azure.under_way) == (Phase.FULL, None)

    for _ in range(30):
        loop.look(HOUR, trouble=("429",))
    assert loop.azure.under_way == ({OLD: 100}, {})


def test_a_bake_that_no_gate_can_judge_ends_in_its_time() -> None:
    loop = in_full()
    only_agreement = POLICY.gates.model_copy(update={"error_rate": None, "latency_p95": None})
    loop.policy = POLICY.model_copy(update={"gates": only_agreement})

    loop.look(30 * MINUTE, evidence=SAFE)
    assert loop.phase() is Phase.FULL
    loop.look(31 * MINUTE, evidence=SAFE)
    assert loop.phase() is Phase.RETIRING
