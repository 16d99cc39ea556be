"""Azure's price list, of which one line in a dozen is meant."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cloud.errors import CloudError, Permanent, Temporary
from cloud.prices import Prices
from tests.cloud.wire import Reply, Wire

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SIZE = "Standard_E4as_v5"


def item(price: float, **changes: Any) -> dict[str, Any]:
    """A line of the list: pay as you go, Linux, of now, unless said."""
    return {
        "retailPrice": price,
        "unitOfMeasure": "1 Hour",
        "productName": "Virtual Machines Easv5 Series",
        "skuName": "E4as v5",
        "meterName": "E4as v5",
        "effectiveStartDate": "2026-01-01T00:00:00Z",
    } | changes


def listing(*items: dict[str, Any], following: str | None = None) -> Reply:
    return Reply(200, json.dumps({"Items": items, "NextPageLink": following, "Count": len(items)}).encode())


def asked(wire: Wire) -> float:
    return Prices(f"{wire.url}/").hourly(SIZE, "westeurope", NOW)


@pytest.mark.parametrize(
    "other",
    [
        {"productName": "Virtual Machines Easv5 Series Windows"},
        {"productName": "Easv5 Series CloudServices"},
        {"productName": "Easv5 Series Cloud Services"},
        {"skuName": "E4as v5 Spot"},
        {"meterName": "E4as v5 Low Priority"},
        {"unitOfMeasure": "1/Month"},
        {"retailPrice": 0.0},
        {"effectiveStartDate": "2025-01-01T00:00:00Z"},
        {"effectiveStartDate": "2026-06-01T00:00:00Z"},
        {"effectiveEndDate": "2026-02-01T00:00:00Z"},
    ],
)
def test_the_price_is_that_of_a_linux_machine_of_now_that_nobody_takes_away(wire: Wire, other: dict[str, Any]) -> None:
    wire.reply = listing(item(0.41) | other, item(0.226), item(0.226))
    assert asked(wire) == 0.226


def test_the_service_is_asked_for_the_size_and_the_region_without_a_token(wire: Wire) -> None:
    wire.reply = listing(item(0.226))
    asked(wire)

    (path,) = wire.asked
    assert urlsplit(path).path == "/api/retail/prices"
    assert parse_qs(urlsplit(path).query)["$filter"] == [
        "serviceName eq 'Virtual Machines' and armSkuName eq 'Standard_E4as_v5' and armRegionName eq 'westeurope'"
        " and priceType eq 'Consumption'"
    ]
    assert "authorization" not in wire.headers[0]


def test_a_quote_in_a_size_stays_within_the_size(wire: Wire) -> None:
    wire.reply = listing(item(0.226))
    Prices(wire.url).hourly("D2' or armSkuName eq 'D64", "westeurope", NOW)

    (asked_for,) = parse_qs(urlsplit(wire.asked[0]).query)["$filter"]
    assert "armSkuName eq 'D2'' or armSkuName eq ''D64' and armRegionName" in asked_for


def test_further_pages_are_read_of_the_same_service_only_and_not_for_ever(wire: Wire) -> None:
    wire.reply = listing(item(0.226), following=f"{wire.url}/api/retail/prices?$skip=100")
    assert asked(wire) == 0.226
    assert len(wire.asked) == 6
    assert wire.asked[-1].endswith("$skip=100")

    wire.asked.clear()
    wire.reply = listing(item(0.226), following="https://elsewhere.example/api/retail/prices?$skip=100")
    assert asked(wire) == 0.226
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (listing(), Permanent, "has no price of Standard_E4as_v5 in westeurope; sizes are written as Azure does"),
        (listing(item(0.2), item(0.3, productName="Another")), Permanent, "Virtual Machines Easv5 Series, Another"),
        (Reply(400), Permanent, "400"),
        (Reply(429), Temporary, "429"),
        (Reply(503), Temporary, "503"),
        (Reply(200, b"<html>"), Temporary, "does not answer"),
    ],
)
def test_a_price_that_is_not_one_is_an_error_that_names_the_service(
    wire: Wire, reply: Reply, kind: type[CloudError], says: str
) -> None:
    wire.reply = reply
    with pytest.raises(kind) as told:
        asked(wire)
    assert says in str(told.value)
    assert wire.url in str(told.value)


def test_a_service_that_is_not_there_is_temporary() -> None:
    with pytest.raises(Temporary, match=r"https://127\.0\.0\.1:1 does not answer"):
        Prices("https://127.0.0.1:1").hourly(SIZE, "westeurope", NOW)
