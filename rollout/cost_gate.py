"""The cost gate: what the candidate will cost with all of the traffic, beside what live costs now. Pure.

Instances times the price of one for an hour. Machines of one type cost the same, so only their numbers are compared;
and where autoscale moves live's number, its settings are carried to the candidate, so only the types are.
"""

from __future__ import annotations

from policy.model import CostGate, Policy
from rollout.capacity import full_size
from rollout.machines import Machines
from rollout.record import Record
from rollout.verdict import Finding, Outcome

GATE = "cost"


def cost_finding(policy: Policy, record: Record, machines: Machines | None) -> Finding | None:
    """Safe up to the policy's ratio, else unknown: what is dear is no harm to clients, but goes no further.

    None where there is nothing to compare: no gate, no live deployment, or no machines of its own.
    """
    gate = policy.gates.cost
    if gate is None or record.live is None or record.batch or record.kind != "rollout":
        return None
    sizes = None if record.autoscaled else (max(record.size, 1), full_size(policy, record))
    return compared(gate, machines, sizes)


def compared(gate: CostGate, machines: Machines | None, sizes: tuple[int, int] | None) -> Finding:
    """The finding for (live's, the candidate's) instances with all of the traffic; None: autoscale sees to both."""
    if machines is None:
        return Finding(GATE, Outcome.UNKNOWN, "the machines of the two were not compared yet", safe=gate.max_ratio)
    prices = _prices(machines)
    if machines.problem or prices is None:
        return Finding(GATE, Outcome.UNKNOWN, machines.problem or "a price is missing", safe=gate.max_ratio)
    now, then = sizes or (1, 1)
    ratio = round(then * prices[1] / (now * prices[0]), 6)  # 3 x 0.2 is not 0.6, and 1.5 is meant as 1.5
    of_live, of_candidate = (
        (f"{count} x " if sizes else "") + one + ("" if machines.same else f" at {price:g} an hour")
        for count, one, price in ((now, machines.live, prices[0]), (then, machines.candidate, prices[1]))
    )
    text = f"with all of the traffic {of_candidate}, live {of_live} (x {ratio:.2f}); safe up to x {gate.max_ratio:.2f}"
    outcome = Outcome.SAFE if ratio <= gate.max_ratio else Outcome.UNKNOWN
    return Finding(GATE, outcome, text, value=ratio, safe=gate.max_ratio, n=then if sizes else 0)


def is_too_dear(finding: Finding) -> bool:
    """Whether it is known that the candidate would cost too much, not only unknown."""
    return finding.outcome is not Outcome.SAFE and finding.value is not None


def _prices(machines: Machines) -> tuple[float, float] | None:
    """(live's, the candidate's) price of one instance; None when one is not known."""
    if machines.same:
        return 1.0, 1.0
    if not machines.live_price or machines.candidate_price is None:
        return None
    return machines.live_price, machines.candidate_price
