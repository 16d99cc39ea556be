"""May the app do what it does? Rights as Azure tells them, compared with the actions that are used."""

from __future__ import annotations

from collections.abc import Sequence

from cloud.access import Grant, lacking
from cloud.errors import NotFound, Permanent
from policy.model import Smoke
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good

ML = "Microsoft.MachineLearningServices/workspaces"
INSIGHTS = "Microsoft.Insights"
SCORE = f"{ML}/onlineEndpoints/score/action"
_KEYS = {"key": "listKeys/action", "amltoken": "token/action"}


def on_endpoint(case: Case) -> tuple[Check, ...]:
    """The writes of a rollout, and what sending requests of our own takes."""
    kind = "batchEndpoints" if case.place.batch else "onlineEndpoints"
    verbs = ["read", "write", "deployments/read", "deployments/write", "deployments/delete"]
    mode = _auth_mode(case)
    smoke = not case.place.batch and any(isinstance(step, Smoke) for step in case.policy.steps)
    if smoke and mode in _KEYS:
        verbs.append(_KEYS[mode])
    actions = [f"{ML}/{kind}/{verb}" for verb in verbs]
    data = [SCORE] if smoke and mode == "aadtoken" else []
    give = mend.role(case.caller, mend.SCIENTIST, case.workspace_id)
    return _compared(case, "rights on the endpoint", case.place.endpoint_id, actions, give, data=data)


def on_workspace(case: Case) -> tuple[Check, ...]:
    """Reading models, unless they live in a registry."""
    actions = [f"{ML}/read"]
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
    settings = [f"{INSIGHTS}/autoscaleSettings/{verb}" for verb in ("read", "write", "delete")]
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
    data: Sequence[str] = (),
    required: bool = True,
) -> tuple[Check, ...]:
    try:
        grants = case.access.grants(scope)
    except NotFound:
        return ()  # that it does not exist is another check's to say
    except Permanent as error:
        # That the list is closed to us says nothing about the rights in it.
        read = mend.role(case.caller, mend.READER, case.group_id)
        return (doubtful(name, f"they cannot be listed: {error}", read),)
    missing = _missing(grants, actions, data)
    if not missing:
        return (good(name, f"{len(actions) + len(data)} actions allowed to {case.caller.name or 'the caller'}"),)
    text = f"{case.caller.name or 'the caller'} lacks {', '.join(missing)}"
    return (bad(name, text, give) if required else doubtful(name, text, give),)


def _missing(grants: Sequence[Grant], actions: Sequence[str], data: Sequence[str]) -> tuple[str, ...]:
    return (*lacking(grants, actions), *lacking(grants, data, data=True))


def _auth_mode(case: Case) -> str:
    return str(case.endpoint.body["properties"].get("authMode", "")).lower() if case.endpoint is not None else ""
