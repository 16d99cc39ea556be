"""Do the endpoint and the policy fit together: kind, state, split, names, limits."""

from __future__ import annotations

from collections.abc import Iterable

from cloud.endpoints import Endpoint
from cloud.errors import CloudError
from policy.names import ENDPOINT_RULE, valid_endpoint
from rollout.doctor import mend
from rollout.doctor.case import Case
from rollout.doctor.finding import Check, bad, doubtful, good
from rollout.endpoint import SERVING
from rollout.names import deployment_name
from rollout.observation import VersionSeen
from rollout.phases import Phase
from rollout.record import Record
from rollout.traffic import split_words

MOST_DEPLOYMENTS = 20
"""Azure's own limit for an endpoint, which its support raises on request."""
AUTH_MODES = ("key", "amltoken", "aadtoken")


def there(case: Case) -> tuple[Check, ...]:
    """Whether the endpoint is there, of the kind that the policy says, and at rest."""
    name = "endpoint"
    if case.endpoint is None:
        return (_absent(case, name),)
    text = f"{case.target.kind} endpoint in {case.endpoint.region}, {_mode(case.endpoint)}, {case.endpoint.state}"
    show = mend.endpoint(case.target, case.place.endpoint, "show")
    if case.endpoint.state != "Succeeded":
        return (doubtful(name, f"{text}: a rollout waits until it is at rest", show),)
    if not case.place.batch and _mode(case.endpoint) not in AUTH_MODES:
        return (doubtful(name, f"{text}: how it is called is not known, so smoke tests may fail", show),)
    return (good(name, text),)


def _absent(case: Case, name: str) -> Check:
    if not valid_endpoint(case.place.endpoint):
        text = f"no endpoint can be called {case.place.endpoint}, as model {case.model} would want it: {ENDPOINT_RULE}"
        return bad(name, text, f"give {case.model} a policy of its own with an `endpoint` written out")
    other = "batch" if case.target.kind == "online" else "online"
    elsewhere = case.place.endpoint_id.replace(f"/{case.target.kind}endpoints/", f"/{other}endpoints/")
    try:
        is_other = case.context.at(elsewhere).read(elsewhere) is not None
    except CloudError:
        is_other = False
    text = f"there is no {case.target.kind} endpoint {case.place.endpoint} in workspace {case.target.workspace}"
    if is_other:
        return bad(name, f"{text}, but one of kind {other}", f"write `kind: {other}` for target {case.target.name}")
    auth = "aad_token" if case.place.batch else "key"
    return bad(name, text, mend.endpoint(case.target, case.place.endpoint, "create", f"--auth-mode {auth}"))


def startable(case: Case) -> tuple[Check, ...]:
    """Whether a rollout may start from the split as it is."""
    name, endpoint = "traffic", case.endpoint
    if endpoint is None:
        return ()
    live = [one for one, share in endpoint.traffic.items() if share]
    text = f"live {split_words(endpoint.traffic)}, mirror {split_words(endpoint.mirror)}"
    flying = _in_flight(case)
    if flying is not None and {*live, *endpoint.mirror} <= {flying.live, flying.candidate}:
        return (good(name, f"{text}: of the rollout of version {flying.version}, in flight ({flying.phase.value})"),)
    whole = len(live) <= 1 and sum(endpoint.traffic.values()) in (0, 100) and not endpoint.mirror
    idle = sorted(one.name for one in case.deployments.values() if one.state in SERVING)
    if whole and not live and idle and not case.policy.adopt:
        to = mend.endpoint(case.target, case.place.endpoint, "update", f'--traffic "{idle[0]}=100"')
        return (bad(name, f"{text}, though {', '.join(idle)} could serve; or set `adopt: true`", to),)
    if whole or case.policy.adopt:
        return _healthy(case, live, text)
    keep = case.live.name if case.live is not None else (idle or ["DEPLOYMENT"])[0]
    shares = " ".join(f"{one}={100 if one == keep else 0}" for one in dict.fromkeys([keep, *live]))
    options = [f'--traffic "{shares}"']
    if endpoint.mirror:
        options.append('--mirror-traffic "{}"'.format(" ".join(f"{one}=0" for one in endpoint.mirror)))
    text += ": in other hands, so it is left alone; or set `adopt: true`"
    return (bad(name, text, mend.endpoint(case.target, case.place.endpoint, "update", *options)),)


def _in_flight(case: Case) -> Record | None:
    """The rollout that has begun to move the endpoint's traffic; the storage's own checks tell what cannot be read."""
    place = case.place
    try:
        kept = case.context.store.load(place.policy, place.target, place.endpoint)
    except CloudError:
        return None
    if kept is None or kept.record.terminal or kept.record.phase is Phase.DEPLOYING:
        return None
    return kept.record


def _healthy(case: Case, live: list[str], text: str) -> tuple[Check, ...]:
    ill = [one for one in live if one not in case.deployments or case.deployments[one].state not in SERVING]
    if not ill:
        return (good("traffic", f"{text}: a rollout may start from it"),)
    show = mend.deployment(case.target, case.place.endpoint, ill[0], "get-logs", "--lines 100")
    return (doubtful("traffic", f"{text}; {', '.join(ill)} cannot serve: there would be nothing to go back to", show),)


def room(case: Case, newest: VersionSeen | None) -> tuple[Check, ...]:
    """Whether another deployment fits, and its name is free."""
    name, count = "deployments", len(case.deployments)
    if case.endpoint is None:
        return ()
    drop = mend.deployment(case.target, case.place.endpoint, "DEPLOYMENT", "delete", "--yes")
    if count >= MOST_DEPLOYMENTS:
        return (bad(name, f"{count}, and Azure's limit is {MOST_DEPLOYMENTS}: delete one", drop),)
    text = f"{count} of {MOST_DEPLOYMENTS}"
    if newest is None:
        return (good(name, text),)
    made = deployment_name(case.model, newest.version, newest.id, newest.created)
    known = case.deployments.get(made)
    if known is not None and known.model.lower() != newest.id.lower():
        drop = mend.deployment(case.target, case.place.endpoint, made, "delete", "--yes")
        return (
            bad(name, f"{text}; the name {made} is taken by a deployment of {known.model or 'something else'}", drop),
        )
    return (good(name, f"{text}; version {newest.version} is {made}{', which is there already' if known else ''}"),)


def autoscale(case: Case) -> tuple[Check, ...]:
    """Whether the live deployment's autoscale settings can be read: they are carried to the new one."""
    if case.live is None or case.place.batch:
        return ()
    found = case.context.autoscale.of(f"{case.place.endpoint_id}/deployments/{case.live.name}")
    on = _names(one.id for one in found if one.enabled)
    return (good("autoscale", f"{on} of {case.live.name}: carried to the new deployment" if on else "none to carry"),)


def first(case: Case) -> tuple[Check, ...]:
    """Whether the policy says enough to make a deployment where there is none to copy."""
    if case.endpoint is None or case.live is not None:
        return ()
    name, settings = "first version", case.policy.deployment
    lacks = "batch.compute" if case.place.batch else "instance_type"
    there_is = settings.batch.compute if case.place.batch else settings.instance_type
    if there_is is None:
        text = f"no deployment has traffic to copy from, and the policy has no deployment.{lacks}"
        return (bad(name, text, f"give `deployment.{lacks}` in the policy"),)
    return (good(name, "made from the policy alone"),)


def _names(ids: Iterable[str]) -> str:
    return ", ".join(one.rsplit("/", 1)[-1] for one in ids)


def _mode(endpoint: Endpoint) -> str:
    return str(endpoint.body["properties"].get("authMode", "")).lower()
