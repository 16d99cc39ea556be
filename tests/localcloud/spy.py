"""What the SDK sends: the requests of this process, seen on their way out and not changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from tests.localcloud.arm_cloud import ArmCloud

_STORAGE = "/devstoreaccount1/"


class Seen(list[str]):
    """The requests as lines; `sent` has every one of them whole."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []

    def headers_of(self, path: str) -> list[set[str]]:
        """The header names, in lower case, of each request whose path ends so."""
        found = [one for one in self.sent if urlsplit(str(one.url)).path.endswith(path)]
        return [{name.lower() for name in one.headers} for one in found]

    def body_of(self, method: str) -> Any:
        """The JSON of the last request of this method."""
        body: Any = [one for one in self.sent if one.method == method][-1].body
        return json.loads(body)


@contextmanager
def requests_seen(arm: ArmCloud, **names: str) -> Iterator[Seen]:
    """`METHOD path (api-version)` of every request to the cloud meanwhile, polls and storage left out.

    The workspace's id reads WS, the registry's REG, and each of `names` (a name per letter) its letter.
    """
    seen = Seen()
    send = HTTPAdapter.send

    def spy(self: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        seen.sent.append(request)
        seen.append(f"{request.method} {_path(arm, str(request.url), names)}")
        return send(self, request, *args, **kwargs)

    with patch.object(HTTPAdapter, "send", spy):
        yield seen
    seen[:] = [line for line in seen if "Operation" not in line and _STORAGE not in line and "/msi/" not in line]


def _path(arm: ArmCloud, url: str, names: dict[str, str]) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    version = query.pop("api-version", None)
    text = unquote(parts.path) + ("?" + "&".join(f"{key}={value}" for key, value in query.items()) if query else "")
    settings = arm.stack.settings
    registry = arm.workspace_id.replace("/workspaces/" + settings.workspace, "/registries/" + settings.registry)
    text = text.replace(arm.workspace_id, "WS").replace(registry, "REG")
    for letter, name in names.items():
        text = re.sub(rf"(?<=[/{{-]){re.escape(name)}(?=[/?-]|$)", letter, text)
    return f"{text} ({version})" if version else text
