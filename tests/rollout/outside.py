"""The rules that every single decision keeps, said from the outside: from what was shown, what was said, what came out.

Nothing here asks the product's own helpers what is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from policy.model import Approval, Canary, Check, Full, Policy, Retire, Shadow, Smoke, Step, Wait
from rollout.decision import (
    CreateDeployment,
    Decision,
    DeleteDeployment,
    SaveLogs,
    ScaleDeployment,
    SendLoad,
    SetTraffic,
    StartJob,
)
from rollout.endpoint import EndpointSeen
from rollout.machines import Machines
from rollout.observation import Observation
from rollout.phases import TERMINAL, Flag, Phase
from rollout.record import Record
from tests.rollout.azure import assert_azure_allows
from tests.rollout.world import HARM, HARM_SAMPLE, SAFE, SAFE_SAMPLE

HEALTHY = ("Succeeded", "Updating", "Scaling")
A_DAY = timedelta(days=1)
AFFORDABLE = Machines("small", "large", 1.0, 2.0)
TOO_DEAR = Machines("small", "large", 1.0, 1_000_000.0)
"""However many there are of each: nobody has more than twenty, and the policy allows a thousand times the price."""


@dataclass(frozen=True)
class Decided:
    """One decision: the record before it, what the look saw, and what was decided."""

    policy: Policy
    before: Record | None
    seen: Observation
    now: datetime
    decision: Decision
    passed: bool
    """Whether an alert or a person let the present step pass, in this look or before."""

    @property
    def after(self) -> Record:
        """The record that comes out."""
        return self.decision.record

    @property
    def shown(self) -> EndpointSeen:
        """The endpoint; with nothing on it when it is not there."""
        return self.seen.endpoint or EndpointSeen("", {}, {}, {})

    @property
    def writes(self) -> list[SetTraffic]:
        """The splits that are asked for."""
        return [action for action in self.decision.actions if isinstance(action, SetTraffic)]

    @property
    def loads(self) -> list[SendLoad]:
        """The load that is sent."""
        return [action for action in self.decision.actions if isinstance(action, SendLoad)]

    def healthy(self, name: str | None) -> bool:
        """Whether a deployment was seen to serve."""
        deployment = self.shown.deployments.get(name or "")
        return deployment is not None and deployment.state in HEALTHY

    def check(self) -> None:
        """Every rule."""
        self.splits_are_what_azure_allows()
        self.live_traffic_is_never_emptied_nor_moved_onto_what_is_not_healthy()
        self.the_last_healthy_deployment_is_never_deleted()
        self.capacity_comes_before_traffic_and_nothing_is_ever_made_smaller()
        self.harm_sends_the_traffic_back_in_this_look()
        self.while_going_back_each_look_asks_again()
        self.somebody_elses_split_is_not_overwritten()
        self.a_first_version_begins_only_where_nothing_else_could_serve()
        self.nothing_goes_forward_while_stopped()
        self.load_is_sent_only_into_a_step_that_waits_in_peace()
        self.a_step_is_left_only_for_a_reason()
        self.the_candidate_never_gets_more_than_its_step_gives()
        self.what_is_over_stays_over()
        self.who_asks_for_the_way_back_after_the_end_is_heard()
        self.the_way_back_is_not_deleted_without_a_word()
        self.history_only_grows()
        self.it_is_looked_at_again()
        self.who_only_observes_does_nothing()
        self.nothing_is_made_while_what_it_needs_is_missing_or_unknown()
        self.nothing_that_a_hook_guards_is_entered_without_its_leave()
        self.nothing_is_made_that_is_too_dear_or_of_an_unknown_price()

    def nothing_that_a_hook_guards_is_entered_without_its_leave(self) -> None:
        before, after = self.before, self.after
        if before is None or before.terminal or before.kind != "rollout" or after.number != before.number:
            return
        leave = {(answer.hook, answer.step) for answer in self.seen.hooks if answer.leave}
        begins = before.since is None and any(isinstance(one, CreateDeployment) for one in self.decision.actions)
        for hook in self.policy.hooks:
            if begins and "start" in hook.before:
                assert (hook.name, -1) in leave
            if after.step > before.step and not after.terminal and after.phase is not Phase.ROLLING_BACK:
                assert self.policy.steps[after.step].kind not in hook.before or (hook.name, after.step) in leave

    def nothing_is_made_while_what_it_needs_is_missing_or_unknown(self) -> None:
        missing = self.seen.checks is None or bool(self.seen.checks.failed)
        begins = self.before is not None and self.before.phase is Phase.DEPLOYING and self.before.since is None
        if missing and begins and self.before is not None and self.before.kind == "rollout":
            assert not any(isinstance(action, CreateDeployment) for action in self.decision.actions)

    def nothing_is_made_that_is_too_dear_or_of_an_unknown_price(self) -> None:
        before = self.before
        if before is None or before.kind != "rollout" or before.batch or self.policy.gates.cost is None:
            return
        if any(isinstance(action, CreateDeployment) and action.like for action in self.decision.actions):
            assert self.machines == AFFORDABLE

    @property
    def machines(self) -> Machines | None:
        """What is known of what they cost: by this look, or by the record."""
        found = self.seen.machines
        known = self.before.machines if self.before is not None else None
        return known if found is None or (found.problem and known) else found

    def is_held_back(self) -> bool:
        """Whether the traffic is another than the baseline's, or the candidate too dear, or nobody knows."""
        gates, drift = self.policy.gates, self.seen.drift
        if self.after.batch or (self.before is not None and self.before.kind != "rollout"):
            return False
        drifts = gates.drift is not None and (
            drift is None or drift.share is None or drift.share > gates.drift.max_share
        )
        return drifts or (gates.cost is not None and self.machines != AFFORDABLE)

    def who_only_observes_does_nothing(self) -> None:
        if self.policy.mode == "observe":
            assert not self.decision.actions
            assert self.after.terminal or self.after.phase is Phase.DEPLOYING
            assert self.after.terminal or Flag.OBSERVE in self.after.flags

    def load_is_sent_only_into_a_step_that_waits_in_peace(self) -> None:
        if self.loads:
            assert self.before is not None
            assert self.after.phase in (Phase.SHADOW, Phase.CANARY)
            assert (self.after.phase, self.after.step) == (self.before.phase, self.before.step)
            assert not self.harm()
            assert not self.after.holds
            assert Flag.PAUSED not in self.after.flags
            assert self.decision.actions == tuple(self.loads)

    def splits_are_what_azure_allows(self) -> None:
        for write in self.writes:
            assert_azure_allows(write.traffic, write.mirror)

    def live_traffic_is_never_emptied_nor_moved_onto_what_is_not_healthy(self) -> None:
        for write in self.writes:
            assert not self.shown.traffic or write.traffic, "live traffic would be emptied"
            for name, share in write.traffic.items():
                more = share > self.shown.traffic.get(name, 0)
                assert not more or self.healthy(name), f"{name} is not healthy and would get {share} %"

    def the_last_healthy_deployment_is_never_deleted(self) -> None:
        """Save where the endpoint serves nobody: there a failed first version is deleted."""
        for action in self.decision.actions:
            if isinstance(action, DeleteDeployment):
                assert not self.shown.traffic.get(action.name), "it has live traffic"
                assert not self.shown.mirror.get(action.name), "it has mirrored traffic"
                others = [n for n in self.shown.deployments if n != action.name and self.healthy(n)]
                assert others or not self.healthy(action.name) or not self.shown.traffic, "nothing healthy remains"

    def capacity_comes_before_traffic_and_nothing_is_ever_made_smaller(self) -> None:
        """Machines are asked for the candidate only; its share grows only with what it was seen to have."""
        if self.after.batch:
            return  # its machines belong to its jobs
        candidate = self.shown.deployments.get(self.after.candidate)
        live = self.shown.deployments.get(self.after.live or "")
        for action in self.decision.actions:
            if isinstance(action, ScaleDeployment):
                assert candidate is not None
                assert action.name == candidate.name
                assert action.instances > candidate.instances
                assert self.after.phase is not Phase.ROLLING_BACK, "going back waits for nothing"
        full = self.policy.deployment.instance_count or (live.instances if live else 1)
        for write in self.writes:
            if write.urgent or candidate is None:
                continue
            for share, has in ((write.traffic, self.shown.traffic), (write.mirror, self.shown.mirror)):
                if share.get(candidate.name, 0) > has.get(candidate.name, 0):
                    assert candidate.state == "Succeeded"
                    assert candidate.instances * 100 >= full * share[candidate.name], "its share needs more than it has"

    def harm(self) -> bool:
        """Whether this look sees harm in a rollout that is in flight."""
        before = self.before
        if before is None or before.terminal or before.phase is Phase.ROLLING_BACK:
            return False
        if before.kind == "rollback":
            return self.harm_on_the_slow_way_back(before)
        lost = self.seen.endpoint is not None and not self.healthy(before.candidate)
        listed = self.seen.versions
        return (
            any(one.action == "rollback" for one in self.seen.alerts)
            or any(one.action == "rollback" for one in self.seen.commands)
            or (before.phase is Phase.AWAITING_APPROVAL and any(c.action == "reject" for c in self.seen.commands))
            or self.seen.evidence in (HARM, HARM_SAMPLE)
            or (self.seen.evidence is not None and bool(self.seen.evidence.said))
            or (lost and before.phase is not Phase.DEPLOYING)
            or (listed is not None and before.kind == "rollout" and before.version not in listed.eligible)
        )

    def harm_on_the_slow_way_back(self, before: Record) -> bool:
        """It is given up only by a person's word, or when its deployment is lost."""
        word = "reject" if before.phase in (Phase.DEPLOYING, Phase.TESTING) else "rollback"
        lost = self.seen.endpoint is not None and not self.healthy(before.candidate)
        called_off = any(one.action == word for one in self.seen.commands)
        return called_off or (lost and before.phase is not Phase.DEPLOYING)

    def there_is_a_way_back(self) -> bool:
        """Whether something healthy can take the traffic: what was live, or another one that has live traffic."""
        assert self.before is not None
        others = [n for n, share in self.shown.traffic.items() if share and n != self.before.candidate]
        return any(self.healthy(name) for name in [self.before.live, *others])

    def harm_sends_the_traffic_back_in_this_look(self) -> None:
        if not self.harm() or self.before is None:
            return
        if self.before.phase is Phase.DEPLOYING:
            assert not self.decision.actions, "while deploying nothing of the traffic is ours"
            assert self.after.terminal
            return
        candidate = self.before.candidate
        serves = bool(self.shown.traffic.get(candidate))
        if serves and not self.there_is_a_way_back():
            assert not self.writes, "the traffic stays where it is"
            return
        assert self.after.phase in (Phase.ROLLING_BACK, *TERMINAL)
        if serves or self.shown.mirror.get(candidate):
            self.the_way_back_is_asked_for()

    def while_going_back_each_look_asks_again(self) -> None:
        if self.after.phase is Phase.ROLLING_BACK and self.seen.endpoint is not None:
            serves = self.shown.traffic.get(self.after.candidate)
            if (serves and self.there_is_a_way_back()) or self.shown.mirror.get(self.after.candidate):
                if serves and not self.there_is_a_way_back():
                    return
                self.the_way_back_is_asked_for()

    def the_way_back_is_asked_for(self) -> None:
        (write,) = self.writes
        assert not write.traffic.get(self.after.candidate)
        assert not write.mirror.get(self.after.candidate)
        assert write.urgent, "it is sent even while another operation runs"

    def somebody_elses_split_is_not_overwritten(self) -> None:
        """Save by going back from harm: a split that was neither seen before nor asked for nor wanted holds."""
        before = self.before
        if before is None or before.terminal or before.phase in (Phase.DEPLOYING, Phase.ROLLING_BACK):
            return
        if self.policy.foreign_change == "restore" and before.restored < 3:
            return
        known = (before.traffic, before.asked[0] if before.asked else None, self.goal(before))
        mirrored = self.shown.mirror in (before.mirror, before.asked[1] if before.asked else None, {})
        if self.seen.endpoint is not None and (self.shown.traffic not in known or not mirrored):
            assert not self.writes or self.after.phase is Phase.ROLLING_BACK
            stayed = self.after.terminal or self.after.phase in (before.phase, Phase.ROLLING_BACK)
            # A person's word is heard, and waits for the hold as well.
            said = self.after.phase is Phase.FULL and any(one.action == "promote" for one in self.seen.commands)
            assert stayed or said, (known, before, self.after)

    def goal(self, record: Record) -> dict[str, int]:
        """The live split that the record's step wants."""
        given = 0
        for step in self.policy.steps[: record.step + 1]:
            if isinstance(step, Canary) and not record.batch:
                given = step.traffic_percent
            elif isinstance(step, Full):
                given = 100
        if record.live is None:
            return {record.candidate: 100} if given == 100 else {}
        shares = {record.live: 100 - given, record.candidate: given}
        return {name: share for name, share in shares.items() if share}

    def a_first_version_begins_only_where_nothing_else_could_serve(self) -> None:
        """Save where the policy adopts whatever it finds; what earlier rollouts left to be deleted does not count."""
        for action in self.decision.actions:
            if isinstance(action, CreateDeployment) and action.like is None and not self.policy.adopt:
                ours = {action.name, *(leftover.deployment for leftover in self.after.leftovers)}
                assert not [name for name in self.shown.deployments if self.healthy(name) and name not in ours]

    def nothing_goes_forward_while_stopped(self) -> None:
        night = bool(self.policy.freeze) and not 8 <= self.now.hour < 18
        frozen = night or self.seen.freezes is None or any(one.until > self.now for one in self.seen.freezes)
        frozen = frozen and self.after.kind != "rollback"
        stopped = Flag.PAUSED in self.after.flags or self.after.holds or frozen
        if stopped and self.after.phase is not Phase.ROLLING_BACK and not self.after.terminal:
            assert not self.writes
            assert not any(isinstance(action, CreateDeployment | StartJob) for action in self.decision.actions)
        if frozen and self.before is not None and self.before.phase is not Phase.ROLLING_BACK:
            went_on = self.after.step > self.before.step and self.after.number == self.before.number
            assert not went_on, "nothing is entered while frozen"
            deletes = [
                a for a in self.decision.actions if isinstance(a, DeleteDeployment) and a.name == self.after.live
            ]
            assert not deletes or self.after.terminal, "the fast way back stays while frozen"

    def a_step_is_left_only_for_a_reason(self) -> None:
        before, after = self.before, self.after
        if before is None or after.number != before.number or before.terminal or before.phase is Phase.ROLLING_BACK:
            return
        went_on = after.step > before.step or after.phase is Phase.DONE
        if not went_on:
            return
        if any(command.action == "promote" for command in self.seen.commands):
            assert after.phase is Phase.FULL
            return
        if before.phase is Phase.DEPLOYING and after.phase is Phase.DONE:
            assert self.shown.traffic == {before.candidate: 100}, "only what is live already is done at once"
            return
        if after.phase is Phase.DONE and after.wish is not None:
            # Harm, and what it would go back to is gone or going: it ends, so that the slow way back begins.
            assert not (before.live and self.healthy(before.live))
            return
        end = after.step if after.phase is not Phase.DONE else len(self.policy.steps)
        for index in range(before.step + 1, end):
            if after.batch and isinstance(self.policy.steps[index], Canary):
                continue  # a batch endpoint has no traffic to share
            assert after.live is None or after.kind == "rollback", "only a first version leaves steps out"
            assert not isinstance(self.policy.steps[index], Smoke | Full)
        step = self.policy.steps[before.step]
        told = (step, before, after, self.seen)
        assert self.passed or before.step < 0 or self.has_what_it_waits_for(step), told

    def has_what_it_waits_for(self, step: Step) -> bool:
        """Whether the step may be left without anybody having said so."""
        assert self.before is not None
        lasted = self.now - self.before.since if self.before.since else timedelta()
        if isinstance(step, Smoke):
            return self.seen.smoke is not None and self.seen.smoke.passed
        if isinstance(step, Shadow | Canary):
            return self.seen.evidence in (SAFE, SAFE_SAMPLE) and lasted >= step.at_least and not self.is_held_back()
        if isinstance(step, Check):
            return self.seen.evidence in (SAFE, SAFE_SAMPLE) and not self.is_held_back()
        if isinstance(step, Wait):
            return lasted >= step.at_least
        if isinstance(step, Full):
            alone = self.before.live is None or self.before.kind == "rollback"
            safe = self.seen.evidence in (SAFE, SAFE_SAMPLE) or alone
            read = self.seen.evidence is not None and lasted >= 2 * step.bake
            return lasted >= step.bake and (safe or read)
        if isinstance(step, Retire):
            # A newer version does not wait for the old one's time.
            over = self.now - self.before.entered >= step.after or self.seen.versions is not None
            kept = self.policy.keep > 0 and over
            two_days_ago = [line.text for line in self.before.entries if self.now - line.at > 2 * A_DAY]
            refused = f"asked to delete deployment {self.before.live}" in two_days_ago
            return self.before.live not in self.shown.deployments or kept or refused
        return not isinstance(step, Approval)

    def the_candidate_never_gets_more_than_its_step_gives(self) -> None:
        given = 0
        for step in self.policy.steps[: self.after.step + 1]:
            if isinstance(step, Canary):
                given = step.traffic_percent
            elif isinstance(step, Full):
                given = 100
        for write in self.writes:
            assert write.traffic.get(self.after.candidate, 0) <= given

    def what_is_over_stays_over(self) -> None:
        before, after = self.before, self.after
        if before is None or not before.terminal or after.number != before.number:
            return
        same = (before.phase, before.kind, before.version, before.candidate, before.live, before.step)
        assert same == (after.phase, after.kind, after.version, after.candidate, after.live, after.step)
        assert all(isinstance(action, SaveLogs | DeleteDeployment) for action in self.decision.actions)

    def who_asks_for_the_way_back_after_the_end_is_heard(self) -> None:
        """In the look that reads it, while the version of the rollout that is over is in service and there is a way."""
        before = self.before
        if before is None or not before.terminal or before.phase is Phase.ROLLED_BACK or self.policy.mode == "observe":
            return
        alerted = before.kind == "rollout" and any(one.action == "rollback" for one in self.seen.alerts)
        asked = alerted or any(one.action == "rollback" for one in self.seen.commands)
        if asked and self.shown.traffic.get(before.candidate) and self.healthy(before.live):
            assert self.after.kind == "rollback"
            self.the_way_back_is_asked_for()

    def the_way_back_is_not_deleted_without_a_word(self) -> None:
        for action in self.decision.actions:
            if isinstance(action, DeleteDeployment) and action.name == self.after.live:
                assert any(f"asked to delete deployment {action.name}" in line.text for line in self.after.entries)

    def history_only_grows(self) -> None:
        before, after = self.before, self.after
        if before is None:
            return
        if after.number == before.number:
            assert after.entries[: len(before.entries)] == before.entries
        else:
            assert after.number == before.number + 1
            assert before.terminal
        assert not set(before.handled) - set(after.handled) - set(self.seen.forgotten)

    def it_is_looked_at_again(self) -> None:
        assert self.after.reasons, "it says why"
        if not self.after.terminal:
            assert self.after.next_look is not None
            assert self.after.next_look >= self.now
