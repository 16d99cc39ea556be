"""Rollouts of the API as tables for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rollout.client.text import ago, columns, printable, shortened, when
from rollout.client.waiting import waits

Json = Mapping[str, Any]
LONGEST_REASON = 80
LATEST = 5
"""Lines of history that `show` prints."""


def table(rollouts: Sequence[Json], now: datetime) -> list[str]:
    """A line for each rollout, those that somebody has to do something about first."""
    head = ["policy", "target", "endpoint", "version", "phase", "step", "traffic", "flags", "next look", "why"]
    ordered = sorted(rollouts, key=lambda one: (not waits(one), one["policy"], one["target"], one["endpoint"]))
    return columns([head, *(_row(one, now) for one in ordered)])


def _row(one: Json, now: datetime) -> list[str]:
    why = shortened("; ".join(one["reasons"]), LONGEST_REASON)
    names = [one["policy"], one["target"], one["endpoint"], one["version"]]
    flags = ", ".join(one["flags"]) or "-"
    return [*names, one["phase"], one["step"] or "-", share(one), flags, when(one["next_look"], now), why]


def share(one: Json) -> str:
    """The candidate's part of the requests: live, mirrored, or none."""
    live, mirrored = one["traffic"].get(one["candidate"], 0), one["mirror"].get(one["candidate"], 0)
    return f"{live} %" + (f", mirror {mirrored} %" if mirrored else "")


def page(one: Json, now: datetime) -> list[str]:
    """One rollout: where it stands, why, on what evidence, and what it waits for."""
    name = f"{one['policy']}/{one['target']}/{one['endpoint']}"
    kind = "" if one["kind"] == "rollout" else f" ({one['kind']})"
    head = f"{name}: version {one['version']} of {one['model']}{kind}"
    step = f", step {one['step']}" if one["step"] else ""
    rows = [
        ["phase", f"{one['phase']}{step}, since {ago(one['entered'], now)}"],
        ["flags", ", ".join(one["flags"]) or "-"],
        *([("live" if not at else ""), text] for at, text in enumerate(_split(one, "traffic"))),
        *([("mirror" if not at else ""), text] for at, text in enumerate(_split(one, "mirror"))),
        ["record", str(one["record"])],
        ["next look", when(one["next_look"], now)],
        *([("why" if not at else ""), text] for at, text in enumerate(one["reasons"])),
        *([("waits for" if not at else ""), text] for at, text in enumerate(waits(one))),
        *([("asked for" if not at else ""), f"{text} (not looked at yet)"] for at, text in enumerate(one["unread"])),
    ]
    return [printable(head), *columns(rows, indent="  "), *_evidence(one), *_history(one)]


def _split(one: Json, kind: str) -> list[str]:
    """Each deployment's share, and which of the two it is."""
    roles = {one["live"]: "the old one", one["candidate"]: "the candidate"}
    return [
        f"{percent} % {name}" + (f" ({roles[name]})" if name in roles else "")
        for name, percent in sorted(one[kind].items())
        if percent
    ]


def _evidence(one: Json) -> list[str]:
    if not one["evidence"]:
        return []
    head = ["gate", "outcome", "value", "safe", "harm", "n", "what was seen"]
    basis = one.get("basis")
    window = f" of {basis['since']} to {basis['until']}" if basis else ""
    return ["", f"evidence{window}", *columns([head, *(_finding(found) for found in one["evidence"])], indent="  ")]


def _finding(found: Json) -> list[str]:
    numbers = [_number(found[key]) for key in ("value", "safe", "harm")]
    return [found["gate"], found["outcome"], *numbers, str(found["n"]), found["text"]]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _history(one: Json) -> list[str]:
    lines = history(one["history"][-LATEST:])
    return ["", f"the last {len(lines)} of {len(one['history'])} lines of its history", *lines] if lines else []


def history(entries: Sequence[Json]) -> list[str]:
    """Lines of the history, the newest last."""
    rows = [
        [entry["at"][:19].replace("T", " ") + "Z", entry["phase"], entry["cause"], entry["text"]] for entry in entries
    ]
    return columns(rows, indent="  ") if rows else []


def progress(one: Json, now: datetime) -> str:
    """A rollout in one line, for those who watch it."""
    if one["unread"]:
        return printable(f"asked for, not looked at yet: {'; '.join(one['unread'])}")
    evidence = one["evidence"]
    safe = sum(found["outcome"] == "safe" for found in evidence)
    judged = (
        f"{safe} of {len(evidence)} gates safe, {max(found['n'] for found in evidence)} requests" if evidence else ""
    )
    flags = ", ".join(one["flags"])
    since = f"entered {ago(one['entered'], now)}"
    parts = [one["step"] or one["phase"], share(one), flags, judged, since, "; ".join(one["reasons"])]
    return printable("  ".join(part for part in parts if part))
