"""The rules of live and mirrored traffic, and of names: what Azure refuses before an operation starts. Pure.

The rules are documented; the exact texts are not, so callers may rely on the status and the field, not on the words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.arm.envelope import invalid
from localcloud.arm.store import Deployment

MAX_MIRROR = 50
_NAME = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9])*")


def check_name(name: str, what: str) -> None:
    """3 to 32 characters, a letter first, letters, digits and single dashes, no dash at the end."""
    if not 3 <= len(name) <= 32 or not _NAME.fullmatch(name):
        raise invalid(
            f"The {what} name '{name}' is not valid: 3 to 32 characters, starting with a letter, "
            "only letters, digits and single dashes, not ending with a dash.",
            field="Name",
        )


def percentages(given: Mapping[str, Any] | None, known: Mapping[str, Deployment], field: str) -> dict[str, int]:
    """A traffic or mirror map with real deployment names and whole numbers. `known`: deployments by lower-case name."""
    result: dict[str, int] = {}
    for name, value in (given or {}).items():
        deployment = known.get(name.lower())
        if deployment is None or deployment.state == "Deleting":
            raise invalid(f"Deployment [{name}] was not found under this endpoint.", field=field)
        if isinstance(value, str) and value.isdigit():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
            raise invalid(f"{field} of [{name}] must be a whole number from 0 to 100, not {value!r}.", field=field)
        if value and not deployment.ever_succeeded:
            raise invalid(f"Deployment [{deployment.name}] has not been provisioned successfully.", field=field)
        result[deployment.name] = value
    return result


def check_split(traffic: Mapping[str, int], mirror: Mapping[str, int]) -> None:
    """Live traffic sums to 0 or 100; one mirror of at most 50 %; nothing is live and mirrored at once."""
    if (total := sum(traffic.values())) not in (0, 100):
        raise invalid(f"The traffic of all deployments must sum to 0 or 100, not {total}.", field="Traffic")
    mirrored = {name: share for name, share in mirror.items() if share > 0}
    if len(mirrored) > 1:
        raise invalid("Traffic can be mirrored to one deployment only.", field="MirrorTraffic")
    for name, share in mirrored.items():
        if share > MAX_MIRROR:
            raise invalid(f"At most {MAX_MIRROR} percent can be mirrored, not {share}.", field="MirrorTraffic")
        if traffic.get(name, 0) > 0:
            raise invalid(f"Deployment [{name}] cannot take live and mirrored traffic at once.", field="MirrorTraffic")
