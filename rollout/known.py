"""Every online endpoint that the policies in force speak of: written out, or found by a wildcard's rollouts.

Their requests are logged; batch endpoints have no such logs, so nothing of theirs is exported or measured.
"""

from __future__ import annotations

from policy.match import places
from policy.model import Policy, Target
from rollout.context import Context
from rollout.place import owns


def known_endpoints(context: Context) -> list[tuple[Policy, Target, str]]:
    """(policy, target, endpoint) of each; a wildcard's endpoints are those that had a rollout."""
    in_force = context.policies.current().policies
    found: list[tuple[Policy, Target, str]] = []
    for policy in in_force.values():
        if not policy.model.is_wildcard:
            found += [(policy, target, endpoint.lower()) for target, endpoint in places(policy, policy.model.name)]
    for one in context.store.listings():
        of = in_force.get(one.policy)
        if of is not None and of.model.is_wildcard:
            found += [(of, t, one.endpoint) for t in of.targets if t.name == one.target and owns(t, one.endpoint)]
    return [one for one in found if one[1].kind == "online"]
