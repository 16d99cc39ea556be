"""What `/api/health` says: whether the storage answers, which policies are wrong, and when each timer last ran."""

from __future__ import annotations

import json
from typing import Any

from cloud.blobs import Blobs
from cloud.errors import CloudError
from rollout.codec import stamp
from rollout.context import Context

STATE, RUNS = "state", "runs/"


def ran(context: Context, name: str, problem: str = "") -> None:
    """Remember that the function `name` ran now, and what went wrong if anything did."""
    entry = {"at": stamp(context.clock()), "ok": not problem, "problem": problem}
    context.blobs.write(STATE, f"{RUNS}{name}.json", json.dumps(entry).encode())


def health(context: Context) -> tuple[bool, dict[str, Any]]:
    """(whether all is well, the page's JSON). Policy errors do not make the app unhealthy: the last good one serves."""
    try:
        in_force = context.policies.refresh()
        runs = _runs(context.blobs)
        freezes = context.freezes.active()
    except CloudError as error:
        return False, {
            "status": "unhealthy",
            "dependencies": {"storage": str(error)},
            "generated": stamp(context.clock()),
        }
    failed = sorted(name for name, run in runs.items() if not run["ok"])
    return True, {
        "status": "degraded" if failed or in_force.errors else "healthy",
        "dependencies": {"storage": "ok"},
        "policies": sorted(in_force.policies),
        "policy_errors": dict(in_force.errors),
        "freezes": freezes,
        "last_runs": runs,
        "failed_runs": failed,
        "generated": stamp(context.clock()),
    }


def _runs(blobs: Blobs) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for blob in blobs.list(STATE, RUNS):
        stored = blobs.read(STATE, blob.name)
        if stored is not None:
            found[blob.name.removeprefix(RUNS).removesuffix(".json")] = json.loads(stored.data)
    return found
