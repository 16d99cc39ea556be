"""Deployment names: Azure takes them, and none ever means two things."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout.names import deployment_name, endpoint_hash

CREATED = datetime(2026, 5, 4, 12, tzinfo=UTC)
AZURES_RULE = re.compile(r"[a-z][a-z0-9-]{1,30}[a-z0-9]")
"""3 to 32 characters, a letter first, no dash last (aka.ms: managed online endpoints, naming); lower case is ours."""

SETTINGS = settings(max_examples=150, derandomize=True, deadline=None, database=None)
texts = st.text(max_size=60)
times = st.datetimes(timezones=st.just(UTC))


def named(model: str = "card", version: str = "2", created: datetime = CREATED) -> str:
    return deployment_name(model, version, f"/models/{model}/versions/{version}", created)


@SETTINGS
@given(model=texts, version=texts, model_id=texts, created=times)
def test_whatever_the_model_is_called_azure_takes_the_name(
    model: str, version: str, model_id: str, created: datetime
) -> None:
    name = deployment_name(model, version, model_id, created)

    assert AZURES_RULE.fullmatch(name), name
    assert len(name) <= 32
    assert name == deployment_name(model, version, model_id, created), "the same every time"


def test_a_name_is_the_model_the_version_and_six_hex() -> None:
    assert re.fullmatch(r"card-2-[0-9a-f]{6}", named())
    assert re.fullmatch(r"credit-ca-2024-05-01-[0-9a-f]{6}", named("Credit_Ca", "2024.05.01"))


def test_a_long_model_and_a_long_version_are_both_cut_and_both_still_told() -> None:
    name = named("m" * 60, "9" * 60)

    assert len(name) == 32
    assert re.fullmatch(r"m{12}-9{12}-[0-9a-f]{6}", name)


def test_a_model_that_begins_with_a_digit_gets_a_letter_first() -> None:
    assert named("2fast").startswith("m2fast-2-")
    assert re.fullmatch(r"m2{11}-9{12}-[0-9a-f]{6}", named("2" * 60, "9" * 60)), "and stays within the limit"


def test_a_version_that_is_registered_again_never_gets_the_old_name() -> None:
    again = CREATED + timedelta(microseconds=1)

    assert named() != named(created=again)


def test_versions_that_look_alike_once_cut_still_have_different_names() -> None:
    assert named(version="1.0") != named(version="1-0")
    assert named(version="9" * 60) != named(version="9" * 61)


def test_the_case_of_an_arm_id_makes_no_difference() -> None:
    assert deployment_name("card", "2", "/Models/CARD", CREATED) == deployment_name(
        "card", "2", "/models/card", CREATED
    )
    assert endpoint_hash("/Subscriptions/S") == endpoint_hash("/subscriptions/s")
    assert endpoint_hash("/subscriptions/s") != endpoint_hash("/subscriptions/t")
    assert re.fullmatch("[0-9a-f]{20}", endpoint_hash("x"))
