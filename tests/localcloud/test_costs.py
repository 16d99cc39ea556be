"""What the deployments cost, and what machines cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import requests

from localcloud.monitor.prices import hourly
from localcloud.settings import Settings
from tests.localcloud.monitor_cloud import ENDPOINT, Running, running, until

SETTINGS = Settings(minute_seconds=0.2, cost_delay_minutes=0.0)
WORKSPACE = ENDPOINT.partition("/onlineendpoints/")[0]
SIZE = "Standard_F2s_v2"
DEPLOYMENTS = [
    {"resource_id": ENDPOINT, "deployment": "blue", "instances": 3, "state": "Ready", "instance_type": SIZE},
    {"resource_id": ENDPOINT, "deployment": "green", "instances": 1, "state": "Failed", "instance_type": SIZE},
    {"resource_id": ENDPOINT + "-2", "deployment": "x", "instances": 1, "state": "Ready", "instance_type": SIZE},
]

Query = Callable[..., requests.Response]


def query_of(monitor: Running) -> Query:
    def send(scope: str = "/subscriptions/00000000-0000-0000-0000-000000000001", **dataset: Any) -> requests.Response:
        now = datetime.now(UTC)
        body = {
            "type": "ActualCost",
            "timeframe": "Custom",
            "timePeriod": {"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(days=1)).isoformat()},
            "dataset": {"aggregation": {"totalCost": {"name": "PreTaxCost", "function": "Sum"}}, **dataset},
        }
        return requests.post(
            f"{monitor.url}{scope}/providers/Microsoft.CostManagement/query?api-version=2025-03-01",
            json=body,
            headers={"Authorization": "Bearer x"},
            verify=str(monitor.cloud.ca_file),
            timeout=10,
        )

    return send


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(SETTINGS, tmp_path_factory.mktemp("costs"), deployments=lambda: DEPLOYMENTS) as started:
        yield started


@pytest.fixture
def query(monitor: Running) -> Query:
    return query_of(monitor)


OF_THE_ENDPOINT = {
    "and": [
        {"dimensions": {"name": "ResourceId", "operator": "In", "values": [WORKSPACE]}},
        {"tags": {"name": "azuremlendpoint", "operator": "In", "values": ["credit"]}},
    ]
}
BY_DEPLOYMENT = [{"type": "TagKey", "name": "azuremldeployment"}]


def test_costs_grow_with_instances_times_price_and_are_grouped_by_a_tag_failed_deployments_too(query: Query) -> None:
    def rows() -> list[list[Any]]:
        reply = query(granularity="Daily", grouping=BY_DEPLOYMENT, filter=OF_THE_ENDPOINT).json()["properties"]
        names = [(column["name"], column["type"]) for column in reply["columns"]]
        assert names == [
            ("PreTaxCost", "Number"),
            ("UsageDate", "Number"),
            ("TagKey", "String"),
            ("TagValue", "String"),
            ("Currency", "String"),
        ]
        return list(reply["rows"])

    blue, green = until(rows)
    assert blue[1:] == [int(datetime.now(UTC).strftime("%Y%m%d")), "azuremldeployment", "blue", "USD"]
    assert green[3] == "green"
    assert blue[0] == pytest.approx(3 * green[0])
    minutes = green[0] / (hourly(SIZE) / 60)
    assert minutes == pytest.approx(round(minutes))


def test_a_scope_sees_its_own_costs_only(query: Query) -> None:
    until(lambda: query().json()["properties"]["rows"])
    assert query(scope="/subscriptions/another").json()["properties"]["rows"] == []


def test_a_cost_is_not_known_before_its_delay(tmp_path: Path) -> None:
    with running(replace(SETTINGS, cost_delay_minutes=480.0), tmp_path, deployments=lambda: DEPLOYMENTS) as late:
        assert query_of(late)().json()["properties"]["rows"] == []


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"grouping": [*BY_DEPLOYMENT, {"type": "TagKey", "name": "azuremlendpoint"}]}, "two TagKey"),
        ({"grouping": [{"type": "Dimension", "name": "Colour"}]}, "Colour"),
        ({"aggregation": {}}, "aggregation"),
        ({"aggregation": {name: {"name": "Cost", "function": "Sum"} for name in "abc"}}, "from one to 2"),
        ({"grouping": [{"type": "Dimension", "name": "Meter"}] * 3}, "at most 2"),
        ({"granularity": "Hourly"}, "Hourly"),
        ({"filter": {"tags": {"name": "other", "operator": "In", "values": []}}}, "other"),
    ],
)
def test_a_query_that_cannot_be_answered_is_a_400_that_says_why(
    query: Query, dataset: dict[str, Any], message: str
) -> None:
    def reply() -> requests.Response:
        return query(**dataset)

    until(lambda: query().json()["properties"]["rows"])
    assert reply().status_code == 400
    assert message in reply().json()["error"]["message"]


def prices(monitor: Running, filter_: str) -> requests.Response:
    url = f"{monitor.url}/api/retail/prices?api-version=2023-01-01-preview"
    return requests.get(url, params={"$filter": filter_}, verify=str(monitor.cloud.ca_file), timeout=10)


def test_retail_prices_need_no_token_and_have_four_meters_for_one_machine(monitor: Running) -> None:
    text = f"serviceName eq 'Virtual Machines' and armSkuName eq '{SIZE}' and armRegionName eq 'westeurope'"
    body = prices(monitor, text + " and priceType eq 'Consumption'").json()
    plain = [
        item
        for item in body["Items"]
        if "Windows" not in item["productName"] and not item["skuName"].endswith(("Spot", "Low Priority"))
    ]
    assert (len(body["Items"]), body["NextPageLink"]) == (4, None)
    assert [(item["unitOfMeasure"], item["retailPrice"]) for item in plain] == [("1 Hour", hourly(SIZE))]


def test_prices_have_the_apis_field_names_and_the_file_says_that_they_are_frozen_examples(monitor: Running) -> None:
    fields = """currencyCode tierMinimumUnits retailPrice unitPrice armRegionName location effectiveStartDate meterName
        productName skuName serviceName serviceFamily unitOfMeasure type isPrimaryMeterRegion armSkuName"""
    body = prices(monitor, f"armSkuName eq '{SIZE}'").json()
    assert body.keys() == {
        "BillingCurrency",
        "CustomerEntityId",
        "CustomerEntityType",
        "Items",
        "NextPageLink",
        "Count",
    }
    assert {name for item in body["Items"] for name in item} == set(fields.split())
    frozen = json.loads(files("localcloud.monitor").joinpath("prices.json").read_text(encoding="utf-8"))
    assert "Frozen example amounts" in frozen["about"]
    assert datetime.fromisoformat(frozen["frozenOn"])


def test_filter_values_of_prices_are_case_sensitive_and_unknown_properties_refused(monitor: Running) -> None:
    assert prices(monitor, f"armSkuName eq '{SIZE.lower()}'").json()["Items"] == []
    assert prices(monitor, "colour eq 'red'").status_code == 400
    assert prices(monitor, "contains(meterName, 'F2')").status_code == 400
