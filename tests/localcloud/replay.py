"""Recorded Azure traffic sent to the local cloud, and how its replies differ from the recorded ones.

Recorded ids, names and addresses become local ones before a request is sent; what a local reply gives (operations,
results) takes the place of what the recorded reply gave. Operations are stepped: a reply that was recorded while one
ran is met while one runs, whatever the machine does meanwhile.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.localcloud.arm_cloud import ArmCloud

Json = dict[str, Any]
SUBSCRIPTION, GROUP = "00000000-0000-0000-0000-000000000", "00000"
_ENDED = ("Succeeded", "Failed", "Canceled")
_SAME_VALUE = ("provisioningState", "status", "percentComplete", "traffic", "mirrorTraffic", "authMode", "type", "name")
"""Words that a client acts on: compared by value, not only by shape."""
_OWN_NAMES = re.compile(r"(batchjob-|(oe|od|be|bdbes):).*|careful_bulb.*|00000")
"""Names that each service makes for itself."""


@dataclass
class Replay:
    """One recording on its way through the local cloud."""

    arm: ArmCloud
    headers: dict[str, str] = field(default_factory=dict)
    """More headers for the scoring calls."""
    places: dict[str, str] = field(default_factory=dict)
    """Recorded text -> local text, longest first."""

    def local(self, text: str) -> str:
        """A recorded text in local words."""
        settings = self.arm.stack.settings
        workspace = "/providers/Microsoft.MachineLearningServices/workspaces/"
        for recorded in sorted(self.places, key=len, reverse=True):
            text = text.replace(recorded, self.places[recorded])
        text = text.replace(f"{workspace}{GROUP}", f"{workspace}{settings.workspace}")
        text = text.replace(f"/resourceGroups/{GROUP}", f"/resourceGroups/{settings.resource_group}")
        text = text.replace(f"/subscriptions/{SUBSCRIPTION}/", f"/subscriptions/{settings.subscription_id}/")
        return re.sub(r"^https://(?!localhost)[^/]+", self.arm.url, text)

    def send(self, entry: Json) -> requests.Response:
        """The entry's request; repeated, with a step of operations, until the reply is as far as the recorded one."""
        deadline = time.monotonic() + 20
        while True:
            reply = self._send_once(entry)
            if not _is_behind(entry, reply):
                self._learn(entry, reply)
                return reply
            assert time.monotonic() < deadline, f"never as recorded: {entry['RequestUri']}: {reply.text[:500]}"
            self.arm.step()
            time.sleep(0.05)

    def _send_once(self, entry: Json) -> requests.Response:
        body = entry["RequestBody"]
        token = self.arm.credential.get_token("https://management.azure.com/.default").token
        headers = {"Authorization": f"Bearer {token}", **entry["RequestHeaders"]}
        if "/score" in entry["RequestUri"]:
            headers |= self.headers
        return requests.request(
            entry["RequestMethod"],
            self.local(entry["RequestUri"]),
            json=json.loads(self.local_body(body)) if body is not None else None,
            headers=headers,
            timeout=20,
        )

    def local_body(self, body: Any) -> str:
        """A recorded body in local words: each text by itself, since addresses are told by their beginning."""
        if isinstance(body, dict):
            return "{" + ",".join(f"{json.dumps(key)}:{self.local_body(value)}" for key, value in body.items()) + "}"
        if isinstance(body, list):
            return "[" + ",".join(self.local_body(value) for value in body) + "]"
        return json.dumps(self.local(body) if isinstance(body, str) and body.startswith("/") else self._placed(body))

    def _placed(self, value: Any) -> Any:
        return self.places.get(value, value) if isinstance(value, str) else value

    def _learn(self, entry: Json, reply: requests.Response) -> None:
        recorded = {name.lower(): value for name, value in entry["ResponseHeaders"].items()}
        for name in ("azure-asyncoperation", "location"):
            if name in recorded and name in reply.headers:
                self.places[recorded[name]] = reply.headers[name]
        body = entry["ResponseBody"]
        uri = (body.get("properties") or {}).get("scoringUri") if isinstance(body, dict) else None
        if uri:
            self.places[uri] = reply.json()["properties"]["scoringUri"]
        if isinstance(body, dict) and "accessToken" in body:
            self.headers["Authorization"] = f"Bearer {reply.json()['accessToken']}"


def _is_behind(entry: Json, reply: requests.Response) -> bool:
    """Whether the recorded reply shows an operation's end and the local one does not yet."""
    if entry["StatusCode"] == 204:
        return reply.status_code == 202
    return _state(entry["ResponseBody"]) in _ENDED and reply.ok and _state(_json(reply)) not in _ENDED


def _state(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    if value := body.get("value"):
        return _state(value[0])
    return str(body.get("status") or (body.get("properties") or {}).get("provisioningState") or "")


def _json(reply: requests.Response) -> Any:
    return reply.json() if reply.text.strip() else None


def differences(entry: Json, reply: requests.Response) -> Iterator[str]:
    """Every way in which the local reply is not like the recorded one: a short name each."""
    if reply.status_code != entry["StatusCode"]:
        yield f"status {reply.status_code}, not {entry['StatusCode']}: {reply.text[:300]}"
        return
    recorded, local = {name.lower() for name in entry["ResponseHeaders"]}, {name.lower() for name in reply.headers}
    yield from (f"header {name} is missing" for name in sorted(recorded - local))
    yield from (f"header {name} is more" for name in sorted(local - recorded))
    body = entry["ResponseBody"]
    if isinstance(body, str):
        body = json.loads(body)
    yield from _shape(body, _json(reply), "body")


def _shape(recorded: Any, local: Any, where: str) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(local, dict):
        yield from (f"{where}.{name} is missing" for name in recorded.keys() - local.keys())
        yield from (f"{where}.{name} is more" for name in local.keys() - recorded.keys())
        for name in recorded.keys() & local.keys():
            if name in _SAME_VALUE and not _same_word(recorded[name], local[name]):
                yield f"{where}.{name} is {local[name]!r}, not {recorded[name]!r}"
            else:
                yield from _shape(recorded[name], local[name], f"{where}.{name}")
    elif isinstance(recorded, list) and isinstance(local, list):
        if bool(recorded) != bool(local):
            yield f"{where} has {len(local)} elements, not {len(recorded)}"
        for one, other in zip(recorded, local, strict=False):
            yield from _shape(one, other, f"{where}[]")
    elif _kind(recorded) != _kind(local):
        yield f"{where} is {_kind(local)}, not {_kind(recorded)}"


def _same_word(recorded: Any, local: Any) -> bool:
    return bool(recorded == local) or (isinstance(recorded, str) and bool(_OWN_NAMES.fullmatch(recorded)))


def _kind(value: Any) -> str:
    kinds: Mapping[type, str] = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "text"}
    return kinds.get(type(value), type(value).__name__)


def load(file: Path) -> list[Json]:
    """The entries of a recording that have a request."""
    entries: list[Json] = json.loads(file.read_text())["Entries"]
    return [entry for entry in entries if "RequestMethod" in entry]
