"""Everything outside of Understudy that a test acts through: Azure by its real SDKs, the app by its HTTP doors.

Nothing here imports the app. Every test makes endpoints, models and policies of its own, so that tests do not disturb
each other on the one stack that they share.
"""

from __future__ import annotations

import copy
import json
import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
from azure.ai.ml import MLClient
from azure.ai.ml.entities import ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.storage.blob import BlobLeaseClient, BlobServiceClient
from azure.storage.queue import QueueClient

from localcloud.supervisor import Stack
from tests.loop.site import Site
from tests.loop.waiting import wait_until

Json = dict[str, Any]
T = TypeVar("T")
POLL_SECONDS = 0.5
"""The SDK asks every 5 s by default how an operation is coming along."""


class World:
    """One running stack and its users' clients."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.env, self.folder = stack, stack.env, folder
        logging.getLogger("azure").setLevel(logging.ERROR)
        of = stack.settings
        self.credential = ManagedIdentityCredential()
        self.ml = MLClient(
            self.credential,
            of.subscription_id,
            of.resource_group,
            of.workspace,
            cloud=self.env["AZUREML_CLOUD_NAME"],
            cloud_metadata=json.loads(self.env["AZUREML_CLOUD_METADATA"]),
            enable_telemetry=False,
            polling_interval=POLL_SECONDS,
        )
        self.blobs = BlobServiceClient.from_connection_string(self.env["AZURE_STORAGE_CONNECTION_STRING"])
        self.workspace_id = (
            f"/subscriptions/{of.subscription_id}/resourceGroups/{of.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{of.workspace}"
        )
        self._sites: list[Site] = []

    def another(self) -> World:
        """The same world with sites of its own to tidy."""
        other = copy.copy(self)
        other._sites = []
        return other

    # The app's doors

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """One request to a door; `key` empty: without one."""
        key = self.env["FUNCTIONS_KEY"] if key is None else key
        headers = {**(headers or {}), **({"x-functions-key": key} if key else {})}
        if raw is None and body is not None:
            raw, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        return requests.request(
            method, f"{self.env['FUNCTIONS_URL']}/api/{path}", data=raw, headers=headers, timeout=30
        )

    def alert(self, body: Any) -> requests.Response:
        """What an action group's webhook posts."""
        return self.call("POST", "alerts", body)

    def event(self, *events: Json) -> requests.Response:
        """What Event Grid delivers: an array of events, or a CloudEvent by itself."""
        url = f"{self.env['FUNCTIONS_URL']}/runtime/webhooks/EventGrid?functionName=on_model_registered"
        body: Any = events[0] if "specversion" in events[0] else list(events)
        headers = {"aeg-event-type": "Notification", "x-functions-key": self.env["EVENTGRID_KEY"]}
        return requests.post(url, json=body, headers=headers, timeout=30)

    def health(self) -> Json:
        """What /api/health says."""
        reply: Json = self.call("GET", "health").json()
        return reply

    # Storage, as an operator sees it

    def names(self, container: str, prefix: str = "") -> list[str]:
        """Blobs of the app's account."""
        try:
            return sorted(self.blobs.get_container_client(container).list_blob_names(name_starts_with=prefix))
        except ResourceNotFoundError:
            return []

    def text(self, container: str, name: str) -> str:
        """A blob's text."""
        data: bytes = self.blobs.get_blob_client(container, name).download_blob().readall()
        return data.decode()

    def upload(self, container: str, name: str, text: str) -> None:
        """Write a blob, as a user uploads a policy."""
        self.blobs.get_blob_client(container, name).upload_blob(text.encode(), overwrite=True)

    def lock_of(self, site: Site) -> str:
        """The blob whose lease a look at the site takes: locks/<hash> beside inbox/<hash>/..."""
        for name in self.names("inbox"):
            if json.loads(self.text("inbox", name)).get("model") == site.model:
                return name.split("/")[0]
        raise AssertionError(f"the app was never told of {site.model}")

    def poisoned(self) -> list[str]:
        """Work items that were given up."""
        connection = self.env["AZURE_STORAGE_CONNECTION_STRING"]
        queue = QueueClient.from_connection_string(connection, "rollout-work-poison")
        try:
            return [message.content for message in queue.peek_messages(32)]
        except ResourceNotFoundError:
            return []

    # Given

    def marks(self, count: int) -> list[str]:
        """What makes the names of sites their own."""
        return [uuid.uuid4().hex[:6] for _ in range(count)]

    def look_after(self, sites: Sequence[Site]) -> None:
        """Take these sites away when the test is over."""
        self._sites += sites

    def bare_sites(self, count: int) -> list[Site]:
        """Empty endpoints that no policy names."""
        sites = [Site(self, mark) for mark in self.marks(count)]
        self.look_after(sites)
        together(sites, self._create_endpoint)
        return sites

    def bare_site(self) -> Site:
        """One of them."""
        return self.bare_sites(1)[0]

    def sites(self, count: int, **policy: Any) -> list[Site]:
        """Empty endpoints, each with a policy in force that watches a model of its own."""
        sites = self.bare_sites(count)
        for site in sites:
            site.write_policy(**policy)
        for site in sites:
            site.wait_until_in_force()
        return sites

    def site(self, **policy: Any) -> Site:
        """One of them."""
        return self.sites(1, **policy)[0]

    def live_sites(self, count: int, **policy: Any) -> list[Site]:
        """Endpoints that had version 1, and all traffic on it, before their policy was written."""
        sites = self.bare_sites(count)
        together(sites, Site.deploy_by_hand)
        for site in sites:
            site.write_policy(**policy)
        for site in sites:
            site.wait_until_in_force()
        return sites

    def live_site(self, **policy: Any) -> Site:
        """One of them."""
        return self.live_sites(1, **policy)[0]

    def _create_endpoint(self, site: Site) -> None:
        endpoint = ManagedOnlineEndpoint(name=site.endpoint, auth_mode="key")
        self.ml.online_endpoints.begin_create_or_update(endpoint).result()

    # When

    def crash(self) -> None:
        """Kill the Functions host as a lost machine would, and start it again.

        A dead host's leases run out after a minute; they are broken instead, which is the same but shorter.
        """
        self.stack.kill_functions(restart=False)
        self.break_leases()
        self.stack.restart_functions()

    def take_lease(self, site: Site, *, seconds: int) -> BlobLeaseClient:
        """Hold the site's lease as a look does: until it is given back, or runs out as one whose look died."""
        lease = BlobLeaseClient(self.blobs.get_blob_client("locks", self.lock_of(site)))

        def acquired() -> bool:
            with suppress(HttpResponseError):  # a look is going on; it is over soon
                lease.acquire(seconds)
                return True
            return False

        wait_until(acquired, seconds=20, told=lambda: "the endpoint is always looked at", every=0.02)
        return lease

    def break_leases(self) -> None:
        """End every lease that nobody is left to give back."""
        with suppress(ResourceNotFoundError):  # nobody looked at anything yet
            for blob in self.blobs.get_container_client("locks").list_blobs():
                if blob.lease.state == "leased":
                    BlobLeaseClient(self.blobs.get_blob_client("locks", blob.name)).break_lease(0)

    # Afterwards

    def tidy(self) -> None:
        """Take away what the test made, so that the next one has the machine for itself. Nothing is waited for."""
        for site in self._sites:
            for name in self.names("policies", site.policy):
                self.blobs.get_blob_client("policies", name).delete_blob()
            for name in self.names("rollouts", f"{site.policy}/"):
                self.blobs.get_blob_client("rollouts", name).delete_blob()
            with suppress(HttpResponseError):  # an operation of the rollout may be running
                site.delete()
        self._sites.clear()


def together(items: Sequence[T], do: Callable[[T], object]) -> None:
    """The same for several at once."""
    with ThreadPoolExecutor(max(len(items), 1)) as pool:
        list(pool.map(do, items))
