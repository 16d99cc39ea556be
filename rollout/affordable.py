"""A candidate that would cost too much is not made, so that nobody pays for it first and nothing has to go back. Pure.

What is known to be too dear fails at once: waiting changes neither the policy nor the machines. A price that is not
known is waited for, like anything else that a start needs.
"""

from __future__ import annotations

from rollout.cost_gate import cost_finding, is_too_dear
from rollout.decision import Decision
from rollout.holding_gates import machines_of
from rollout.look import Look
from rollout.phases import Flag, Phase
from rollout.record import Record
from rollout.rollback import go_back
from rollout.unproven import SLOWER
from rollout.verdict import Outcome

MEND = "choose other machines in `deployment`, or raise gates.cost.max_ratio, and retry"


def unaffordable(look: Look, record: Record) -> Decision | None:
    """What follows when the candidate of this record is too dear, or nobody knows; None: it may be made."""
    finding = cost_finding(look.policy, record, machines_of(record, look.seen))
    if finding is None or finding.outcome is Outcome.SAFE or finding.gate in look.policy.gates.dry_run:
        return None
    if is_too_dear(finding) and look.policy.mode == "act":
        return go_back(look, f"{finding.gate}: {finding.text}; {MEND}", Phase.FAILED)
    why = f"{finding.gate}: {finding.text}"
    return look.stay(why, *look.seen.trouble, flags=frozenset({Flag.HELD}), after=look.pace * SLOWER)
