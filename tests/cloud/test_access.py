"""Which actions the roles of an identity allow, by Azure's rule: what one role leaves out, another may still give."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from cloud.access import Access, Caller, Grant, lacking
from cloud.arm import Arm

ML = "Microsoft.MachineLearningServices/workspaces"
SCIENTIST = Grant((f"{ML}/*/read", f"{ML}/*/write", f"{ML}/*/action"), (f"{ML}/computes/*/write",))
READER = Grant(("*/read",))
OWNER = Grant(("*",))


@pytest.mark.parametrize(
    ("grants", "action", "allowed"),
    [
        ((), f"{ML}/onlineEndpoints/read", False),
        ((OWNER,), f"{ML}/onlineEndpoints/write", True),
        ((READER,), f"{ML}/onlineEndpoints/read", True),
        ((READER,), f"{ML}/onlineEndpoints/write", False),
        ((SCIENTIST,), f"{ML}/onlineEndpoints/deployments/write", True),
        ((SCIENTIST,), f"{ML}/ONLINEENDPOINTS/listkeys/ACTION", True),
        ((SCIENTIST,), f"{ML}/onlineEndpoints/deployments/delete", False),
        ((SCIENTIST,), f"{ML}/computes/gpu/write", False),
        ((SCIENTIST, OWNER), f"{ML}/computes/gpu/write", True),
        ((READER, SCIENTIST), "Microsoft.Insights/diagnosticSettings/read", True),
    ],
)
def test_an_action_is_allowed_when_any_one_role_allows_it(
    grants: tuple[Grant, ...], action: str, allowed: bool
) -> None:
    assert lacking(grants, [action]) == (() if allowed else (action,))


class Token:
    """A token with these claims."""

    def __init__(self, claims: object) -> None:
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        self._token = f"h.{body}.s"

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken(self._token, 4_102_444_800)


@pytest.mark.parametrize(
    ("claims", "caller"),
    [
        ({"oid": "o-1", "appid": "a-1", "idtyp": "app"}, Caller("o-1", "a-1", False)),
        ({"oid": "o-2", "upn": "ann@contoso.com"}, Caller("o-2", "ann@contoso.com", True)),
        (["no claims"], Caller("", "", False)),
    ],
)
def test_the_caller_is_who_the_token_says(claims: object, caller: Caller) -> None:
    found = Access(Arm("https://arm", "https://arm", Token(claims))).caller()
    assert found == caller
    assert found.kind == ("User" if found.is_person else "ServicePrincipal")
