"""What people may ask of a rollout, and when it is refused. Pure: the door asks before it accepts."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.bad_input import BadInput, parsed, text_at
from rollout.phases import Flag, Phase
from rollout.record import Record
from rollout.returning import failed_to_return, slow_note

ACTIONS = ("start", "promote", "advance", "rollback", "pause", "resume", "approve", "reject", "retry")

_FIELDS = {"id", "reason", "record", "model_version"}


@dataclass(frozen=True)
class Command:
    """A command as it was sent. `record` is the count of record writes that the sender had seen."""

    action: str
    id: str
    reason: str
    record: int | None = None
    version: str | None = None


def parse(action: str, raw: bytes | str) -> Command:
    """The command in a request; BadInput names the field that cannot be read."""
    if action not in ACTIONS:
        raise BadInput("action", f"{action!r} is none of {', '.join(ACTIONS)}")
    body = parsed(raw)
    for name in body:
        if name not in _FIELDS:
            raise BadInput(name, f"is not known; a command has {', '.join(sorted(_FIELDS))}")
    expected = body.get("record")
    if expected is not None and (not isinstance(expected, int) or isinstance(expected, bool)):
        raise BadInput("record", "must be the whole number that the rollout showed")
    version = body.get("model_version")
    if version is not None and (not isinstance(version, str | int) or isinstance(version, bool) or version == ""):
        raise BadInput("model_version", 'must be a version, such as "7"')
    if version is not None and action != "start":
        raise BadInput("model_version", "belongs to `start` only")
    identity = text_at(body, "id", "id", longest=128)
    reason = text_at(body, "reason", "reason", longest=2000)
    return Command(action, identity, reason, expected, None if version is None else str(version))


def refusal(record: Record | None, command: Command) -> str | None:
    """Why the command cannot be done now, or None when it can."""
    if record is None:
        return None if command.action == "start" else "there is no rollout yet; `start` begins one"
    if command.record is not None and command.record != record.writes:
        return f"the rollout has moved on: it is at record {record.writes}, you saw {command.record}"
    return _REFUSALS[command.action](record)


def _start(record: Record) -> str | None:
    return None if record.terminal else f"a rollout of version {record.version} is in flight ({record.phase.value})"


def _retry(record: Record) -> str | None:
    if record.terminal:
        return "the rollout is done; `start` begins another" if record.phase is Phase.DONE else None
    if Flag.HELD in record.flags or record.refused:
        return None
    return f"nothing to retry: the rollout is {record.phase.value} and not held"


def _rollback(record: Record) -> str | None:
    if record.phase is Phase.ROLLING_BACK:
        return "the rollout is going back already"
    if _returns_slowly(record):
        return f"version {record.version} is being deployed again to go back to; `reject` calls that off"
    if not record.terminal:
        return None
    if not _left_live(record):
        return f"the rollout is over ({record.phase.value})"
    if record.live is None:
        return "this is the first version: there is nothing to go back to"
    if record.retired and not record.earlier:
        return f"deployment {record.live} was deleted when it retired; `start` an earlier version instead"
    return None


def _left_live(record: Record) -> bool:
    """Whether the rollout, which is over, left a version in service that may be gone back from."""
    if record.phase in (Phase.DONE, Phase.ROLLED_BACK):
        return record.phase is Phase.DONE
    came_from = record.live if failed_to_return(record) else None
    return any(record.traffic.get(name) for name in (record.candidate, came_from or ""))


def _forward(record: Record) -> str | None:
    if record.terminal or record.phase is Phase.ROLLING_BACK:
        return f"the rollout is {record.phase.value}"
    if record.phase is Phase.DEPLOYING:
        return "the candidate is not deployed yet"
    return None


def _promote(record: Record) -> str | None:
    if record.phase in (Phase.FULL, Phase.RETIRING):
        return f"version {record.version} has all of the traffic already"
    refused = _forward(record)
    if refused is None and Flag.FROZEN in record.flags:
        return "the rollout is frozen (its reasons say by whom and until when); end the freeze first"
    return refused


def _advance(record: Record) -> str | None:
    if record.phase is Phase.AWAITING_APPROVAL:
        return "the step waits for a person: use `approve`"
    return _forward(record)


def _pause(record: Record) -> str | None:
    if Flag.PAUSED in record.flags:
        return "the rollout is paused already"
    if record.terminal or record.phase is Phase.ROLLING_BACK:
        return f"the rollout is {record.phase.value}"
    return None


def _resume(record: Record) -> str | None:
    if record.flags & {Flag.PAUSED, Flag.HELD} or record.holds:
        return None
    return "the rollout is neither paused nor held"


def _decide_approval(record: Record) -> str | None:
    if record.phase is Phase.AWAITING_APPROVAL:
        return None
    return f"no approval is asked for: the rollout is {record.phase.value}"


def _reject(record: Record) -> str | None:
    return None if _returns_slowly(record) else _decide_approval(record)


def _returns_slowly(record: Record) -> bool:
    """Whether a version is being deployed again, and has no traffic yet."""
    return record.kind == "rollback" and record.phase in (Phase.DEPLOYING, Phase.TESTING)


def note(record: Record | None, command: Command) -> str:
    """What the person who gave an accepted command should know, or nothing."""
    if command.action == "start" and command.version is not None:
        return f"version {command.version} is looked up at the next look: the history says so if it cannot be started"
    if record is None or command.action != "rollback" or not record.terminal:
        return ""
    again = failed_to_return(record) and not record.traffic.get(record.candidate)
    return slow_note(record) if record.retired or again else ""


_REFUSALS = {
    "start": _start,
    "retry": _retry,
    "rollback": _rollback,
    "promote": _promote,
    "advance": _advance,
    "pause": _pause,
    "resume": _resume,
    "approve": _decide_approval,
    "reject": _reject,
}
