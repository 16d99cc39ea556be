"""Azure Resource Manager's routes of Microsoft.Insights: actionGroups, metricAlerts and scheduledQueryRules."""

from __future__ import annotations

from aiohttp import web

from localcloud.monitor.action_groups import Notifier, webhooks
from localcloud.monitor.alert_rules import read
from localcloud.monitor.alerts import Alerts
from localcloud.monitor.bearer import require_bearer
from localcloud.monitor.object_body import object_body
from localcloud.seams import AzureError, Json

_KINDS = {name.lower(): name for name in ("actionGroups", "metricAlerts", "scheduledQueryRules")}
_PROVIDER = "{p:(?i:providers)}/{i:(?i:microsoft\\.insights)}/{kind:(?i:actiongroups|metricalerts|scheduledqueryrules)}"
_GROUP = "/subscriptions/{subscription}/{g:(?i:resourcegroups)}/{group}"


class AlertsArm:
    """Keeps the resources as they were put and hands what they mean to the alerts."""

    def __init__(self, alerts: Alerts, notifier: Notifier) -> None:
        self._alerts, self._notifier = alerts, notifier
        self._resources: dict[str, Json] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """PUT, GET, DELETE of one, and the lists of a resource group and of a subscription."""
        one = f"{_GROUP}/{_PROVIDER}/{{name}}"
        router.add_put(one, self.put)
        router.add_get(one, self.get)
        router.add_delete(one, self.delete)
        router.add_get(f"{_GROUP}/{_PROVIDER}", self.list)
        router.add_get(f"/subscriptions/{{subscription}}/{_PROVIDER}", self.list)

    async def put(self, request: web.Request) -> web.Response:
        """Make or replace a resource; 201 the first time."""
        require_bearer(request)
        kind, resource_id = _address(request)
        body = await object_body(request)
        if kind == "actionGroups":
            self._notifier.set_group(resource_id.lower(), webhooks(body))
        else:
            rule = read(kind, resource_id, request.match_info["name"], body)
            await self._alerts.check(rule)
            self._alerts.set_rule(rule)
        resource = {
            "id": resource_id,
            "name": request.match_info["name"],
            "type": f"Microsoft.Insights/{kind}",
            "location": body.get("location", "global"),
            "tags": body.get("tags") or {},
            "properties": {"enabled": True, **(body.get("properties") or {})},
        }
        is_new = resource_id.lower() not in self._resources
        self._resources[resource_id.lower()] = resource
        return web.json_response(resource, status=201 if is_new else 200)

    async def get(self, request: web.Request) -> web.Response:
        """One resource."""
        require_bearer(request)
        kind, resource_id = _address(request)
        resource = self._resources.get(resource_id.lower())
        if resource is None:
            name = f"Microsoft.Insights/{kind}/{request.match_info['name']}"
            raise AzureError(404, "ResourceNotFound", f"The Resource '{name}' was not found.")
        return web.json_response(resource)

    async def delete(self, request: web.Request) -> web.Response:
        """Remove a resource; 204 when there is none."""
        require_bearer(request)
        kind, resource_id = _address(request)
        if self._resources.pop(resource_id.lower(), None) is None:
            return web.Response(status=204)
        if kind == "actionGroups":
            self._notifier.remove_group(resource_id.lower())
        else:
            self._alerts.remove_rule(resource_id)
        return web.Response(status=200)

    async def list(self, request: web.Request) -> web.Response:
        """All resources of a kind below the path."""
        require_bearer(request)
        kind = _KINDS[request.match_info["kind"].lower()]
        scope = f"/subscriptions/{request.match_info['subscription']}/"
        if "group" in request.match_info:
            scope += f"resourcegroups/{request.match_info['group']}/"
        found = [
            resource
            for resource_id, resource in self._resources.items()
            if resource_id.startswith(scope.lower()) and resource["type"].endswith(f"/{kind}")
        ]
        return web.json_response({"value": found})


def _address(request: web.Request) -> tuple[str, str]:
    """The kind in Azure's spelling and the resource's ARM id."""
    info = request.match_info
    kind = _KINDS[info["kind"].lower()]
    group = f"/subscriptions/{info['subscription']}/resourceGroups/{info['group']}"
    return kind, f"{group}/providers/Microsoft.Insights/{kind}/{info['name']}"
