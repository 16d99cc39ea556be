"""What the tests of batch rollouts start from: the world of the pure core, with a batch endpoint in it.

The jobs of a look are made by name, as the record names them; smoke test and evidence follow from them as they do when
a look reads them from Azure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from policy.load import load
from rollout.batch_rows import Compared
from rollout.endpoint import EndpointSeen
from rollout.observation import JobSeen
from rollout.phases import Phase
from rollout.place import Place
from rollout.record import Outputs, Record
from rollout.sample import Trial, Whose, evidence_of, job_name, smoke_of
from tests.rollout.world import AT_HOME, FULL, NOW, SETTLED, STEPS, deployment, endpoint, standing
from tests.rollout.world import POLICY_TEXT as ONLINE

PLACE = Place("credit", "production", "credit", "/subscriptions/s/batchendpoints/credit")
TEXT = ONLINE.replace(
    "endpoint: credit", "endpoint: credit\n    kind: batch\n    sample: azureml://datastores/d/paths/p"
)
POLICY = load(TEXT, "credit.yaml")
WITHIN = POLICY.deployment.batch.sample_within
ALIKE = Compared(rows=100, missing=0, pairs=100, agreed=100)


def batch_record(phase: Phase, **changes: Any) -> Record:
    """A settled record of a batch rollout."""
    traffic, _ = FULL if phase in (Phase.FULL, Phase.RETIRING, Phase.DONE, Phase.ROLLING_BACK) else AT_HOME
    wrote = (AT_HOME if phase is Phase.ROLLING_BACK else FULL) if traffic == FULL[0] else None
    settled = {"batch": True, "traffic": traffic, "mirror": {}, "asked": wrote, "policy_text": TEXT}
    return replace(standing(phase, **settled), **changes)


def batch_endpoint(phase: Phase) -> EndpointSeen:
    """The endpoint as the settled record expects it."""
    traffic, _ = FULL if phase in (Phase.FULL, Phase.RETIRING, Phase.DONE, Phase.ROLLING_BACK) else AT_HOME
    return endpoint(traffic, {}, new="Creating" if phase is Phase.DEPLOYING else "Succeeded")


def job(record: Record, whose: Whose, state: str, *, attempt: int = 0, **more: Any) -> JobSeen:
    """One of the record's jobs, begun when its step was."""
    created = more.get("created", record.entered)
    seen: dict[str, Any] = {
        "created": created,
        "size": 1000 if state == "Completed" else None,
        "late": state == "Running" and created + WITHIN < NOW,
        **more,
    }
    return JobSeen(name=job_name(record, whose, attempt), state=state, **seen)


def seen_with(record: Record, *jobs: JobSeen, compared: Compared | None = None) -> dict[str, Any]:
    """What a look sees that found these jobs."""
    trial = Trial(jobs)
    if record.phase is Phase.TESTING:
        return {"jobs": jobs, "smoke": smoke_of(record, trial, WITHIN)}
    evidence, missing = evidence_of(record, trial, compared, NOW, WITHIN)
    outputs = Outputs(" ".join(one.name for one in jobs), compared) if compared else None
    return {"jobs": jobs, "outputs": outputs, "evidence": evidence, "trouble": (missing,) if missing else ()}


LONG_AGO = timedelta(hours=2)
__all__ = ["LONG_AGO", "NOW", "SETTLED", "STEPS", "deployment"]
