"""What an identity may do: `permissions` of a scope (learn.microsoft.com/rest/api/authorization/permissions).

Azure lists, for each role that the caller has there or above, what the role allows and what it leaves out; an action
is allowed when any one of them allows it. Wildcards stand for any text. Reading the list needs
`Microsoft.Authorization/permissions/read`, which Reader has and some narrow roles do not.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cloud.arm import Arm, Json
from cloud.errors import NotFound, mapped

API_VERSION = "2022-04-01"


@dataclass(frozen=True)
class Grant:
    """What one role allows."""

    actions: tuple[str, ...]
    leaves_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Caller:
    """Whose tokens are sent: object id in Entra, and what to call it."""

    object_id: str
    name: str
    is_person: bool

    @property
    def kind(self) -> str:
        """The word that role assignments have for it."""
        return "User" if self.is_person else "ServicePrincipal"


class Access:
    """Reads of the caller's own rights."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def grants(self, scope: str) -> tuple[Grant, ...]:
        """What the caller may do at a scope, in one call; NotFound when there is no such thing."""
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        page = self._arm.get(path, API_VERSION)
        if page is None:
            raise NotFound(f"GET {path}: 404 there is no such scope", status=404)
        return tuple(_grant(one) for one in page.get("value") or [])

    def caller(self) -> Caller:
        """Who asks, from the token's own claims."""
        with mapped("getting a token for Azure Resource Manager"):
            claims = _claims(self._arm.token())
        person = str(claims.get("idtyp", "")).lower() == "user" or "upn" in claims or "unique_name" in claims
        name = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or claims.get("sub") or ""
        return Caller(str(claims.get("oid") or ""), str(name), person)


def lacking(grants: Iterable[Grant], actions: Iterable[str]) -> tuple[str, ...]:
    """Those of `actions` that no grant allows."""
    known = tuple(grants)
    return tuple(action for action in actions if not any(_allows(one, action) for one in known))


def _allows(grant: Grant, action: str) -> bool:
    return _any(grant.actions, action) and not _any(grant.leaves_out, action)


def _any(patterns: Iterable[str], action: str) -> bool:
    return any(_pattern(one).fullmatch(action) is not None for one in patterns)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.IGNORECASE | re.DOTALL)


def _grant(body: Json) -> Grant:
    allowed, left_out = (tuple(str(one) for one in body.get(key) or ()) for key in ("actions", "notActions"))
    return Grant(allowed, left_out)


def _claims(token: str) -> Mapping[str, Any]:
    """The claims of a JWT, unchecked: it is our own. Empty for a token of another form."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
