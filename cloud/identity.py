"""The app's one identity: its managed identity, on Azure and on one machine alike."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.identity import ManagedIdentityCredential


@lru_cache(maxsize=4)
def credential(client_id: str = "") -> ManagedIdentityCredential:
    """The managed identity (system-assigned, or the user-assigned one with this client id). Tokens are cached in it."""
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client_id or None)
