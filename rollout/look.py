"""What a phase function is given, and the questions that several of them ask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from policy.model import Policy
from rollout.capacity import grows, split_size
from rollout.decision import Action, CarryAutoscale, Decision, ScaleDeployment, SetTraffic
from rollout.endpoint import DeploymentSeen, EndpointSeen
from rollout.foreign import FOREIGN_HOLD
from rollout.observation import Observation
from rollout.phases import Flag, Phase
from rollout.record import Record, Split
from rollout.traffic import is_split, split_words, wanted
from rollout.verdict import Verdict


@dataclass(frozen=True)
class Look:
    """One look at one rollout in flight."""

    policy: Policy
    record: Record
    seen: Observation
    now: datetime
    pace: timedelta
    verdict: Verdict | None = None
    frozen: str = ""
    """What freezes the rollout now, in words; nothing is frozen while it goes back."""
    hooked: str = ""
    """Whose leave is missing for the step that would be entered now, in words."""

    @property
    def candidate(self) -> DeploymentSeen | None:
        """The candidate's deployment, if it was seen."""
        if self.seen.endpoint is None:
            return None
        return self.seen.endpoint.deployments.get(self.record.candidate)

    @property
    def entered_ago(self) -> timedelta:
        """Time since the present phase or step was entered."""
        return self.now - self.record.entered

    @property
    def waited(self) -> timedelta:
        """Time since the present phase was entered, without the time that it was frozen: that takes nobody's chance."""
        return self.now - self.record.counted_from

    def overdue(self, after: timedelta) -> bool:
        """Whether the present phase has waited longer than this; nothing is overdue while frozen."""
        return not self.frozen and self.waited > after

    @property
    def lasted(self) -> timedelta:
        """Time since the split that the phase wants was read back; zero before that."""
        return self.now - self.record.since if self.record.since else timedelta()

    @property
    def blind(self) -> timedelta:
        """Time since evidence of this step was last read, or since its split was read back when none ever was."""
        seen = self.record.evidence_at or self.record.since
        return self.now - seen if seen else timedelta()

    @property
    def stopped(self) -> str:
        """Why the rollout may not go forward, or nothing."""
        paused = f"{self._paused}; resume to go on" if Flag.PAUSED in self.record.flags else ""
        held = ", ".join(sorted(self.record.holds - {FOREIGN_HOLD}))
        held = f"held by {held}; it goes on when that resolves or a person resumes" if held else ""
        others = self._foreign if FOREIGN_HOLD in self.record.holds else ""
        return "; ".join(cause for cause in (paused, self.frozen, held, others, self.hooked) if cause)

    @property
    def _paused(self) -> str:
        said = (line.text for line in reversed(self.record.entries) if line.cause == "command")
        return next((text.replace("pause", "paused", 1) for text in said if text.startswith("pause by ")), "paused")

    @property
    def _foreign(self) -> str:
        live, mirror = (split_words(split) for split in (self.record.traffic, self.record.mirror))
        return f"held, since somebody else set the split: live {live}, mirror {mirror}; resume to have ours again"

    def lost_candidate(self) -> str | None:
        """Why the candidate can no longer serve, once it was up; None while it can."""
        if self.seen.endpoint is None or self.record.phase is Phase.DEPLOYING:
            return None
        candidate = self.candidate
        if candidate is None:
            return f"deployment {self.record.candidate} is gone"
        if not candidate.healthy:
            return f"deployment {candidate.name} is {candidate.state} {candidate.failure}".rstrip()
        return None

    @property
    def ailing_live(self) -> str:
        """What is wrong with the live deployment while it serves clients, or nothing.

        It keeps its share: the candidate gets none without evidence, and evidence against a sick live is none.
        """
        endpoint, live = self.seen.endpoint, self.record.live
        one = endpoint.deployments.get(live or "") if endpoint is not None else None
        if endpoint is None or one is None or one.healthy or not endpoint.traffic.get(one.name):
            return ""
        return f"live deployment {one.name} is {one.state} with {endpoint.traffic[one.name]} % of the traffic: mend it"

    def stay(self, *reasons: str, flags: frozenset[Flag] = frozenset(), after: timedelta | None = None) -> Decision:
        """Remain in the phase with these reasons, and look again after the pace (or `after`)."""
        kept = self.record.flags & {Flag.PAUSED}
        if self.record.holds or self.hooked:
            flags |= {Flag.HELD}
        if self.frozen:
            flags |= {Flag.FROZEN}
        record = replace(
            self.record,
            flags=kept | flags,
            reasons=tuple(reason for reason in (*reasons, self.ailing_live) if reason),
            next_look=self.now + (after or self.pace),
        )
        return Decision(record)

    def write_split(self, traffic: Split, mirror: Split, *, why: str, urgent: bool = False) -> Decision:
        """Ask for a split, and look again at the pace until it is read back."""
        staying = self.stay(why).record
        record = staying
        if self.record.asked != (traffic, mirror):
            text = f"asked for live {split_words(traffic)}, mirror {split_words(mirror)}"
            record = staying.noted(self.now, "write", text)
        actions: tuple[Action, ...] = (SetTraffic(traffic, mirror, urgent),)
        if record.autoscaled and record.live and traffic == {record.candidate: 100}:
            # Before all traffic, and in the same breath: when it cannot be carried, nothing is written. Only a way back
            # does not wait for it.
            carry = CarryAutoscale(record.live, record.candidate)
            actions = (carry, *actions) if record.kind == "rollout" else (*actions, carry)
        return Decision(replace(record, asked=(traffic, mirror)), actions)

    def capacity_first(self, endpoint: EndpointSeen, traffic: Split, mirror: Split) -> Decision | None:
        """What is done before the candidate gets a larger share: the instances that it needs; None: it has them."""
        candidate = grows(self.record, endpoint, traffic, mirror)
        if candidate is None:
            return None
        if candidate.state != "Succeeded":
            return self.stay(f"deployment {candidate.name} is {candidate.state}: its traffic waits for its instances")
        instances, short = split_size(self.policy, self.record, traffic, mirror), self.record.short
        if candidate.instances >= instances:
            return None
        if short is not None and self.now < short.again:
            return self.stay(short.text, f"asked for again at {short.again:%H:%M:%S}", flags=frozenset({Flag.HELD}))
        what = f"{instances} instances of deployment {candidate.name}"
        return Decision(
            replace(self, record=self.record.noted(self.now, "write", f"asked for {what}, before its traffic"))
            .stay(f"{what} come before its traffic")
            .record,
            (ScaleDeployment(candidate.name, instances),),
        )

    def toward_split(self) -> Decision | Look:
        """A write when the endpoint does not have the split that the phase wants; else the look with its clock on."""
        endpoint = self.seen.endpoint
        if endpoint is None:
            return self.stay("the endpoint could not be read")
        traffic, mirror = wanted(self.policy, self.record)
        if is_split(endpoint, traffic, mirror):
            if self.record.since is not None:
                return self
            if endpoint.busy:
                # A write that is still under way may yet change the split: this is not a read-back.
                return self.stay("another operation is running on the endpoint")
            record = replace(self.record, since=self.now).noted(self.now, "write", "the split was read back")
            return replace(self, record=record)
        if self.stopped:
            return self.stay(self.stopped)
        if endpoint.busy:
            return self.stay("another operation is running on the endpoint")
        unfit = _unfit(endpoint, traffic)
        if unfit:
            return self.stay(f"{unfit}: no live traffic is sent to it", flags=frozenset({Flag.HELD}))
        before = self.capacity_first(endpoint, traffic, mirror)
        if before is not None:
            return before
        lost = self.record.since is not None and dict(endpoint.traffic) == traffic and not endpoint.mirror
        why = "the mirror setting was lost and is put back" if lost else "waiting for the split to be read back"
        return self.write_split(traffic, mirror, why=why)


def _unfit(endpoint: EndpointSeen, traffic: Split) -> str:
    """Why a deployment cannot take the larger share that it would get, or nothing."""
    for name, share in traffic.items():
        if share > endpoint.traffic.get(name, 0):
            deployment = endpoint.deployments.get(name)
            if deployment is None or not deployment.healthy:
                return f"deployment {name} is {deployment.state if deployment else 'gone'}"
    return ""


@dataclass(frozen=True)
class Enter:
    """The answer of a phase that is over: go on with the step at `index` (or the next that applies)."""

    look: Look
    index: int
    why: str
