"""What a client of an online endpoint gets: routes, pins, credentials, ids, and Azure's status codes."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Iterator

import pytest

from localcloud.scoring.routing import Routes
from tests.localcloud.scoring_stand import KEYS, Reply, Stand, eventually, scoring_stand

SLOW = "import time\ndef init(): pass\ndef run(raw_data):\n    time.sleep(float(raw_data))\n    return raw_data\n"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with scoring_stand(tmp_path_factory.mktemp("requests")) as running:
        running.deploy("ep", "blue")
        running.deploy("ep", "green")
        running.route("ep", {"blue": 100})
        yield running


def served_by(reply: Reply) -> str:
    assert reply.status == 200, reply.text
    answered: str = json.loads(reply.text)["deployment"]
    assert reply.headers["azureml-model-deployment"] == answered
    return answered


def routes(**traffic: int) -> Routes:
    value = {"resource_id": "", "endpoint": "", "workspace": "", "workspace_id": "", "region": "", "auth_mode": "Key"}
    return Routes.from_json({**value, "keys": [], "traffic": traffic, "mirror": {"c": 20}})


def test_a_request_is_answered_by_the_deployment_that_has_the_traffic(stand: Stand) -> None:
    reply = stand.post("ep", '{"a": 1}')

    assert served_by(reply) == "blue"
    assert json.loads(reply.text)["got"] == {"a": 1}


def test_a_split_gives_each_deployment_exactly_its_share_of_all_draws() -> None:
    picked = [routes(a=30, b=70, off=0).pick(draw / 1000) for draw in range(1000)]

    assert {name: picked.count(name) for name in ("a", "b", "off")} == {"a": 300, "b": 700, "off": 0}


def test_the_mirror_share_is_a_share_of_all_draws() -> None:
    assert [routes(a=100).mirror_for(draw / 100) for draw in range(100)].count("c") == 20


def test_a_named_deployment_answers_whatever_its_weight(stand: Stand) -> None:
    assert served_by(stand.post("ep", azureml_model_deployment="green")) == "green"


def test_an_unknown_named_deployment_is_404(stand: Stand) -> None:
    assert stand.post("ep", azureml_model_deployment="red").status == 404


def test_an_endpoint_without_positive_weights_is_404(stand: Stand) -> None:
    stand.route("idle", {"blue": 0})

    reply = stand.post("idle")

    assert reply.status == 404
    assert "No valid deployments to route to" in reply.text


def test_an_unknown_endpoint_is_404(stand: Stand) -> None:
    assert stand.post("nobody").status == 404


def test_both_keys_open_the_endpoint(stand: Stand) -> None:
    assert [stand.post("ep", Authorization=f"Bearer {key}").status for key in KEYS] == [200, 200]


@pytest.mark.parametrize("authorization", ["Bearer wrong", "Bearer ", "Basic primary-key", ""])
def test_anything_but_a_key_as_bearer_is_401(stand: Stand, authorization: str) -> None:
    reply = stand.post("ep", Authorization=authorization)

    assert reply.status == 401
    assert "azureml-model-deployment" not in reply.headers


def test_an_entra_token_opens_an_endpoint_of_that_mode_and_its_owner_is_logged(stand: Stand) -> None:
    claims = base64.urlsafe_b64encode(b'{"oid": "someone"}').decode().rstrip("=")
    stand.deploy("entra", "blue")
    stand.route("entra", {"blue": 100}, auth_mode="AADToken", keys=())

    reply = stand.post("entra", Authorization=f"Bearer header.{claims}.signature")

    assert served_by(reply) == "blue"
    [row] = eventually(lambda: stand.rows("TrafficLog", EndpointName="entra"))
    assert (row["AuthType"], row["IdentityData"]) == ("AADToken", "someone")


def test_the_service_makes_its_own_request_id_and_cleans_the_callers(stand: Stand) -> None:
    reply = stand.post("ep", x_request_id="mine", x_ms_client_request_id="probe-1_" + "x" * 100)

    assert uuid.UUID(reply.headers["x-request-id"])
    assert reply.headers["x-ms-client-request-id"] == "probe1" + "x" * 66


def test_a_model_that_raises_is_424_with_the_models_status(stand: Stand) -> None:
    stand.deploy("broken", "blue", "def init(): pass\ndef run(raw_data): raise ValueError('no')\n")
    stand.route("broken", {"blue": 100})

    reply = stand.post("broken")

    assert reply.status == 424
    assert reply.headers["ms-azureml-model-error-statuscode"] == "500"
    assert reply.headers["ms-azureml-model-error-reason"] == "model_error"
    assert reply.headers["azureml-model-deployment"] == "blue"


def test_a_model_over_its_request_timeout_is_408(stand: Stand) -> None:
    stand.deploy("slow", "blue", SLOW, request_timeout_seconds=0.5)
    stand.route("slow", {"blue": 100})

    assert stand.post("slow", "5").status == 408
    assert stand.post("slow", "0").status == 200


def test_more_than_twice_the_slots_under_way_is_429(stand: Stand) -> None:
    stand.deploy("busy", "blue", SLOW, instance_count=1, max_concurrent_requests_per_instance=2)
    stand.route("busy", {"blue": 100})

    async def six_at_once() -> list[int]:
        return [reply.status for reply in await asyncio.gather(*(stand.send("busy", "1") for _ in range(6)))]

    assert sorted(stand.run(six_at_once())) == [200, 200, 200, 200, 429, 429]


def test_each_request_is_one_row_with_every_column(stand: Stand) -> None:
    stand.deploy("logged", "blue", SLOW)
    stand.route("logged", {"blue": 100})

    reply = stand.post("logged", "0.1", x_ms_client_request_id="abc", User_Agent="u" * 100)

    [row] = eventually(lambda: stand.rows("TrafficLog", EndpointName="logged"))
    assert row["XRequestId"] == reply.headers["x-request-id"]
    assert row["XMSClientRequestId"] == "abc"
    assert row["_ResourceId"] == "/subscriptions/s/onlineendpoints/logged"
    assert (row["DeploymentName"], row["ResponseCode"], row["ModelStatusCode"]) == ("blue", 200, 200)
    assert (row["Method"], row["Path"], row["UserAgent"]) == ("POST", "/score", "u" * 70)
    assert (row["RequestPayloadSize"], row["ResponsePayloadSize"]) == (3, len(reply.text))
    assert 100 <= row["ResponseDurationMs"] <= row["TotalDurationMs"] <= reply.seconds * 1000 + 1
    assert row["TimeGenerated"].tzinfo is not None
    assert row["_mirrored"] is False


def test_a_refused_request_is_a_row_without_a_model_status(stand: Stand) -> None:
    stand.route("locked", {"blue": 100})

    stand.post("locked", Authorization="Bearer wrong")

    [row] = eventually(lambda: stand.rows("TrafficLog", EndpointName="locked"))
    assert (row["ResponseCode"], row["ModelStatusCode"], row["DeploymentName"]) == (401, None, "")
