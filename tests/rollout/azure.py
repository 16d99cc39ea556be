"""A small pure model of Azure's online endpoint, and the loop around `decide` that drives it.

What it keeps of the real one (facts/azureml-wire.md): a write is accepted at once and takes a while; while it runs the
endpoint is `Updating` and shows the old split; it may end with success and the old split; another write may be refused
with 409 or take its place; a deployment with live traffic cannot be deleted. A split that Azure would refuse is a bug
of ours and fails the test on the spot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from policy.model import Policy
from rollout.act import Outcome
from rollout.decide import decide
from rollout.decision import (
    Action,
    CancelJob,
    CreateDeployment,
    Decision,
    DeleteDeployment,
    ScaleDeployment,
    SetTraffic,
    StartJob,
)
from rollout.endpoint import DeploymentSeen, EndpointSeen
from rollout.journal import canonical, is_block, journaled, with_outcome
from rollout.observation import Observation
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Event, Record, Split, from_json, to_json
from rollout.transitions import announced
from tests.rollout.world import NOW, PACE, PLACE, POLICY, POLICY_TEXT

ANOTHER_OPERATION = "setting traffic: 409 another operation is running"


NO_QUOTA = "PUT .../deployments/new: 400 Not enough quota available. Current usage/limit: 0/6. Additional needed: 8"


class Refused(Exception):
    """Azure answers 409: another operation is running, or a lock is on it."""


class NoQuota(Exception):
    """Azure answers 400, for good: there are no machines for it."""


@dataclass
class Azure:
    """One endpoint: what Azure shows, and the write that is under way."""

    traffic: Split = field(default_factory=dict)
    mirror: Split = field(default_factory=dict)
    state: str = "Succeeded"
    deployments: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    under_way: tuple[Split, Split] | None = None
    jobs: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    """State and time of creation of each job on a batch target's sample, by name."""
    sizes: dict[str, int] = field(default_factory=dict)
    no_quota: bool = False
    """Nobody gets another instance."""

    locked: bool = False
    """A lock forbids every deletion."""

    def seen(self) -> EndpointSeen:
        """What a read shows."""
        there = {
            n: DeploymentSeen(n, state, self.models.get(n, ""), instances=self.sizes.get(n, 1))
            for n, state in self.deployments.items()
        }
        return EndpointSeen(self.state, dict(self.traffic), dict(self.mirror), there)

    def healthy(self) -> set[str]:
        """Deployments that can serve."""
        return {name for name, state in self.deployments.items() if state in ("Succeeded", "Updating", "Scaling")}

    def write(self, traffic: Mapping[str, int], mirror: Mapping[str, int], *, conflict: bool = False) -> None:
        """A PUT of the split; `conflict`: Azure refuses while an operation runs, or else gives way to this one."""
        assert_azure_allows(traffic, mirror)
        if conflict and self.under_way is not None:
            raise Refused(ANOTHER_OPERATION)
        self.state, self.under_way = "Updating", (dict(traffic), dict(mirror))

    def create(self, name: str, model_id: str, instances: int | None = None) -> None:
        """A PUT of a deployment."""
        if self.no_quota:
            raise NoQuota(NO_QUOTA)
        if self.deployments.get(name) != "Deleting":
            self.deployments[name], self.models[name] = "Creating", model_id
            self.sizes[name] = instances or 1

    def scale(self, name: str, instances: int) -> None:
        """A PUT of a deployment with another capacity: it shows the new number at once, before it has it."""
        if self.no_quota and instances > self.sizes.get(name, 1):
            raise NoQuota(NO_QUOTA)
        if self.deployments.get(name) in ("Succeeded", "Scaling"):
            self.deployments[name], self.sizes[name] = "Scaling", instances

    def delete(self, name: str) -> None:
        """A DELETE of a deployment; refused while it has live traffic, now or by the write that is under way."""
        coming = self.under_way[0] if self.under_way else {}
        if self.locked:
            raise Refused(f"deleting {name}: 409 ScopeLocked")
        if self.traffic.get(name) or coming.get(name):
            raise Refused(f"deleting {name}: 409 it has traffic")
        if name in self.deployments:
            self.deployments[name] = "Deleting"

    def settle(self, *, lost: bool = False, state: str = "Succeeded") -> None:
        """The write that is under way ends; `lost`: it says so but the split is the old one."""
        if self.under_way is not None and not lost:
            self.traffic, self.mirror = self.under_way
        self.under_way, self.state = None, state

    def deploy(self, state: str = "Succeeded") -> None:
        """What is being created ends in `state`; what is being deleted is gone, and its share of the mirror with it."""
        for name, now in list(self.deployments.items()):
            if now in ("Creating", "Scaling", "Updating"):
                self.deployments[name] = state
            elif now == "Deleting":
                del self.deployments[name]
                self.mirror.pop(name, None)


def assert_azure_allows(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> None:
    """The rules that Azure has for a split."""
    assert sum(traffic.values()) in (0, 100), f"live weights {traffic} do not sum to 0 or 100"
    assert all(0 <= share <= 100 for share in traffic.values())
    assert len(mirror) <= 1, f"more than one mirror: {mirror}"
    assert all(0 < share <= 50 for share in mirror.values()), f"mirror {mirror} above 50"
    assert not set(mirror) & {n for n, share in traffic.items() if share}, f"live and mirrored: {traffic} {mirror}"


@dataclass
class Loop:
    """The endpoint's record and the looks at it."""

    azure: Azure
    policy: Policy = POLICY
    record: Record | None = None
    now: datetime = NOW
    decision: Decision | None = None
    before: Record | None = None
    observation: Observation = field(default_factory=lambda: Observation(None))
    place: Place = PLACE
    history: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    """(rollout, line) of the journal, as far as it was moved out of the record."""
    began: dict[int, str] = field(default_factory=dict)
    """The policy's text in the first look of each rollout."""
    events: list[Event] = field(default_factory=list)
    """What was announced, in order."""

    @property
    def text(self) -> str:
        """The policy's text: these tests change nothing but its mode while a rollout is in flight."""
        return f"{POLICY_TEXT}mode: {self.policy.mode}\n"

    def phase(self) -> Phase | None:
        """Where the rollout is."""
        return self.record.phase if self.record else None

    def look(
        self, after: timedelta = PACE, *, acts: bool = True, conflict: bool = False, there: bool = True, **seen: Any
    ) -> Decision | None:
        """One look, `after` the last one: decide, save, act. Not `acts`: the worker dies after it saved.

        Not `there`: Azure says that the endpoint does not exist."""
        self.now += after
        for kind in ("alerts", "commands"):
            seen[kind] = tuple(replace(one, at=self.now) if one.at == NOW else one for one in seen.get(kind, ()))
        self.before = self.record
        self.observation = canonical(Observation(self.azure.seen() if there else None, **seen))
        # A record of an unfinished rollout brings its own policy, which in these tests never changes.
        self.decision = decide(self.place, self.policy, self.text, self.record, self.observation, self.now, pace=PACE)
        if self.decision is None:
            return None
        noted = self._noted(self.decision)
        saved = replace(noted, writes=noted.writes + 1, refused="")
        self.record = from_json(json.loads(json.dumps(to_json(saved))))
        assert self.record == saved, "the record comes back from its blob as it was written"
        if acts:
            all(self._act(action, conflict) for action in self.decision.actions)  # up to the first that fails
        return self.decision

    def _act(self, action: Action, conflict: bool) -> bool:
        """Whether the action was done."""
        try:
            if isinstance(action, SetTraffic):
                self.azure.write(action.traffic, action.mirror, conflict=conflict)
            elif isinstance(action, CreateDeployment):
                self.azure.create(action.name, action.model_id, action.instances)
            elif isinstance(action, ScaleDeployment):
                self.azure.scale(action.name, action.instances)
            elif isinstance(action, StartJob):
                self.azure.jobs.setdefault(action.name, ("Running", self.now))
            elif isinstance(action, CancelJob):
                self.azure.jobs[action.name] = ("Canceled", self.azure.jobs[action.name][1])
            elif isinstance(action, DeleteDeployment):
                self.azure.delete(action.name)
        except NoQuota as error:
            return self._told(Outcome(refused=str(error)))
        except Refused as error:
            return self._told(Outcome(trouble=(str(error),)))
        return True

    def _told(self, outcome: Outcome) -> bool:
        """The record with what an action met; nothing is done after one that failed."""
        assert self.record is not None
        self.record = with_outcome(self.record, outcome, self.now, PACE)
        return False

    def _noted(self, decision: Decision) -> Record:
        """The record with the look's line; blocks of lines go to the history, as the reconciler moves them."""
        before = self.record
        if before is not None and (is_block(before.journal) or before.number != decision.record.number):
            self.history += [(before.number, line) for line in before.journal.pending]
            before = replace(before, journal=replace(before.journal, pending=()))
        self.began.setdefault(decision.record.number, self.text)
        noted = announced(before, journaled(before, decision, self.observation, self.text, self.now, PACE), self.now)
        self.events += noted.outbox.events
        return replace(noted, outbox=replace(noted.outbox, events=()))

    def files(self) -> list[dict[str, Any]]:
        """Each rollout as the history has it: its record as it is now, and its looks."""
        if self.record is None:
            return []
        lines = [*self.history, *((self.record.number, line) for line in self.record.journal.pending)]
        whole = to_json(self.record)
        return [
            whole
            | {
                "number": number,
                "began_with": self.began[number],
                "looks": [line for of, line in lines if of == number],
            }
            for number in sorted({of for of, _ in lines})
        ]

    def until_read_back(self, **seen: Any) -> None:
        """Azure ends the write well, and the next look reads it back."""
        self.azure.settle()
        self.look(**seen)
