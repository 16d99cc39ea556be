"""Hooks: services of the user's that are asked for leave before a rollout enters a step.

A policy holds no secret, so the address may hold none either; who asks is proved by a token of the app's own identity.
Such a token is worth something where it is accepted: only audiences of the user's own services may be named.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field

from policy.durations import Period, written
from policy.names import Segment
from policy.section import FILLED, Section, Text, refuse

Moment = Literal["start", "shadow", "canary", "full", "retire"]
LONGEST: Final = timedelta(seconds=10)
"""Within the time that a look may take of its lease."""
MOST: Final = 8
_SECRETS: Final = ("code", "sig", "key", "token", "secret", "password", "apikey", "api-key", "api_key", "access_token")
_EXCHANGE: Final = "api://azureadtokenexchange"
"""The audience whose token can be exchanged for that of another application."""


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        named = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or not value.isprintable() or " " in value:
        refuse("must be an address that begins with https://")
    if parts.username is not None or parts.password is not None:
        refuse("holds a user or password: a policy holds no secret; give `audience` and check the token")
    secret = next((name for name, _ in parse_qsl(parts.query, True) if name.lower() in _SECRETS), None)
    if secret is not None:
        refuse(f"holds a secret (`{secret}=`): a policy holds none; give `audience` and check the token")
    if parts.fragment:
        refuse("has a part after `#`, which is never sent: leave it out")
    return value


def _audience(value: str) -> str:
    if not value.startswith("api://") or len(value) == len("api://"):
        refuse(
            "must be the App ID URI of your own service, such as api://change-board; other tokens are not given away"
        )
    if value.lower().startswith(_EXCHANGE):
        refuse("names the token exchange, whose tokens are good for other applications: name your own service")
    return value


def _at_most(value: timedelta) -> timedelta:
    if value > LONGEST:
        refuse(f"must be at most {written(LONGEST)}: nothing else happens at the endpoint meanwhile")
    return value


class Hook(Section):
    """A service that is asked before a step is entered; only an answer of 2xx is leave. Going back asks nobody."""

    name: Segment = Field(description="Its name, for those who read why a rollout waits.")
    url: Annotated[Text, AfterValidator(_url)] = Field(
        description="Where it is asked, by POST over https. No secret may be in it; redirects are not followed."
    )
    before: Annotated[tuple[Moment, ...], FILLED] = Field(
        description="What it is asked before: `start` (a deployment is made), or steps of these kinds."
    )
    timeout: Annotated[Period, AfterValidator(_at_most)] = Field(
        default=timedelta(seconds=5),
        description="How long an answer may take, at most 10s; after it there is no leave.",
    )
    audience: Annotated[Text, AfterValidator(_audience)] | None = Field(
        default=None,
        description="App ID URI (`api://...`) for which the app's identity sends a token; left out: no token is sent.",
    )


def _together(hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
    if len(hooks) > MOST:
        refuse(f"must be at most {MOST}")
    names = [hook.name for hook in hooks]
    for index, name in enumerate(names):
        if name in names[:index]:
            refuse(f"{name!r} is also the name of hooks[{names.index(name)}]: names are unique", at=(index, "name"))
    return hooks


Hooks = Annotated[tuple[Hook, ...], AfterValidator(_together)]
