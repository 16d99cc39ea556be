"""Faults on order, for tests: the fault API of one running cloud."""

from __future__ import annotations

from typing import Any

import requests


class Orders:
    """Gives orders to the fault API, and asks it what was struck."""

    def __init__(self, url: str, *, verify: str | None = None) -> None:
        """`verify`: the certificate authority, for a cloud that this process does not trust as a whole."""
        self._url, self._verify = f"{url}/localcloud/faults", verify

    def give(self, kind: str, **order: Any) -> int:
        """Order a fault; its number."""
        reply = requests.post(self._url, json={"kind": kind, **order}, timeout=5, verify=self._verify)
        assert reply.status_code == 201, reply.text
        return int(reply.json()["id"])

    def struck(self, number: int) -> list[str]:
        """The subjects that it struck so far."""
        faults = requests.get(self._url, timeout=5, verify=self._verify).json()["value"]
        return next(list(fault["struck"]) for fault in faults if fault["id"] == number)

    def clear(self) -> None:
        """Forget all faults."""
        requests.delete(self._url, timeout=5, verify=self._verify).raise_for_status()
