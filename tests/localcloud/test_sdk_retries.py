"""What the real SDK makes of refusals: how often it asks again, and what it raises."""

from __future__ import annotations

from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from tests.localcloud.arm_cloud import ArmCloud
from tests.localcloud.orders import Orders

NOW = {"Retry-After": "0"}
SOON = {"Retry-After": "1"}
"""For polls, which take 0 for nothing said and wait half a minute."""
ERROR = {"error": {"code": "Refused", "message": "as ordered"}}


@pytest.fixture(scope="module")
def live(arm: ArmCloud) -> str:
    """An endpoint with one deployment that takes all traffic."""
    return arm.endpoint("blue", traffic={"blue": 100})


@pytest.mark.parametrize("status", [429, 409])
def test_whatever_says_when_to_come_back_is_asked_four_times_in_all(
    arm: ArmCloud, orders: Orders, live: str, status: int
) -> None:
    given = orders.give("http", match=f"^GET .*/{live}[?]", times=10, status=status, headers=NOW, body=ERROR)

    with pytest.raises(HttpResponseError) as raised:
        arm.fresh(retry_total=3, retry_backoff_factor=0).online_endpoints.get(live)

    assert raised.value.status_code == status
    assert len(orders.struck(given)) == 4


def test_a_scoring_call_that_fails_with_503_is_four_scoring_calls(
    arm: ArmCloud, orders: Orders, live: str, tmp_path: Path
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"data": [{"x": 1.0}]}')
    given = orders.give("http", match=f"^POST /{live}/score", times=10, status=503, body=ERROR)

    with pytest.raises(HttpResponseError):
        arm.fresh(retry_total=3, retry_backoff_factor=0).online_endpoints.invoke(live, request_file=str(request))

    assert len(orders.struck(given)) == 4


def test_a_model_that_is_too_slow_is_a_type_error_in_the_sdk(
    arm: ArmCloud, orders: Orders, live: str, tmp_path: Path
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"data": [{"x": 1.0}]}')
    orders.give("http", match=f"^POST /{live}/score", times=10, status=408, body={"message": "too slow"})

    with pytest.raises(TypeError):
        arm.fresh(retry_total=3, retry_backoff_factor=0).online_endpoints.invoke(live, request_file=str(request))


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, ClientAuthenticationError), (404, ResourceNotFoundError), (400, HttpResponseError)],
)
def test_a_status_has_its_exception(
    arm: ArmCloud, orders: Orders, live: str, status: int, error: type[HttpResponseError]
) -> None:
    orders.give("http", match=f"^GET .*/{live}[?]", status=status, body=ERROR)

    with pytest.raises(error, match=r"\(Refused\) as ordered") as raised:
        arm.ml.online_endpoints.get(live)

    assert type(raised.value) is error


def test_a_poll_that_is_404_raises_although_the_operation_goes_on(arm: ArmCloud, orders: Orders, live: str) -> None:
    endpoint = arm.ml.online_endpoints.get(live)
    orders.give("http", match="^GET .*/mfeOperationsStatus/", status=404, body=ERROR)

    with pytest.raises(HttpResponseError, match="Refused"):
        arm.ml.online_endpoints.begin_create_or_update(endpoint).result()

    uri = arm.call("GET", arm.endpoint_path(live)).json()["properties"]["properties"]["AzureAsyncOperationUri"]
    assert arm.call("GET", uri).json()["status"] in ("Updating", "Succeeded")


def test_an_unknown_status_word_of_a_poll_means_that_it_goes_on(arm: ArmCloud, orders: Orders) -> None:
    name = arm.endpoint()
    endpoint = arm.ml.online_endpoints.get(name)
    word = {"status": "Pondering"}
    given = orders.give("http", match="^GET .*/mfeOperationsStatus/", times=2, status=200, headers=SOON, body=word)

    assert arm.ml.online_endpoints.begin_create_or_update(endpoint).result().provisioning_state == "Succeeded"

    assert len(orders.struck(given)) == 2
