"""`python -m policy`: check policy files, prove them against Azure, and write what is made from the model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from policy.conflicts import conflicts
from policy.document import dotted, read
from policy.load import PolicyError, Problem, examine
from policy.model import Policy
from policy.section import Path as Where


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 when all is well, 1 when a policy is not."""
    parser = argparse.ArgumentParser(prog="python -m policy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check", help="print every problem and warning as file:line:column; exit status 1 when there is a problem"
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    doctor = commands.add_parser("doctor", help="is everything there that a rollout needs? asks the real subscription")
    doctor.add_argument("policy", metavar="NAME", help="a policy in force, or a file")
    doctor.add_argument("--endpoint", default="", metavar="NAME", help="only this endpoint; default: all (5 of many)")
    doctor.add_argument("--json", action="store_true", help="for machines")
    commands.add_parser("schema", help="write policy/schema.json")
    commands.add_parser("reference", help="write docs/policy.md")
    chosen = parser.parse_args(arguments)
    if chosen.command == "check":
        return _check(chosen.files)
    if chosen.command == "doctor":
        return _doctor(chosen.policy, chosen.endpoint.lower(), as_json=chosen.json)
    return _write(chosen.command)


def _doctor(name: str, endpoint: str, *, as_json: bool) -> int:
    from policy.doctor import doctor  # hands over to the other rooms, which no other command needs

    return doctor(name, endpoint, as_json=as_json, clock=lambda: datetime.now(UTC), new_id=lambda: uuid4().hex)


def _check(files: Sequence[Path]) -> int:
    policies: list[Policy] = []
    read_from: list[Path] = []
    problems: list[str] = []
    warnings: list[str] = []
    for file in files:
        try:
            policy, odd = examine(file.read_bytes(), str(file))
            policies.append(policy)
            read_from.append(file)
            warnings += [str(warning) for warning in odd]
            warnings += _misnamed(file, policy)
        except PolicyError as wrong:
            problems += [str(problem) for problem in wrong.problems]
        except OSError as wrong:
            problems.append(f"{file}: cannot be read: {wrong.strerror}")
    problems += [_located(read_from[one.index], one.at, one.message) for one in conflicts(policies)]
    for line in (*problems, *warnings):
        print(line, file=sys.stderr)
    if not problems:
        print(f"{len(policies)} {'policy' if len(policies) == 1 else 'policies'}: no problems")
    return 1 if problems else 0


def _misnamed(file: Path, policy: Policy) -> list[str]:
    """A warning where the file, uploaded under its own name, would be refused."""
    if file.stem == policy.name:
        return []
    text = f"warning: uploaded as {file.name} it would be refused: the blob of this policy is {policy.name}.yaml"
    return [_located(file, ("name",), text)]


def _located(file: Path, at: Where, message: str) -> str:
    place = read(file.read_bytes(), str(file)).place(at)
    return str(Problem(str(file), place.line, place.column, dotted(at), message))


def _write(what: str) -> int:
    from policy import reference, schema

    file, text = (schema.FILE, schema.text()) if what == "schema" else (reference.FILE, reference.text())
    file.write_text(text, encoding="utf-8")
    print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
