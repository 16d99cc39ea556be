"""A finished rollout decided again from its looks: the same decisions, byte for byte, or where they first differ. Pure.

The decisions follow from the policy's text, the record and what each look saw; all of it is in the file. Somebody who
changes a gate in the file's `policy_text` is shown the first look that this policy would have decided otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import unified_diff
from typing import Any

from policy.load import load
from policy.model import Policy
from rollout.act import Outcome
from rollout.codec import decoded, moment
from rollout.decide import decide
from rollout.journal import answer, told_of, with_seen
from rollout.observation import Observation
from rollout.patch import Json
from rollout.place import Place
from rollout.policies import InForce
from rollout.reconcile import find
from rollout.record import Record, from_json, to_json

PARTS = ("record", "said", "history", "did")
"""Parts of a line that a replay must come to."""


class Unreplayable(ValueError):
    """The file is none that can be replayed; the message says why."""


@dataclass(frozen=True)
class Replayed:
    """One look, decided again. `difference` is empty where it came to the same bytes."""

    look: int
    at: datetime
    record: Record | None
    told: Mapping[str, Any]
    """The line, with what was seen told whole."""
    difference: str = ""


def in_effect(file: Mapping[str, Any], text: str) -> tuple[Place, Policy]:
    """The file's place, and the policy in effect there by this text."""
    names = file["policy"], file["target"], file["endpoint"]
    found = find(InForce({names[0]: load(text, "policy_text")}), *names)
    if found is None:
        raise Unreplayable(f"the policy has no endpoint {names[2]!r} at a target {names[1]!r}")
    return found[0], found[1]


def replay(
    file: Mapping[str, Any], *, read: Callable[[Mapping[str, Any], str], tuple[Place, Policy]] = in_effect
) -> Iterator[Replayed]:
    """Each look of a finished rollout's file (history/<policy>/<target>/<endpoint>/<n>.json), up to a difference.

    `read` makes the place and the policy in effect there of the file and a policy's text.
    """
    if not isinstance(file.get("looks"), list) or not file["looks"]:
        raise Unreplayable("it has no `looks`: give the file of a finished rollout, history/.../<n>.json")
    record: Record | None = None
    expected = 1
    for line in with_seen(file["looks"]):
        if line["look"] != expected:
            raise Unreplayable(
                f"looks {expected} to {line['look'] - 1} were lost: what follows cannot be decided again"
            )
        expected += 1
        if "before" in line:
            record = _before(line["before"], file)
        first = file.get("began_with", file["policy_text"])
        text = line.get("policy", first if record is None or "before" in line else record.policy_text)
        done, record = _again(*read(file, text), text, line, record)
        yield done
        if done.difference or record is None:
            return


def _again(
    place: Place, policy: Policy, text: str, line: Json, before: Record | None
) -> tuple[Replayed, Record | None]:
    """The look decided again, and the record as the next look finds it."""
    at, pace = moment(line["at"]), timedelta(seconds=line["pace"])
    seen = decoded(Observation, line["seen"])
    decision = decide(place, policy, text, before, seen, at, pace=pace)
    recorded = {key: line[key] for key in PARTS if key in line}
    if decision is None:
        return Replayed(line["look"], at, None, line, _differs(recorded, {})), None
    difference = _differs(recorded, answer(before, decision))
    record = from_json(json.loads(json.dumps(to_json(replace(decision.record, refused="")))))
    if "outcome" in line:
        record = told_of(record, decoded(Outcome, line["outcome"]), moment(line["outcome"]["at"]), pace)
    return Replayed(line["look"], at, record, line, difference), record


def _before(told: Mapping[str, Any] | None, file: Mapping[str, Any]) -> Record | None:
    """The record that the rollout's first look found."""
    return None if told is None else from_json({**told, "policy_text": file["policy_text"]})


def _differs(recorded: Json, decided: Json) -> str:
    """The difference in words, or nothing when the two are the same bytes."""
    if _bytes(recorded) == _bytes(decided):
        return ""
    before, after = (json.dumps(one, indent=2, sort_keys=True, ensure_ascii=False) for one in (recorded, decided))
    return "\n".join(unified_diff(before.splitlines(), after.splitlines(), "recorded", "decided again", lineterm=""))


def _bytes(told: Json) -> bytes:
    return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()
