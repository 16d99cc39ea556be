"""What the workspace and the metrics store hold: columns, names and limits as documented, and old rows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from localcloud.faults import Faults
from localcloud.monitor.kql import Limits, Scope, run
from localcloud.monitor.metric_definitions import DEPLOYMENT_METRICS, ENDPOINT_METRICS
from localcloud.monitor.schema import TABLES
from localcloud.monitor.store import TableStore
from localcloud.settings import Settings
from tests.localcloud.clock import Clock
from tests.localcloud.monitor_cloud import traffic

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KEPT = timedelta(hours=2)
TRAFFIC = "AmlOnlineEndpointTrafficLog"

STRINGS = {
    TRAFFIC: "EndpointName DeploymentName Location Method Path Protocol UserAgent ResponseCodeReason ModelStatusReason "
    "AuthType IdentityData AzureMLWorkspaceId AzureMLWorkspaceName XRequestId XMSClientRequestId",
    "AmlOnlineEndpointConsoleLog": "DeploymentName InstanceId ContainerName ContainerImageName Message",
    "AmlOnlineEndpointEventLog": "DeploymentName InstanceId Name Message",
}
INTS = {
    TRAFFIC: "ResponseCode ModelStatusCode RequestPayloadSize ResponsePayloadSize TotalDurationMs RequestDurationMs "
    "ResponseDurationMs RequestThrottlingDelayMs ResponseThrottlingDelayMs",
}
TEXTS = "OperationName _ResourceId _SubscriptionId TenantId SourceSystem Type _ItemId"
COMMON = {
    "TimeGenerated": "datetime",
    **dict.fromkeys(TEXTS.split(), "string"),
    "_BilledSize": "real",
    "_IsBillable": "string",
}


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def store(clock: Clock) -> Iterator[TableStore]:
    made = TableStore(timedelta(), "sub", "tenant", clock, kept=KEPT)
    yield made
    made.close()


def count(store: TableStore, table: str) -> int:
    return int(run(store, f"{table} | count", Scope(), Limits(1)).rows[0][0])


def stored(store: TableStore, table: str) -> int:
    """The rows that take up memory, whether a query may see them or not. Reads past the store's own tidying."""
    connection = store._connection
    assert connection is not None
    return int(connection.execute(f'SELECT count(*) FROM rows."{table}"').fetchall()[0][0])


@pytest.mark.parametrize("table", STRINGS)
def test_a_table_has_the_documented_columns_and_types(table: str) -> None:
    documented = COMMON | dict.fromkeys(STRINGS[table].split(), "string")
    assert dict(TABLES[table]) == documented | dict.fromkeys(INTS.get(table, "").split(), "int")


def test_an_endpoint_has_the_documented_metrics_and_dimensions() -> None:
    latencies = ["RequestLatency", *(f"RequestLatency_P{p}" for p in (50, 90, 95, 99))]
    assert {metric.name: tuple(metric.dimensions) for metric in ENDPOINT_METRICS.values()} == {
        **dict.fromkeys(latencies, ("deployment",)),
        "RequestsPerMinute": ("deployment", "statusCode", "statusCodeClass", "modelStatusCode"),
        "ConnectionsActive": (),
        "NewConnectionsPerSecond": (),
        "NetworkBytes": (),
        "DataCollectionErrorsPerMinute": ("deployment", "reason", "type"),
        "DataCollectionEventsPerMinute": ("deployment", "type"),
    }
    averages = [*latencies, "RequestsPerMinute", "ConnectionsActive", "NewConnectionsPerSecond", "NetworkBytes"]
    assert {name: ENDPOINT_METRICS[name.lower()].aggregations for name in averages} == dict.fromkeys(
        averages, ("Average",)
    )


def test_a_deployment_has_the_documented_metrics_and_dimensions() -> None:
    utilization = [f"{what}UtilizationPercentage" for what in ("Cpu", "CpuMemory", "Gpu", "GpuMemory")]
    assert {metric.name: tuple(metric.dimensions) for metric in DEPLOYMENT_METRICS.values()} == {
        **dict.fromkeys(utilization, ("instanceId",)),
        **dict.fromkeys([f"RequestLatency_P{p}" for p in (50, 90, 95, 99)], ()),
        "DiskUtilization": ("instanceId", "disk"),
        "DeploymentCapacity": ("instanceId", "State"),
        "GpuEnergyJoules": ("instanceId",),
        "RequestsPerMinute": ("envoy_response_code",),
        "DataCollectionErrorsPerMinute": ("instanceId", "reason", "type"),
        "DataCollectionEventsPerMinute": ("instanceId", "type"),
    }


def test_the_limits_are_azures_unless_a_run_sets_others() -> None:
    settings = Settings()
    assert (settings.log_row_limit, settings.log_byte_limit) == (500_000, 64_000_000)
    assert (settings.log_query_seconds, settings.log_queries_per_half_minute) == (600, 200)
    assert settings.log_queries_at_once == 5


def test_rows_are_deleted_after_their_time_even_when_nobody_asks_for_them(store: TableStore, clock: Clock) -> None:
    store.add_table("Own_CL", {"TimeGenerated": "datetime", "Type": "string"})
    for table, rows in ((TRAFFIC, [traffic()]), ("Own_CL", [{}])):
        store.append(table, rows)
    store.tidy()
    clock.now += KEPT / 2
    store.append(TRAFFIC, [traffic()])
    store.tidy()
    assert (stored(store, TRAFFIC), stored(store, "Own_CL")) == (2, 1)
    clock.now += KEPT / 2 + KEPT / 20
    store.tidy()
    assert (stored(store, TRAFFIC), stored(store, "Own_CL")) == (1, 0)


def test_old_rows_are_not_looked_for_at_every_read(store: TableStore, clock: Clock) -> None:
    store.append(TRAFFIC, [traffic()])
    clock.now += KEPT - timedelta(seconds=1)
    assert count(store, TRAFFIC) == 1
    clock.now += timedelta(seconds=2)
    assert count(store, TRAFFIC) == 1, "a twentieth of the time has not passed since the last look"
    clock.now += KEPT / 20
    assert count(store, TRAFFIC) == 0


def test_rows_that_wait_for_a_step_are_kept_however_long_that_takes(clock: Clock) -> None:
    store = TableStore(timedelta(), "sub", "tenant", clock, kept=KEPT)
    store.hold()
    store.add_table("Own_CL", {"TimeGenerated": "datetime", "Type": "string"})
    store.append("Own_CL", [{}])
    clock.now += 2 * KEPT
    store.tidy()
    assert count(store, "Own_CL") == 0
    assert store.release() == 1
    assert count(store, "Own_CL") == 1
    store.close()


def test_a_row_that_is_late_on_order_is_late_after_the_step_that_lets_it_go(clock: Clock) -> None:
    faults = Faults()
    store = TableStore(timedelta(), "sub", "tenant", clock, faults=faults)
    store.hold()
    for stored_first in (True, False):
        faults.add("rows.late", match=TRAFFIC, parameters={"seconds": 60})
        store.append(TRAFFIC, [traffic()])
        if stored_first:
            store.tidy()
    assert store.release() == 2
    clock.now += timedelta(seconds=59)
    assert count(store, TRAFFIC) == 0
    clock.now += timedelta(seconds=1)
    assert count(store, TRAFFIC) == 2
    store.close()


def test_a_store_that_is_closed_waits_for_the_query_that_still_runs(store: TableStore) -> None:
    cursor = store.cursor()
    begun, ended = threading.Event(), list[str]()

    def begin(number: int) -> int:
        begun.set()
        return number

    def query() -> None:
        cursor.execute("SELECT count(*) + begin(1) FROM range(20000), range(40000)")
        ended.append("well")  # its rows are not fetched: once it has run, the store may be closed before they are

    cursor.create_function("begin", begin, ["BIGINT"], "BIGINT")

    thread = threading.Thread(target=query)
    thread.start()
    assert begun.wait(10)
    store.close()
    thread.join()

    assert ended == ["well"]
