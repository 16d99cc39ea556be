"""Azure Resource Manager's routes of Microsoft.Insights/autoscaleSettings: kept and shown, by the documented shape.

Nothing scales by itself here: a test that needs another to change a capacity does so with a PUT of the deployment.
"""

from __future__ import annotations

from aiohttp import web

from localcloud.monitor.bearer import require_bearer
from localcloud.seams import AzureError, Json

_PROVIDER = "{p:(?i:providers)}/{i:(?i:microsoft\\.insights)}/{kind:(?i:autoscalesettings)}"
_GROUP = "/subscriptions/{subscription}/{g:(?i:resourcegroups)}/{group}"
MOST_PROFILES = 20


class AutoscaleSettings:
    """The resources as they were put, by id in lower case."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._settings: dict[str, Json] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """PUT, GET, DELETE of one, and the lists of a resource group and of a subscription."""
        one = f"{_GROUP}/{_PROVIDER}/{{name}}"
        router.add_put(one, self.put)
        router.add_get(one, self.get)
        router.add_delete(one, self.delete)
        router.add_get(f"{_GROUP}/{_PROVIDER}", self.list)
        router.add_get(f"/subscriptions/{{subscription}}/{_PROVIDER}", self.list)

    async def put(self, request: web.Request) -> web.Response:
        """Make or replace one; a resource is the target of at most one setting."""
        require_bearer(request)
        body, identity = await request.json(), _id(request)
        properties = _checked(body)
        target = str(properties.get("targetResourceUri") or "").lower()
        for known, other in self._settings.items():
            if known != identity.lower() and str(other["properties"]["targetResourceUri"]).lower() == target:
                raise AzureError(409, "Conflict", f"Autoscale setting {other['name']} has this target already.")
        kept = {
            "id": identity,
            "name": request.match_info["name"],
            "type": "Microsoft.Insights/autoscaleSettings",
            "location": body["location"],
            "tags": body.get("tags") or {},
            "properties": {"enabled": False, "targetResourceLocation": self._region, **properties},
        }
        is_new = identity.lower() not in self._settings
        self._settings[identity.lower()] = kept
        return web.json_response(kept, status=201 if is_new else 200)

    async def get(self, request: web.Request) -> web.Response:
        """One setting."""
        require_bearer(request)
        found = self._settings.get(_id(request).lower())
        if found is None:
            raise AzureError(404, "ResourceNotFound", f"The Resource '{_id(request)}' was not found.")
        return web.json_response(found)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove one; 204 when there is none."""
        require_bearer(request)
        there = self._settings.pop(_id(request).lower(), None)
        return web.Response(status=200 if there else 204)

    async def list(self, request: web.Request) -> web.Response:
        """All settings below the path."""
        require_bearer(request)
        scope = f"/subscriptions/{request.match_info['subscription']}/"
        if "group" in request.match_info:
            scope += f"resourcegroups/{request.match_info['group']}/"
        found = [one for identity, one in self._settings.items() if identity.startswith(scope.lower())]
        return web.json_response({"value": found})


def _checked(body: Json) -> Json:
    properties: Json = body.get("properties") or {}
    profiles = properties.get("profiles")
    if not body.get("location") or not isinstance(profiles, list) or not 1 <= len(profiles) <= MOST_PROFILES:
        text = f"An autoscale setting has a location and 1 to {MOST_PROFILES} profiles."
        raise AzureError(400, "InvalidAutoscaleSetting", text)
    return properties


def _id(request: web.Request) -> str:
    info = request.match_info
    group = f"/subscriptions/{info['subscription']}/resourceGroups/{info['group']}"
    return f"{group}/providers/Microsoft.Insights/autoscaleSettings/{info['name']}"
