"""Which deployment answers a request, and which one gets a copy: pure rules, the dice are handed in.

Azure's rules (facts: azureml-wire, sections 4 and 5): traffic is a weighted draw; a request that names its deployment
by header goes there whatever the weights say and is never mirrored; the mirror is one deployment and a share.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any


@dataclass(frozen=True)
class Routes:
    """What the front knows of one endpoint."""

    resource_id: str
    endpoint: str
    workspace: str
    workspace_id: str
    region: str
    auth_mode: str
    keys: frozenset[str]
    names: tuple[str, ...]
    bounds: tuple[float, ...]
    """Upper ends of the weights, summed up: [10, 100] for 10 and 90."""
    mirror: str | None
    mirror_share: float

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Routes:
        """From the JSON form of `localcloud.seams.EndpointRoutes`, plus the region."""
        live = {name: weight for name, weight in value["traffic"].items() if weight > 0}
        mirrored = [(name, percent) for name, percent in value["mirror"].items() if percent > 0]
        mirror, percent = mirrored[0] if mirrored else (None, 0)
        return cls(
            resource_id=value["resource_id"],
            endpoint=value["endpoint"],
            workspace=value["workspace"],
            workspace_id=value["workspace_id"],
            region=value["region"],
            auth_mode=value["auth_mode"],
            keys=frozenset(value["keys"]),
            names=tuple(live),
            bounds=tuple(accumulate(live.values())),
            mirror=mirror,
            mirror_share=percent / 100,
        )

    def pick(self, dice: float) -> str | None:
        """The deployment for a draw in [0, 1); None when no deployment has a positive weight."""
        if not self.names:
            return None
        return self.names[bisect_right(self.bounds, dice * self.bounds[-1])]

    def mirror_for(self, dice: float) -> str | None:
        """The deployment that gets a copy of an unpinned request, for a draw in [0, 1)."""
        return self.mirror if dice < self.mirror_share else None

    def admits(self, token: str) -> bool:
        """Whether a bearer token opens this endpoint; for Entra any token does, its signature is not ours to check."""
        return bool(token) and (self.auth_mode.lower() == "aadtoken" or token in self.keys)
