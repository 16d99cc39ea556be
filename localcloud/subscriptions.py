"""Subscribes the app's Event Grid functions to the workspace, as an Azure deployment's template would."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from localcloud import client
from localcloud.processes import StackFailed
from localcloud.settings import Settings

_API_VERSION = "2025-02-15"
_EVENT_TYPES = ["Microsoft.MachineLearningServices.ModelRegistered"]
_SECONDS = 30.0
_PAUSE_SECONDS = 0.1


def create(settings: Settings, environment: Mapping[str, str], ca_file: Path) -> None:
    """One event subscription per Event Grid function of the app; retried until the handshake succeeds."""
    for function in _event_functions(environment, ca_file):
        _put(_subscription_url(settings, environment, function), _body(environment, function), ca_file)


def _event_functions(environment: Mapping[str, str], ca_file: Path) -> list[str]:
    headers = {"x-functions-key": environment["FUNCTIONS_MASTER_KEY"]}
    reply = client.call("GET", f"{environment['FUNCTIONS_URL']}/admin/functions", ca_file=ca_file, headers=headers)
    if reply is None or reply.status != 200:
        raise StackFailed(f"The Functions host did not list its functions: {reply}")
    return [
        function["name"]
        for function in reply.body
        if any(binding["type"] == "eventGridTrigger" for binding in function["config"]["bindings"])
    ]


def _subscription_url(settings: Settings, environment: Mapping[str, str], function: str) -> str:
    workspace = (
        f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{settings.workspace}"
    )
    name = function.replace("_", "-")
    path = f"{workspace}/providers/Microsoft.EventGrid/eventSubscriptions/{name}?api-version={_API_VERSION}"
    return environment["LOCALCLOUD_URL"] + path


def _body(environment: Mapping[str, str], function: str) -> dict[str, object]:
    query = f"functionName={quote(function)}&code={quote(environment['EVENTGRID_KEY'])}"
    webhook = f"{environment['FUNCTIONS_URL']}/runtime/webhooks/EventGrid?{query}"
    return {
        "properties": {
            "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": webhook}},
            "filter": {"includedEventTypes": _EVENT_TYPES},
            "eventDeliverySchema": "EventGridSchema",
        }
    }


def _put(url: str, body: dict[str, object], ca_file: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    headers = {"Authorization": "Bearer supervisor"}
    while True:
        reply = client.call("PUT", url, ca_file=ca_file, headers=headers, body=body)
        if reply is not None and reply.status in (200, 201):
            return
        if time.monotonic() > deadline:
            raise StackFailed(f"Event Grid could not subscribe the app to the workspace: {reply}")
        time.sleep(_PAUSE_SECONDS)
