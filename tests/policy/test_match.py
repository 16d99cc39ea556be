"""What the other rooms ask of a policy."""

from __future__ import annotations

import pytest

from policy.load import load
from policy.match import alert_action, endpoint_id, endpoint_name, places, watches
from policy.model import Policy
from tests.policy.texts import VALID, edited


def policy(*edits: tuple[str, str]) -> Policy:
    return load(edited(*edits), "credit.yaml")


def wildcard() -> Policy:
    return policy(("name: credit-card", 'name: "sales-*"'), ("endpoint: credit", 'endpoint: "ep-{model}"'))


def test_a_plain_name_watches_that_model_only() -> None:
    assert watches(policy(), "credit-card")
    assert not watches(policy(), "credit-card-2")
    assert not watches(policy(), "Credit-Card"), "Azure's model names are case-sensitive"


def test_a_dot_in_a_name_stands_for_itself() -> None:
    assert not watches(policy(("name: credit-card", "name: credit.card")), "credit-card")


def test_a_wildcard_watches_every_model_that_it_can_stand_for() -> None:
    assert [name for name in ("sales-fr", "sales-", "sales", "presales-fr") if watches(wildcard(), name)] == [
        "sales-fr",
        "sales-",
    ]


def test_a_model_gets_its_own_endpoint_with_azures_characters() -> None:
    target = wildcard().targets[0]
    assert endpoint_name(target, "sales-fr") == "ep-sales-fr"
    assert endpoint_name(target, "sales_fr.v2") == "ep-sales-fr-v2"


def test_places_are_the_targets_in_order_and_none_for_a_model_that_is_not_watched() -> None:
    released = wildcard()
    assert places(released, "sales-fr") == ((released.targets[0], "ep-sales-fr"),)
    assert places(released, "other") == ()


def test_an_endpoint_is_known_by_its_arm_id_in_lower_case() -> None:
    assert endpoint_id(policy(("rg-ml", "RG-ML")).targets[0], "Credit") == (
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-ml/providers/"
        "microsoft.machinelearningservices/workspaces/ml-prod/onlineendpoints/credit"
    )


@pytest.mark.parametrize(
    ("rule", "condition", "action"),
    [
        ("p95 latency", "Fired", "hold"),
        ("P95 LATENCY", "fired", "hold"),
        ("errors", "Fired", "rollback"),
        ("latency [prod]", "Fired", "hold"),
        ("errors", "Resolved", None),
    ],
)
def test_the_first_alert_rule_that_matches_decides(rule: str, condition: str, action: str | None) -> None:
    assert alert_action(policy(), rule, condition) == action


def test_a_bracket_in_an_alert_rule_stands_for_itself() -> None:
    bracketed = policy(("*latency*", "latency [prod]"), ('rule: "*",', "rule: nothing,"))
    assert alert_action(bracketed, "latency [prod]", "Fired") == "hold"
    assert alert_action(bracketed, "latency p", "Fired") is None


def test_an_alert_that_nobody_described_rolls_back() -> None:
    start, end = VALID.index("alerts:"), VALID.index("export:")
    silent = load(VALID[:start] + VALID[end:], "credit.yaml")
    assert alert_action(silent, "anything", "Fired") == "rollback"
