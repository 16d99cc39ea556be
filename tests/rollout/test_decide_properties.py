"""Whatever happens, in whatever order, to whatever policy: what `decide` never does, and what it always does.

Hypothesis plays Azure, the clients, the people and the clock. Every look is checked against rules that are written
here from the outside (from what the endpoint showed and what was said), not with the product's own helpers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Examples
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from policy.gates import CostGate, DriftGate, Gates
from policy.hooks import Moment
from policy.model import DeploymentSettings, Drift, Export, Hook, Load, Policy
from policy.steps import Approval, Canary, Check, Full, Retire, Shadow, Step, Then, Wait
from policy.steps import Smoke as SmokeStep
from rollout.commands import ACTIONS, Command, refusal
from rollout.drift_gate import DriftSeen
from rollout.hooks import START
from rollout.machines import Machines
from rollout.observation import AlertItem, CommandItem, Freeze, HookAnswer, Smoke, VersionSeen
from rollout.phases import TERMINAL, Flag, Phase
from rollout.place import Place
from rollout.record import Checked, Record
from rollout.replay import replay
from rollout.verdict import Evidence
from tests.rollout.azure import Azure, Loop
from tests.rollout.outside import AFFORDABLE, TOO_DEAR, Decided
from tests.rollout.world import (
    HARM,
    NOW,
    OLD,
    PACE,
    PLACE,
    POLICY,
    POLICY_TEXT,
    SAFE,
    UNKNOWN,
    V1,
    alert,
    command,
    freeze,
    policy_of,
    version,
    versions,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SELDOM = timedelta(hours=11)
"""Between two looks at what stands still: by and by at every hour of the day."""
UNJUDGED = (Phase.DEPLOYING, Phase.TESTING, Phase.ROLLING_BACK)
AGES = st.sampled_from([timedelta(), timedelta(), HOUR])
BY_HAND = "by-hand"
THENS: tuple[Then, ...] = ("hold", "rollback")
EVIDENCE: dict[str, Evidence | None] = {"none": None, "safe": SAFE, "unknown": UNKNOWN, "harm": HARM}

SILENCES = ("peace", "peace", "a lock", "no machines", "no evidence", "no endpoint")
"""What Azure is like when nothing happens any more."""
NIGHTLY = policy_of(
    f'{POLICY_TEXT}freeze: [{{from: "18:00", to: "08:00", time_zone: UTC, reason: nobody is here}}]'
).freeze
LONGEST_WAITS = 11 * DAY
"""What the waits of a rollout may last beyond the longest stays of its steps and `failed.keep` (decision 0004)."""

UNPRICED = Machines("small", "large", problem="the price list does not answer")
GATES = (Gates(), Gates(drift=DriftGate(max_share=0.3)), Gates(cost=CostGate(max_ratio=1000)))
LOADS = st.sampled_from([None, Load(requests=({"data": [1]},), per_minute=60)])


@st.composite
def step_lists(draw: st.DrawFn) -> tuple[Step, ...]:
    """Every order of steps that a policy may have."""
    percents = sorted(draw(st.sets(st.integers(1, 99), max_size=2)))
    spine: list[Step] = [SmokeStep()] if draw(st.booleans()) else []
    if draw(st.booleans()):
        spine.append(Shadow(mirror_percent=draw(st.integers(1, 50)), at_least=HOUR, load=draw(LOADS)))
    spine += [Canary(traffic_percent=percent, load=draw(LOADS)) for percent in percents]
    steps: list[Step] = []
    then: Then = draw(st.sampled_from(THENS))
    between = st.sampled_from([None, None, Approval(then=then), Wait(at_least=HOUR), Check(then=then)])
    for step in spine:
        steps.append(step)
        if (extra := draw(between)) is not None:
            steps.append(extra)
    steps.append(Full())
    if draw(st.booleans()):
        steps.append(Retire())
    return tuple(steps)


MOMENTS: tuple[Moment, ...] = ("start", "shadow", "canary", "full", "retire")
BOARD = "board"


def hooks_before(moments: tuple[Moment, ...]) -> tuple[Hook, ...]:
    return (Hook(name=BOARD, url="https://board.example/", before=moments),) if moments else ()


policies = st.builds(
    lambda steps, gates, count, adopt, newer, foreign, keep, windows, before: POLICY.model_copy(
        update={
            "gates": gates,
            "drift": Drift(),
            "export": Export(),
            "steps": steps,
            "freeze": windows,
            "keep": keep,
            "deployment": DeploymentSettings(instance_count=count),
            "adopt": adopt,
            "on_new_version": newer,
            "foreign_change": foreign,
            "hooks": hooks_before(before),
        }
    ),
    step_lists(),
    st.sampled_from(GATES),
    st.sampled_from([None, None, 1, 4]),
    st.booleans(),
    st.sampled_from(["supersede", "queue", "ignore"]),
    st.sampled_from(["hold", "restore"]),
    st.sampled_from([0, 0, 1, 2]),
    st.sampled_from([(), (), NIGHTLY]),
    st.sampled_from([(), (), MOMENTS, ("start",), ("canary", "full"), ("retire",)]),
)


def longest_stay(step: Step) -> timedelta:
    """How long a step may last when it is left for the next one."""
    if isinstance(step, Full):
        return 2 * step.bake
    return next((getattr(step, name) for name in ("at_most", "after", "at_least") if hasattr(step, name)), timedelta())


class Rollouts(RuleBasedStateMachine):
    """One endpoint, its rollouts one after the other, and everything that can come between."""

    loop: Loop
    place = PLACE

    @initialize(
        policy=policies,
        empty=st.sampled_from([True, False, False]),
        head_start=st.integers(0, 14),
        silence=st.sampled_from(SILENCES),
        last_word=st.sampled_from(["none", "pause", "hold"]),
    )
    def an_endpoint(self, policy: Policy, empty: bool, head_start: int, silence: str, last_word: str) -> None:
        """With version 1 in service or with nothing, and a rollout that has come some way in peace."""
        self.silence, self.last_word = silence, last_word
        azure = Azure() if empty else Azure({OLD: 100}, deployments={OLD: "Succeeded"}, models={OLD: V1.id})
        self.loop = Loop(azure, policy, place=self.place)
        self.known: list[VersionSeen] = [V1]
        self.untagged: set[str] = set()
        self.news = empty
        self.quality = "safe"
        self.alerts: list[AlertItem] = []
        self.commands: list[CommandItem] = []
        self.freezes: list[Freeze] = []
        self.blind_to_freezes = False
        self.board: bool | None = True
        """Whether it gives leave; None: it does not answer."""
        self.checks: Checked | None = Checked(NOW)
        self.share: float | None = 0.0
        self.machines: Machines | None = AFFORDABLE
        self.passes: set[tuple[int, int]] = set()
        """(rollout, step) that an alert or a person let pass."""
        if head_start:
            self.the_models_versions_change(more=not empty)
        for _ in range(head_start):
            self.calm_look("safe", command("approve"))

    # What Azure does.

    @rule(lost=st.booleans(), state=st.sampled_from(["Succeeded", "Succeeded", "Failed"]))
    def azure_ends_the_write(self, lost: bool, state: str) -> None:
        self.loop.azure.settle(lost=lost or state == "Failed", state=state)

    @rule(state=st.sampled_from(["Succeeded", "Succeeded", "Succeeded", "Failed", "Canceled"]))
    def azure_ends_what_it_does_with_deployments(self, state: str) -> None:
        self.loop.azure.deploy(state)

    @rule(data=st.data(), state=st.sampled_from(["Failed", "Succeeded", "Updating"]))
    def a_deployment_changes_its_state(self, data: st.DataObject, state: str) -> None:
        there = sorted(n for n, s in self.loop.azure.deployments.items() if s not in ("Creating", "Deleting"))
        if there:
            self.loop.azure.deployments[data.draw(st.sampled_from(there))] = state

    @rule(now=st.booleans())
    def azure_has_no_more_machines(self, now: bool) -> None:
        self.loop.azure.no_quota = now

    @rule(now=st.booleans())
    def a_lock_forbids_deletions(self, now: bool) -> None:
        self.loop.azure.locked = now

    # What others do.

    @rule(data=st.data(), instances=st.sampled_from([1, 3, 20]))
    def another_scales_a_deployment(self, data: st.DataObject, instances: int) -> None:
        if there := sorted(self.loop.azure.deployments):
            self.loop.azure.sizes[data.draw(st.sampled_from(there))] = instances

    @rule()
    def an_old_client_drops_the_mirror(self) -> None:
        self.loop.azure.mirror = {}

    @rule(data=st.data())
    def somebody_sets_the_split_by_hand(self, data: st.DataObject) -> None:
        self.loop.azure.deployments.setdefault(BY_HAND, "Succeeded")
        to = data.draw(st.sampled_from(sorted(self.loop.azure.healthy()) or [BY_HAND]))
        self.loop.azure.traffic = {to: 100}
        self.loop.azure.mirror.pop(to, None)

    @rule()
    def somebody_takes_all_live_traffic_off(self) -> None:
        self.loop.azure.traffic = {}

    @rule(more=st.booleans())
    def the_models_versions_change(self, more: bool) -> None:
        if more and len(self.known) < 5:
            self.known.append(version(len(self.known) + 1))
        elif self.known:
            self.untagged ^= {self.known[-1].version}
        self.news = True

    @rule(quality=st.sampled_from(sorted(EVIDENCE)))
    def the_candidate_turns_out(self, quality: str) -> None:
        self.quality = quality

    @rule(action=st.sampled_from(["rollback", "hold", "advance", "ignore"]), fired=st.booleans(), ago=AGES)
    def an_alert_comes(self, action: str, fired: bool, ago: timedelta) -> None:
        """Some are read late: what the door took `ago` speaks of what was then."""
        said = action if fired or action == "advance" else "ignore"
        self.alerts.append(alert(said, fired=fired, at=self.loop.now - ago))

    @rule(action=st.sampled_from(ACTIONS), ago=AGES)
    def a_person_asks(self, action: str, ago: timedelta) -> None:
        """The door lets a command in or refuses it; what it let in is read by the next look."""
        if refusal(self.loop.record, Command(action, "id", "reason")) is None:
            self.commands.append(command(action, at=self.loop.now - ago))

    @rule(lasting=st.sampled_from([HOUR, DAY, 3 * DAY]))
    def somebody_freezes(self, lasting: timedelta) -> None:
        self.freezes.append(freeze(self.loop.now + lasting))

    @rule()
    def somebody_ends_the_freezes(self) -> None:
        self.freezes = []

    @rule(mind=st.sampled_from([True, False, None]))
    def the_board_changes_its_mind(self, mind: bool | None) -> None:
        self.board = mind

    @rule()
    def the_freezes_cannot_be_read(self) -> None:
        self.blind_to_freezes = True

    @rule(found=st.sampled_from([None, Checked(NOW, ("a role is missing",)), Checked(NOW)]))
    def what_a_start_needs_turns_out(self, found: Checked | None) -> None:
        self.checks = found

    @rule(share=st.sampled_from([0.0, 0.3, 0.4, 1.0, None]))
    def the_traffic_drifts(self, share: float | None) -> None:
        self.share = share

    @rule(machines=st.sampled_from([AFFORDABLE, TOO_DEAR, UNPRICED, None]))
    def prices_turn_out(self, machines: Machines | None) -> None:
        self.machines = machines

    @rule(mode=st.sampled_from(["act", "observe"]))
    def the_policys_mode_changes(self, mode: str) -> None:
        """In flight only what was begun in `observe` follows the policy in force."""
        record = self.loop.record
        if record is None or record.terminal or Flag.OBSERVE in record.flags:
            self.loop.policy = self.loop.policy.model_copy(update={"mode": mode})

    # The looks.

    @rule()
    def a_look_that_finds_no_endpoint(self) -> None:
        self.look(HOUR, there=False)

    @rule(after=st.sampled_from([timedelta(seconds=30), timedelta(seconds=30), HOUR, DAY]))
    def a_look(self, after: timedelta) -> None:
        self.look(after)

    @rule(conflict=st.booleans())
    def a_look_whose_actions_fail(self, conflict: bool) -> None:
        """The worker dies after it saved its intent, or Azure answers 409."""
        self.look(timedelta(seconds=30), acts=conflict, conflict=True)

    @precondition(lambda self: self.loop.record is not None and not self.loop.record.terminal)
    @rule(looks=st.integers(2, 6))
    def some_calm(self, looks: int) -> None:
        """Azure does what it is asked between looks, the candidate does well, and nobody holds anything."""
        self.freezes = []
        for _ in range(looks):
            self.calm_look("safe", command("resume"), command("approve"))

    def calm_look(self, quality: str, *commands: CommandItem, after: timedelta = HOUR) -> None:
        self.loop.azure.settle()
        self.loop.azure.deploy()
        self.loop.azure.no_quota = self.loop.azure.locked = False
        self.checks = Checked(NOW)
        self.share, self.machines = 0.0, AFFORDABLE
        self.quality = quality
        for one in commands:
            if refusal(self.loop.record, Command(one.action, "id", "reason")) is None:
                self.commands.append(one)
        self.look(after)

    def look(self, after: timedelta, **how: Any) -> None:
        record = self.loop.record
        seen: dict[str, Any] = {"alerts": tuple(self.alerts), "commands": tuple(self.commands)}
        lists = self.news or (record is not None and record.terminal and record.list_versions)
        if lists or any(c.action in ("start", "retry") for c in self.commands):
            eligible = tuple(v for v in self.known if v.version not in self.untagged)
            seen["versions"] = versions(*self.known, eligible=eligible)
        if record is not None and not record.terminal:
            seen |= self.tried(record)
            seen["drift"] = DriftSeen(self.loop.now + after, self.share) if self.share is not None else None
            seen["machines"] = self.machines
        seen["checks"] = self.checks
        seen["freezes"] = None if self.blind_to_freezes else tuple(self.freezes)
        self.blind_to_freezes = False
        if self.board is not None:
            moments = range(START, len(self.loop.policy.steps))
            seen["hooks"] = tuple(HookAnswer(BOARD, step, self.board, "said the board") for step in moments)
        self.note_who_let_it_pass()
        self.alerts, self.commands, self.news = [], [], False
        decision = self.loop.look(after, **seen, **how)
        if decision is not None:
            passed = record is not None and (record.number, record.step) in self.passes
            loop = self.loop
            Decided(loop.policy, record, loop.observation, loop.now, decision, passed).check()
            self.what_is_taken_back_stays_back(record)

    def tried(self, record: Record) -> dict[str, Any]:
        """What the look sees of how well the candidate does."""
        seen: dict[str, Any] = {}
        if record.phase not in UNJUDGED and record.since is not None:
            seen["evidence"] = EVIDENCE[self.quality]
        if record.phase is Phase.TESTING and self.quality != "none":
            seen["smoke"] = Smoke(self.quality != "harm", "said the model")
        return seen

    def what_is_taken_back_stays_back(self, before: Record | None) -> None:
        """No write toward the candidate is still under way when its rollout is over."""
        record, azure = self.loop.record, self.loop.azure
        assert record is not None
        if before is not None and not before.terminal and record.terminal and azure.under_way is not None:
            assert azure.traffic.get(record.candidate) or not azure.under_way[0].get(record.candidate)
            assert not azure.under_way[1].get(record.candidate)

    def note_who_let_it_pass(self) -> None:
        record = self.loop.record
        if record is None:
            return
        said = {one.action for one in self.commands if one.at == NOW or one.at >= record.entered}
        alerted = {one.action for one in self.alerts if one.at == NOW or one.at >= record.entered}
        passes = "approve" in said if record.phase is Phase.AWAITING_APPROVAL else "advance" in said | alerted
        if passes:
            self.passes.add((record.number, record.step))

    def teardown(self) -> None:
        """Every wait has an end, and whatever happened is decided the same again from the journal."""
        self.every_wait_has_an_end()
        if hasattr(self, "loop"):
            for file in self.loop.files():
                for one in replay(json.loads(json.dumps(file)), read=self.in_effect):
                    assert not one.difference, one.difference
            self.each_event_is_told_once_and_in_order()

    def in_effect(self, file: Mapping[str, Any], text: str) -> tuple[Place, Policy]:
        """The machine's policy stands in no text; only its mode does."""
        mode = "observe" if text.endswith("mode: observe\n") else "act"
        return self.place, self.loop.policy.model_copy(update={"mode": mode})

    def each_event_is_told_once_and_in_order(self) -> None:
        events = self.loop.events
        places = [tuple(int(part) for part in event.id.split("/")[-2:]) for event in events]
        assert places == sorted(set(places))
        for number in {number for number, _ in places}:
            of_it = [event for event, (of, _) in zip(events, places, strict=True) if of == number]
            ends = [event for event in of_it if event.data["phase"] in TERMINAL]
            assert len(ends) <= 1
            assert ends == of_it[-1:] or not ends

    def every_wait_has_an_end(self) -> None:
        """Left alone, a rollout is over within the stated time: paused, held, frozen again and again, or nothing of it.

        Nobody says anything, no version comes, and the candidate does as well or badly as it did. What Azure was asked
        it does between two looks.
        """
        if not hasattr(self, "loop") or self.loop.record is None:
            return
        self.the_policys_mode_changes("act")
        azure, policy = self.loop.azure, self.loop.policy
        azure.locked, azure.no_quota = self.silence == "a lock", self.silence == "no machines"
        self.quality = "none" if self.silence == "no evidence" else self.quality
        self.alerts, self.commands, self.news = [], [], False
        if self.last_word == "pause":
            self.a_person_asks("pause", timedelta())
        elif self.last_word == "hold":
            self.an_alert_comes("hold", fired=True, ago=timedelta())
        longest = sum((longest_stay(step) for step in policy.steps), policy.failed.keep + LONGEST_WAITS)
        nights = DAY + longest * 14 / 10 if policy.freeze else timedelta()
        end = max([self.loop.now, *(one.until for one in self.freezes)]) + longest + nights
        pause = timedelta()
        while not self.loop.record.terminal:
            assert self.loop.now < end, f"still {self.loop.record.phase}: {self.loop.record.reasons}"
            azure.settle()
            azure.deploy()
            before = self.loop.record
            self.look(pause, there=self.silence != "no endpoint")
            after = self.loop.record
            moved = (before.phase, before.step, before.since) != (after.phase, after.step, after.since)
            pause = PACE if moved else SELDOM


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    phases=[Examples.explicit, Examples.generate],  # to make a failure smaller takes minutes
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
