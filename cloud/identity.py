"""The app's one identity: its managed identity, on Azure and on one machine alike; in a shell, the person's own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.identity import ManagedIdentityCredential

    Identity: TypeAlias = TokenCredential
    """Whatever gives tokens."""


@lru_cache(maxsize=4)
def credential(client_id: str = "") -> ManagedIdentityCredential:
    """The managed identity (system-assigned, or the user-assigned one with this client id). Tokens are cached in it."""
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id or None)


def signed_in(environment: Mapping[str, str]) -> TokenCredential:
    """Who works in a shell: the managed identity where there is one, else whoever did `az login`."""
    if "IDENTITY_ENDPOINT" in environment:
        return credential(environment.get("UNDERSTUDY_CLIENT_ID", ""))
    from azure.identity import AzureCliCredential

    return AzureCliCredential()
