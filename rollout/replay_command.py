"""`python -m rollout replay FILE`: a finished rollout decided again, as a table that people read.

Exit status 0: every look came to the same bytes. 1: one did not (the difference is printed). 2: not a file of ours.
"""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from policy.problems import PolicyError
from rollout.replay import Replayed, Unreplayable, replay
from rollout.shell import Shell

SAME, DIFFERENT, UNREADABLE = 0, 1, 2


def add(commands: Any, _: Shell) -> None:
    """Add the command to the parser."""
    replay_file = commands.add_parser("replay", help="decide a finished rollout again from its file")
    replay_file.add_argument("file", type=Path, help="history/<policy>/<target>/<endpoint>/<n>.json")
    replay_file.set_defaults(run=_run)


def _run(given: Namespace) -> int:
    try:
        file = json.loads(given.file.read_bytes())
        if not isinstance(file, dict):
            raise Unreplayable("it is no JSON object")
        return _printed(file)
    except (OSError, ValueError, KeyError, PolicyError) as error:
        print(f"{given.file}: cannot be replayed: {_words(error)}", file=sys.stderr)
        return UNREADABLE


def _printed(file: Mapping[str, Any]) -> int:
    print(f"{file['policy']}/{file['target']}/{file['endpoint']} number {file['number']}: version {file['version']}")
    print(f"{'look':>5}  {'time (UTC)':19}  {'phase':17}  what was decided, and on what")
    count = 0
    for one in replay(file):
        for line in _row(one):
            print(line)
        if one.difference:
            print(f"\nlook {one.look} is decided otherwise now:\n{one.difference}")
            return DIFFERENT
        count += 1
    print(f"{count} looks: each decided the same again, byte for byte")
    return SAME


def _row(one: Replayed) -> Iterator[str]:
    phase = one.record.phase.value if one.record else "-"
    said = [f"{line['cause']}: {line['text']}" for line in one.told.get("said", one.told.get("history", ()))]
    reasons = list(one.record.reasons) if one.record else []
    asked = [f"action: {_action(action)}" for action in one.told.get("did", ())]
    met = [f"Azure: {text}" for text in _outcome(one.told.get("outcome", {}))]
    head, *rest = [*(said or reasons[:1] or ["nothing new"]), *asked, *met, *_evidence(one.told["seen"])]
    yield f"{one.look:>5}  {one.at:%Y-%m-%d %H:%M:%S}  {phase:17}  {head}"
    yield from (f"{'':46}  {line}" for line in rest)


def _action(action: Mapping[str, Any]) -> str:
    told = ", ".join(f"{key} {value}" for key, value in action.items() if key != "action")
    return f"{action['action']} ({told})"


def _outcome(outcome: Mapping[str, Any]) -> Iterator[str]:
    if "refused" in outcome:
        yield f"refused: {outcome['refused']}"
    yield from outcome.get("trouble", ())
    if outcome.get("blocked"):
        yield "not done: something was new, looked again at once"


def _evidence(seen: Mapping[str, Any]) -> Iterator[str]:
    evidence = seen.get("evidence")
    if evidence is None:
        return
    arms = "; ".join(
        f"{arm} {evidence[arm].get('requests', 0)} requests, {evidence[arm].get('errors', 0)} failed"
        for arm in ("live", "candidate")
    )
    pairs = f"; {evidence.get('agreed', 0)} of {evidence['pairs']} pairs agreed" if evidence.get("pairs") else ""
    yield f"evidence {evidence['since'][:19]} to {evidence['until'][:19]}: {arms}{pairs}"


def _words(error: Exception) -> str:
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)
