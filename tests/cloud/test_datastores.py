"""Addresses of files: what they mean, and that a token goes to blob storage only."""

from __future__ import annotations

import pytest

from cloud.datastores import Address, Datastores, parse
from cloud.errors import Permanent
from cloud.models import Place

HOME = Place("s", "g", "w")


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("azureml://datastores/blobs/paths/a/b%20c.csv", Address(HOME, "blobs", "a/b c.csv")),
        (
            "azureml://subscriptions/S2/resourcegroups/G2/workspaces/W2/datastores/blobs/paths/x.parquet",
            Address(Place("S2", "G2", "W2"), "blobs", "x.parquet"),
        ),
        (
            "azureml://subscriptions/S2/resourceGroups/G2/providers/Microsoft.MachineLearningServices/workspaces/W2"
            "/datastores/blobs/paths/x.parquet",
            Address(Place("S2", "G2", "W2"), "blobs", "x.parquet"),
        ),
        ("https://account.blob.core.windows.net/container/x.parquet", None),
    ],
)
def test_short_and_long_addresses_name_the_same_kind_of_thing(uri: str, address: Address | None) -> None:
    assert parse(uri, HOME) == address


@pytest.mark.parametrize("uri", ["reference.parquet", "azureml://datastores/blobs", "http://a.b/c", "azureml:x:1"])
def test_anything_else_is_refused_with_what_to_write(uri: str) -> None:
    with pytest.raises(Permanent, match="azureml://datastores/NAME/paths/PATH"):
        parse(uri, HOME)


@pytest.mark.parametrize(
    ("uri", "trusted"),
    [
        ("https://account.blob.core.windows.net/c/x", True),
        ("https://account.blob.core.chinacloudapi.cn/c/x", True),
        ("https://account.z12.blob.storage.azure.net/c/x", True),
        ("https://localhost:10000/devstoreaccount1/c/x", True),
        ("https://account.blob.core.windows.net/c/x?sv=1&sig=abc", False),
        ("https://account.blob.core.windows.net.evil.example/c/x", False),
        ("https://evil.example/account.blob.core.windows.net/x", False),
        ("https://localhost:10001/devstoreaccount1/c/x", False),
    ],
)
def test_a_token_is_sent_to_blob_storage_only(uri: str, trusted: bool) -> None:
    datastores = Datastores(None, None, own_account="https://localhost:10000/devstoreaccount1")  # type: ignore[arg-type]
    assert datastores.trusts(uri) is trusted
