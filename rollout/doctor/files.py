"""Are the files there that the policy's steps need? A candidate made for a test without requests costs money."""

from __future__ import annotations

from cloud.errors import CloudError
from policy.model import Canary, Shadow, Smoke, Step
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, good
from rollout.recorded import recorded_requests


def readable(case: Case) -> tuple[Check, ...]:
    """Each file of recorded requests, once, and whether a smoke test expects as many answers as it asks."""
    if case.place.batch:
        return ()
    files = dict.fromkeys(name for step in case.policy.steps if (name := _file_of(step)) is not None)
    return tuple(_read(case, name) for name in files)


def _file_of(step: Step) -> str | None:
    if isinstance(step, Smoke):
        return step.requests_from
    return step.load.requests_from if isinstance(step, Shadow | Canary) and step.load is not None else None


def _read(case: Case, file: str) -> Check:
    name = f"requests of {file}"
    try:
        count = len(recorded_requests(case.context, case.target, None, file))
    except CloudError as error:
        return bad(name, str(error), mend.upload(file))
    for step in case.policy.steps:
        if isinstance(step, Smoke) and step.requests_from == file and len(step.expect.values) not in (0, count):
            text = f"{count} requests, and the smoke step has {len(step.expect.values)} expect.values"
            return bad(name, text, "give one of `expect.values` for each request, or none")
    return good(name, f"{count} request{'s' if count != 1 else ''}")
