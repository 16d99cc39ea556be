"""KQL over the stored rows: what the product's queries and the example scenario's need."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from localcloud.monitor.kql import Answer, Limits, QueryRefused, Scope, run
from localcloud.monitor.kql_text import tokens
from localcloud.monitor.store import TableStore
from tests.localcloud.clock import Clock
from tests.localcloud.monitor_cloud import ENDPOINT, traffic

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ROW_LIMIT = 1000
INGESTION = timedelta(seconds=3)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def store(clock: Clock) -> Iterator[TableStore]:
    made = TableStore(INGESTION, "sub", "tenant", clock)
    yield made
    made.close()


def later(clock: Clock) -> None:
    """Let everything that was received become visible."""
    clock.now += INGESTION


def answer(store: TableStore, query: str, scope: Scope | None = None) -> Answer:
    return run(store, query, scope or Scope(), Limits(ROW_LIMIT))


def rows(store: TableStore, query: str, scope: Scope | None = None) -> list[list[Any]]:
    return answer(store, query, scope).rows


def console(message: str, deployment: str = "blue") -> dict[str, Any]:
    return {"DeploymentName": deployment, "Message": message, "_ResourceId": ENDPOINT}


def input_line(old_format: bool, data: list[dict[str, Any]]) -> str:
    line = json.dumps(
        {
            "service_name": "online/credit-card-default/1",
            "type": "InputData",
            "request_id": "r1",
            "data": json.dumps(data),
        }
    )
    head = "2026-11-21 12:00:00,000 "
    return f"{head}| root | INFO | 1 | r1 | {line}" if old_format else f"{head}I [1] root - {line}"


def test_a_row_is_visible_only_after_the_ingestion_delay(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic()])
    assert rows(store, "AmlOnlineEndpointTrafficLog | count") == [[0]]
    later(clock)
    assert rows(store, "AmlOnlineEndpointTrafficLog | count") == [[1]]


def test_ingestion_time_is_when_a_row_became_visible_and_never_shows_up_by_itself(
    store: TableStore, clock: Clock
) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic()])
    later(clock)
    query = "AmlOnlineEndpointTrafficLog | extend arrived = ingestion_time() | where ingestion_time() >= ago(1h)"
    found = answer(store, query)
    assert found.rows[0][-1] == "2026-11-21T12:00:03.0000000Z"
    assert [name for name, _ in found.columns if name.startswith("_ing")] == []


def test_the_id_of_a_record_shows_only_when_it_is_asked_for(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic()])
    later(clock)
    assert "_ItemId" not in dict(answer(store, "AmlOnlineEndpointTrafficLog").columns)
    found = answer(store, "AmlOnlineEndpointTrafficLog | project _ItemId")
    assert (found.columns, len(found.rows[0][0])) == ([("_ItemId", "string")], 36)


def test_the_scenarios_console_query_gives_typed_features_from_the_old_format(store: TableStore, clock: Clock) -> None:
    store.append(
        "AmlOnlineEndpointConsoleLog",
        [console(input_line(True, [{"SEX": "male", "AGE": 30, "LIMIT_BAL": 20000.0}, {"SEX": "female", "AGE": 41}]))],
    )
    later(clock)
    found = answer(store, SCENARIO_CONSOLE_QUERY)
    assert found.columns == [
        ("TimeGenerated", "datetime"),
        ("AGE", "long"),
        ("LIMIT_BAL", "real"),
        ("SEX", "string"),
    ]
    assert [row[1:] for row in found.rows] == [[30, 20000.0, "male"], [41, None, "female"]]


def test_the_scenarios_console_query_loses_the_features_of_the_current_format(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointConsoleLog", [console(input_line(False, [{"AGE": 30}]))])
    later(clock)
    assert answer(store, SCENARIO_CONSOLE_QUERY).columns == [("TimeGenerated", "datetime")]


def test_json_at_the_end_of_the_line_is_read_from_both_formats(store: TableStore, clock: Clock) -> None:
    lines = [console(input_line(old, [{"AGE": 30}])) for old in (True, False)]
    store.append("AmlOnlineEndpointConsoleLog", lines)
    later(clock)
    query = r"""
        let endpoint = "/onlineendpoints/credit";
        AmlOnlineEndpointConsoleLog
        | where _ResourceId endswith endpoint
        | extend js = extract(@'(\{.*\})\s*$', 1, Message)
        | extend d = parse_json(js)
        | where tostring(d.type) == 'InputData'
        | mv-expand row = parse_json(tostring(d.data))
        | project age = toint(row.AGE), request = tostring(d.request_id)"""
    assert rows(store, query) == [[30, "r1"], [30, "r1"]]


@pytest.mark.parametrize(
    ("literal", "condition"),
    [
        ('"blue"', "DeploymentName == value"),
        ("long(5)", "TotalDurationMs > value"),
        ("real(5.5)", "TotalDurationMs > value"),
        ("true", "value and TotalDurationMs > 5"),
        ("datetime(2026-11-21T11:59:00.000000Z)", "TimeGenerated > value"),
        ("timespan(0.01:00:00.000000)", "TimeGenerated > now() - value"),
        ('dynamic(["blue", "red"])', "DeploymentName in (value)"),
    ],
)
def test_a_let_binds_a_literal_of_each_type(store: TableStore, clock: Clock, literal: str, condition: str) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic()])
    later(clock)
    query = f"let value = {literal};\nAmlOnlineEndpointTrafficLog | where {condition} | count"
    assert rows(store, query) == [[1]]


def test_an_empty_dynamic_list_matches_nothing(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic()])
    later(clock)
    query = "let names = dynamic([]); AmlOnlineEndpointTrafficLog | where DeploymentName in (names) | count"
    assert rows(store, query) == [[0]]


def test_percentiles_become_columns_with_kustos_names(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic(milliseconds=ms) for ms in range(1, 101)])
    later(clock)
    found = answer(store, "AmlOnlineEndpointTrafficLog | summarize percentiles(TotalDurationMs, 50, 95)")
    assert [name for name, _ in found.columns] == ["percentile_TotalDurationMs_50", "percentile_TotalDurationMs_95"]
    assert found.rows == [[50, 95]]


def test_percentiles_take_names_of_their_own(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic(milliseconds=ms) for ms in range(1, 101)])
    later(clock)
    query = (
        "AmlOnlineEndpointTrafficLog | summarize n = count(), (p50, p95) = percentiles(TotalDurationMs, 50, 95) "
        "by DeploymentName"
    )
    found = answer(store, query)
    assert [name for name, _ in found.columns] == ["DeploymentName", "n", "p50", "p95"]
    assert found.rows == [["blue", 100, 50, 95]]


def test_summarize_counts_rates_and_bins(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic(), traffic(code=500), traffic("green", milliseconds=40)])
    later(clock)
    query = """AmlOnlineEndpointTrafficLog
        | summarize n = count(), failed = countif(ResponseCode >= 500), slow = max(TotalDurationMs),
            fast = min(TotalDurationMs), p95 = percentile(TotalDurationMs, 95), codes = dcount(ResponseCode)
          by DeploymentName, minute = bin(TimeGenerated, 1m)
        | order by DeploymentName asc | project-away minute"""
    assert rows(store, query) == [["blue", 2, 1, 10, 10, 10, 2], ["green", 1, 0, 40, 40, 40, 1]]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("Nope | take 1", "table or column expression named 'Nope'"),
        ("AmlOnlineEndpointConsoleLog | where Mesage == 'x'", "scalar expression named 'Mesage'"),
    ],
)
def test_what_is_not_found_is_named_in_kustos_words(store: TableStore, query: str, named: str) -> None:
    with pytest.raises(QueryRefused, match=f"^Failed to resolve {named}$"):
        answer(store, query)


def test_two_arrays_expand_side_by_side(store: TableStore) -> None:
    query = """print a = dynamic([1, 2]), b = dynamic(["x", "y"])
        | mv-expand a, b | project n = toint(a), t = tostring(b)"""
    assert rows(store, query) == [[1, "x"], [2, "y"]]


def test_live_and_shadow_answers_join_by_request(store: TableStore, clock: Clock) -> None:
    both = [traffic("blue", XRequestId="r1", milliseconds=10), traffic("green", XRequestId="r1", milliseconds=30)]
    store.append("AmlOnlineEndpointTrafficLog", [*both, traffic("blue", XRequestId="r2")])
    later(clock)
    query = """
        let live = materialize(AmlOnlineEndpointTrafficLog | where DeploymentName == "blue");
        live | join kind=inner (AmlOnlineEndpointTrafficLog | where DeploymentName == "green") on XRequestId
        | project XRequestId, slower = TotalDurationMs1 - TotalDurationMs"""
    assert rows(store, query) == [["r1", 20]]


def test_bag_unpack_keeps_a_type_only_when_all_values_have_it(store: TableStore) -> None:
    query = """print a = dynamic([{"same": 1, "mixed": 1}, {"same": 2, "mixed": "x", "rare": true}])
        | mv-expand a | evaluate bag_unpack(a)"""
    found = answer(store, query)
    assert found.columns == [("mixed", "dynamic"), ("rare", "bool"), ("same", "long")]
    assert found.rows == [["1", None, 1], ['"x"', True, 2]]


def test_bag_unpack_with_a_schema_gives_those_columns_even_of_no_rows(store: TableStore) -> None:
    query = """AppTraces | extend d = parse_json(Message) | project TimeGenerated, d
        | evaluate bag_unpack(d) : (*, share: real, dataset_drift: bool)"""
    found = answer(store, query)
    assert found.columns == [("TimeGenerated", "datetime"), ("share", "real"), ("dataset_drift", "bool")]


def test_a_query_goes_on_after_bag_unpack_and_inside_a_let(store: TableStore) -> None:
    query = """
        let unpacked = print d = dynamic({"k": 5, "it's/odd~key": 1}) | evaluate bag_unpack(d, 'p_');
        unpacked | where p_k > 4 | project p_k"""
    assert rows(store, query) == [[5]]


def test_bag_unpack_refuses_a_key_that_is_a_column_already(store: TableStore) -> None:
    with pytest.raises(QueryRefused, match="already exists") as refused:
        answer(store, 'print k = 1, d = dynamic({"k": 5}) | evaluate bag_unpack(d)')
    assert refused.value.status == 400


def test_values_leave_as_kustos_json(store: TableStore) -> None:
    query = """print t = datetime(2026-01-02T03:04:05), s = 1d + 2h, r = real(nan), d = dynamic({"a": [1]}),
        b = true, n = long(null), e = tostring(dynamic(null)), i = int(3)"""
    found = answer(store, query)
    assert [kind for _, kind in found.columns] == [
        *("datetime", "timespan", "real", "dynamic", "bool", "long", "string", "int")
    ]
    assert found.rows == [["2026-01-02T03:04:05.0000000Z", "1.02:00:00", "NaN", '{"a":[1]}', True, None, "", 3]]


def test_the_timespan_is_a_closed_filter_on_top_of_the_querys_own(store: TableStore, clock: Clock) -> None:
    times = [NOW - timedelta(minutes=minutes) for minutes in (10, 5, 1)]
    store.append("AmlOnlineEndpointTrafficLog", [traffic(TimeGenerated=time) for time in times])
    later(clock)
    scope = Scope(timespan=(times[0], times[1]))
    assert rows(store, "AmlOnlineEndpointTrafficLog | count", scope) == [[2]]


def test_mirrored_requests_can_be_left_out_of_the_traffic_log(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic(), traffic("green", _mirrored=True)])
    later(clock)
    query = "AmlOnlineEndpointTrafficLog | count"
    assert rows(store, query) == [[2]]
    assert rows(store, query, Scope(mirrored_traffic=False)) == [[1]]


def test_times_that_azure_would_not_believe_become_the_time_of_receipt(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic(TimeGenerated=NOW - timedelta(days=3))])
    later(clock)
    found = rows(store, "AmlOnlineEndpointTrafficLog | project TimeGenerated")
    assert found == [["2026-11-21T12:00:00.0000000Z"]]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("Nope | take 1", 400, "SemanticError"),
        ("AmlOnlineEndpointTrafficLog | where Mesage == 'x'", 400, "SemanticError"),
        ("traces | take 1", 400, "SemanticError"),
        ("AmlOnlineEndpointTrafficLog | summarise n = count()", 400, "SyntaxError"),
        ("", 400, "SyntaxError"),
        ("AmlOnlineEndpointTrafficLog | make-series n = count() on TimeGenerated step 1m", 501, None),
        ("AmlOnlineEndpointTrafficLog | evaluate autocluster()", 501, None),
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_services_words(
    store: TableStore, query: str, status: int, code: str | None
) -> None:
    with pytest.raises(QueryRefused) as refused:
        answer(store, query)
    assert (refused.value.status, refused.value.inner_code) == (status, code)


def test_an_answer_over_the_row_limit_is_cut_and_says_so(store: TableStore, clock: Clock) -> None:
    store.append("AmlOnlineEndpointTrafficLog", [traffic() for _ in range(5)])
    later(clock)
    found = run(store, "AmlOnlineEndpointTrafficLog", Scope(), Limits(rows=3))
    assert (len(found.rows), found.cut) == (3, True)


def test_an_unknown_table_or_column_is_refused_where_the_row_is_made(store: TableStore) -> None:
    with pytest.raises(ValueError, match="no table 'Nope'"):
        store.append("Nope", [])
    with pytest.raises(ValueError, match="no column Speed"):
        store.append("AmlOnlineEndpointTrafficLog", [traffic(Speed=1)])


def test_text_inside_strings_and_comments_is_never_rewritten(store: TableStore) -> None:
    query = 'print a = "percentiles(x, 50) | ingestion_time(); evaluate bag_unpack(d)" // | ingestion_time()'
    assert rows(store, query) == [["percentiles(x, 50) | ingestion_time(); evaluate bag_unpack(d)"]]
    assert "".join(tokens(query)) == query


SCENARIO_CONSOLE_QUERY = """
    AmlOnlineEndpointConsoleLog
    | where TimeGenerated > ago (1d)
    | where Message has 'online/credit-card-default/1' and Message has 'InputData'
    | project TimeGenerated, ResponsePayload=split(Message, '|')
    | project TimeGenerated, InputData=parse_json(tostring(ResponsePayload[-1])).data
    | project TimeGenerated, InputData=parse_json(tostring(InputData))
    | mv-expand InputData
    | evaluate bag_unpack(InputData)
"""
