"""May the app do what it does? Rights as Azure tells them, compared with the actions that are used."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.access import lacking
from cloud.errors import NotFound, Permanent
from policy.model import Smoke
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good

ML = "Microsoft.MachineLearningServices/workspaces"
INSIGHTS = "Microsoft.Insights"
_TO_SCORE = {"key": "listKeys/action", "amltoken": "token/action", "aadtoken": "score/action"}
"""What sending a request takes, by the way an endpoint is called."""


def on_endpoint(case: Case) -> tuple[Check, ...]:
    """The writes of a rollout, and what sending requests of our own takes."""
    kind = "batchEndpoints" if case.place.batch else "onlineEndpoints"
    verbs = ["read", "write", "deployments/read", "deployments/write", "deployments/delete"]
    mode = _auth_mode(case)
    smoke = not case.place.batch and any(isinstance(step, Smoke) for step in case.policy.steps)
    if smoke and mode in _TO_SCORE:
        verbs.append(_TO_SCORE[mode])
    actions = [f"{ML}/{kind}/{verb}" for verb in verbs]
    give = mend.role(case.caller, mend.SCIENTIST, case.workspace_id)
    return _compared(case, "rights on the endpoint", case.place.endpoint_id, actions, give)


def on_workspace(case: Case) -> tuple[Check, ...]:
    """Reading models, unless they live in a registry."""
    actions = []
    if case.policy.model.registry is None:
        actions += [f"{ML}/models/read", f"{ML}/models/versions/read"]
    if case.place.batch:
        actions += [f"{ML}/jobs/read", f"{ML}/datastores/read"]
    give = mend.role(case.caller, mend.SCIENTIST, case.workspace_id)
    return _compared(case, "rights on the workspace", case.workspace_id, actions, give)


def on_group(case: Case) -> tuple[Check, ...]:
    """Autoscale settings, which are carried from the old deployment to the new one, and metrics."""
    if case.place.batch:
        return ()
    verbs = ("read", "write", "delete") if _scaled(case) else ("read",)
    settings = [f"{INSIGHTS}/autoscaleSettings/{verb}" for verb in verbs]
    metrics = [f"{INSIGHTS}/metrics/read"]
    give = mend.autoscale_role(case.caller, case.group_id)
    show = mend.role(case.caller, mend.MONITORING_READER, case.group_id)
    return (
        *_compared(case, "rights on autoscale settings", case.group_id, settings, give),
        *_compared(case, "rights on metrics", case.group_id, metrics, show, required=False),
    )


def _compared(
    case: Case,
    name: str,
    scope: str,
    actions: Sequence[str],
    give: str,
    *,
    required: bool = True,
) -> tuple[Check, ...]:
    if not actions:
        return ()
    try:
        grants = case.access.grants(scope)
    except NotFound:
        return ()  # that it does not exist is another check's to say
    except Permanent as error:
        # That the list is closed to us says nothing about the rights in it.
        read = mend.role(case.caller, mend.READER, case.group_id)
        return (doubtful(name, f"they cannot be listed: {error}", read),)
    missing = lacking(grants, actions)
    if not missing:
        return (good(name, f"{len(actions)} actions allowed to {case.caller.name or 'the caller'}"),)
    text = f"{case.caller.name or 'the caller'} lacks {', '.join(missing)}"
    return (bad(name, text, give) if required else doubtful(name, text, give),)


def _scaled(case: Case) -> bool:
    """Whether there are autoscale settings that a rollout would have to copy."""
    if case.live is None:
        return False
    try:
        return any(
            one.enabled for one in case.context.autoscale.of(f"{case.place.endpoint_id}/deployments/{case.live.name}")
        )
    except Permanent:
        return False  # that they cannot be read is another check's to say


def _auth_mode(case: Case) -> str:
    return str(case.endpoint.body["properties"].get("authMode", "")).lower() if case.endpoint is not None else ""
