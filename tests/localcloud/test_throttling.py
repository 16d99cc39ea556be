"""ARM's throttling: buckets by kind and principal, their headers, the 429 and what the real SDK makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from azure.ai.ml.entities import ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError

from localcloud.arm.throttling import Bucket, is_throttled, kind_of, principal
from localcloud.identity import issue
from localcloud.settings import Settings
from tests.localcloud import arm_cloud
from tests.localcloud.arm_cloud import ArmCloud, new_name

READS, WRITES = "x-ms-ratelimit-remaining-subscription-reads", "x-ms-ratelimit-remaining-subscription-writes"
DEPLOYMENTS = "x-ms-ratelimit-remaining-subscription-resource-requests"


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[ArmCloud]:
    """A cloud that gives two writes and then one a minute, by Azure's own clock."""
    settings = Settings(minute_seconds=60, throttle_writes=2, throttle_writes_per_second=1 / 60)
    with arm_cloud.running(tmp_path / ".local", settings) as cloud:
        yield cloud


def test_a_bucket_gives_what_it_has_and_what_comes_back_with_time() -> None:
    bucket = Bucket(size=2, per_second=0.5, tokens=2, at=100.0)

    for _ in range(2):
        assert bucket.wait(100.0) == 0
        bucket.take()

    assert bucket.wait(100.0) == 2
    assert bucket.wait(101.0) == 1
    assert bucket.wait(102.0) == 0
    assert bucket.wait(1000.0) == 0
    assert bucket.tokens == 2


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/subscriptions/S/resourceGroups/G", "reads"),
        ("POST", "/subscriptions/S/onlineEndpoints/E/listKeys", "writes"),
        ("PUT", "/subscriptions/S/onlineEndpoints/E", "writes"),
        ("PATCH", "/subscriptions/S/onlineEndpoints/E/deployments/D", "writes"),
        ("PUT", "/subscriptions/S/batchEndpoints/E/deployments/D", "resource-requests"),
        ("DELETE", "/subscriptions/S/onlineEndpoints/E/deployments/D", "deletes"),
    ],
)
def test_a_request_counts_against_one_bucket(method: str, path: str, kind: str) -> None:
    assert kind_of(method, path) == kind


def test_only_arm_itself_throttles() -> None:
    assert is_throttled("/subscriptions/S/resourceGroups/G")
    assert not is_throttled("/subscriptions/S/metrics:getBatch")
    assert not is_throttled("/mferp/managementfrontend/subscriptions/S")


def test_a_principal_is_known_by_its_token_whatever_the_audience() -> None:
    def call(audience: str, client: str) -> str:
        token = issue(audience, tenant_id="t", client_id=client, key="k" * 32, until=2_000_000_000)
        return principal({"Authorization": f"Bearer {token}"})

    assert call("https://management.azure.com", "one") == call("https://ml.azure.com", "one")
    assert call("https://management.azure.com", "one") != call("https://management.azure.com", "two")
    assert principal({"Authorization": "Bearer opaque"}) == "opaque"


def test_replies_tell_what_is_left_and_deployments_have_a_small_bucket_of_their_own(arm: ArmCloud) -> None:
    name = arm.endpoint()

    deployment = arm.put_deployment(name, "blue")
    read = arm.call("GET", arm.endpoint_path(name))

    assert int(deployment.headers[DEPLOYMENTS]) < 25
    assert WRITES not in deployment.headers
    assert 0 < int(read.headers[READS]) < 250
    arm.ended(deployment)


def test_an_empty_bucket_refuses_writes_and_no_reads_and_the_sdk_raises_it(narrow: ArmCloud) -> None:
    path = f"{narrow.workspace_id}/models/{new_name('model')}"
    left = [narrow.call("PUT", f"{path}/versions/{version}", {}).headers[WRITES] for version in ("1", "2")]
    assert left == ["1", "0"]

    refused = narrow.call("PUT", f"{path}/versions/3", {})

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "SubscriptionRequestsThrottled"
    assert refused.headers[WRITES] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert narrow.call("GET", path).status_code == 200
    assert narrow.call("GET", f"{path}/versions/3").status_code == 404
    with pytest.raises(HttpResponseError, match="SubscriptionRequestsThrottled") as raised:
        narrow.ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=new_name("ep")))
    assert raised.value.status_code == 429


def test_all_principals_of_a_subscription_together_get_15_times_the_bucket_of_one(narrow: ArmCloud) -> None:
    path = f"{narrow.url}{narrow.workspace_id}/models/{new_name('model')}/versions/1?api-version=2023-08-01-preview"

    def write(principal_id: str) -> requests.Response:
        return requests.put(path, json={}, headers={"Authorization": f"Bearer {principal_id}"}, timeout=10)

    accepted = [write(f"principal-{number}").status_code for number in range(15) for _ in range(2)]
    refused = write("one-more")

    assert len(accepted) == 30
    assert set(accepted) <= {200, 201}
    assert refused.status_code == 429
    assert refused.headers[WRITES] == "2", "its own bucket is full; the subscription's is empty"
