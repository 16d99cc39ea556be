"""Who a command is from: never what the sender only claims."""

from __future__ import annotations

import pytest

from rollout.caller import KEY_HOLDER, caller

NAME, IDENTITY = "X-MS-CLIENT-PRINCIPAL-NAME", "X-MS-CLIENT-PRINCIPAL-ID"
SIGN_IN = {"WEBSITE_AUTH_ENABLED": "True"}


@pytest.mark.parametrize(
    ("headers", "who"),
    [
        ({NAME: "ann@contoso.com", IDENTITY: "11"}, "ann@contoso.com"),
        ({IDENTITY: "11"}, "principal 11"),
        ({NAME: " ", IDENTITY: "11"}, "principal 11"),
        ({}, KEY_HOLDER),
    ],
)
def test_a_signed_in_person_is_named_and_a_pipeline_has_its_id(headers: dict[str, str], who: str) -> None:
    assert caller(headers, SIGN_IN) == who


@pytest.mark.parametrize("environment", [{}, {"WEBSITE_AUTH_ENABLED": "False"}])
def test_without_the_platforms_sign_in_nobody_becomes_somebody_by_a_header(environment: dict[str, str]) -> None:
    assert caller({NAME: "ann@contoso.com", IDENTITY: "11"}, environment) == KEY_HOLDER
