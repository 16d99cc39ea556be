"""Managed identity: the real credential classes get tokens that every local service accepts."""

from __future__ import annotations

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from tests.localcloud.echo import Echo


@pytest.fixture(autouse=True)
def environment(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, echo.stack.env[name])
    monkeypatch.delenv("IDENTITY_SERVER_THUMBPRINT", raising=False)
    return echo.stack.env


def claims(token: str) -> dict[str, object]:
    decoded: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return decoded


def test_a_token_has_entras_claims_for_the_audience_asked_for() -> None:
    with ManagedIdentityCredential() as credential:
        found = claims(credential.get_token("https://management.azure.com/.default").token)
    assert found["aud"] == "https://management.azure.com"
    assert str(found["iss"]).startswith("https://sts.windows.net/")
    assert {"nbf", "iat", "exp", "oid", "tid", "appid"} <= set(found)


def test_the_audience_of_azure_ml_is_exactly_the_clouds_resource_id(environment: dict[str, str]) -> None:
    with DefaultAzureCredential() as credential:
        found = claims(credential.get_token(f"{environment['LOCALCLOUD_URL']}/.default").token)
    assert found["aud"] == environment["LOCALCLOUD_URL"]


def test_a_user_assigned_identity_is_named_in_its_token() -> None:
    with ManagedIdentityCredential(client_id="11111111-2222-3333-4444-555555555555") as credential:
        found = claims(credential.get_token("https://storage.azure.com/.default").token)
    assert found["appid"] == "11111111-2222-3333-4444-555555555555"


def test_azurite_takes_the_tokens_for_blobs_and_queues(environment: dict[str, str]) -> None:
    with ManagedIdentityCredential() as credential:
        with BlobServiceClient(environment["UNDERSTUDY_BLOB_URL"], credential) as blobs:
            assert "policies" in {container.name for container in blobs.list_containers()}
        with QueueServiceClient(environment["UNDERSTUDY_QUEUE_URL"], credential) as queues:
            queues.create_queue("identity-test")
            assert "identity-test" in {queue.name for queue in queues.list_queues()}


def test_a_wrong_header_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    with ManagedIdentityCredential() as credential, pytest.raises(ClientAuthenticationError):
        credential.get_token("https://management.azure.com/.default")
