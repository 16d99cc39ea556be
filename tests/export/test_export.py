"""The export through real clients: Log Analytics in, Parquet out, each row exactly once whatever fails in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from time import monotonic, sleep
from typing import Any

import pyarrow
import pytest

from cloud.blobs import Blobs
from cloud.logs import Logs, TimedOut
from export.dataset import exported_until, read
from export.doors import Context, queue_due, run
from export.store import Place, read_watermark
from localcloud.faults import Fault
from tests.analysis_cloud import AnalysisCloud, input_line, output_line

Known = tuple[Context, Place]
EVER = timedelta(days=1)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_NUMBERS = count(1)


@pytest.fixture
def known(analysis: AnalysisCloud) -> Known:
    """An endpoint of its own for each test, whose export begins now."""
    place = analysis.policy(f"export-{next(_NUMBERS)}")
    context = Context(analysis.blobs, analysis.logs, analysis.queues, [place])
    queue_due(context, datetime.now(UTC) - timedelta(seconds=2))
    return context, Place(place[0].name, place[1].name, place[2])


def log(analysis: AnalysisCloud, known: Known, *messages: str, deployment: str = "blue") -> None:
    _, target, endpoint = known[0].endpoints[0]
    analysis.log(target, endpoint, deployment, *messages)


def rows(context: Context, place: Place) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    table = read(context.blobs, place.policy, place.target, place.endpoint, now - EVER, now + EVER)
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def files(analysis: AnalysisCloud, place: Place, ending: str) -> list[bytes]:
    names = [one.name for one in analysis.blobs.list("inference", place.path) if one.name.endswith(ending)]
    return [stored.data for name in names if (stored := analysis.blobs.read("inference", name))]


def test_every_data_row_is_in_the_data_set_with_its_prediction(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    log(analysis, known, input_line("r1", [{"age": 30, "sex": "f"}, {"age": 41, "sex": "m"}]))
    log(analysis, known, output_line("r1", [0.25, 0.75]))
    log(analysis, known, input_line("r2", [{"age": 52.5}]), output_line("r2", [1]), deployment="green")
    analysis.export(context.endpoints[0], analysis.visible())
    found = [
        (row["deployment"], row["request_id"], row["row"], row["age"], row["sex"], row["prediction"])
        for row in rows(context, place)
    ]
    assert sorted(found) == [
        ("blue", "r1", 0, 30.0, "f", 0.25),
        ("blue", "r1", 1, 41.0, "m", 0.75),
        ("green", "r2", 0, 52.5, None, 1.0),
    ]


def test_requests_that_understudy_sent_itself_are_no_data(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    _, target, endpoint = context.endpoints[0]
    sent = {"load": "understudyload0a1b", "probe": "understudy0a1b", "client": "0a1b", "silent": ""}
    for request, client_id in sent.items():
        analysis.requested(target, endpoint, request, client_id)
        log(analysis, known, input_line(request, [{"request_id": "client", "a": 1}]), output_line(request, [0]))
    log(analysis, known, input_line("unlogged", [{"a": 1}]), output_line("unlogged", [0]))
    analysis.export(context.endpoints[0], analysis.visible())
    assert {row["request_id"] for row in rows(context, place)} == {"client", "silent", "unlogged"}


def test_rows_of_other_endpoints_stay_out_even_when_the_name_begins_alike(
    analysis: AnalysisCloud, known: Known
) -> None:
    context, place = known
    _, target, endpoint = context.endpoints[0]
    analysis.log(target, f"{endpoint}-v2", "blue", input_line("other", [{"a": 1}]), output_line("other", [0]))
    log(analysis, known, input_line("own", [{"a": 1}]), output_line("own", [0]))
    analysis.export(context.endpoints[0], analysis.visible())
    assert [row["request_id"] for row in rows(context, place)] == ["own"]


def test_an_output_that_comes_windows_later_still_meets_its_input(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    log(analysis, known, input_line("r1", [{"a": 1}]))
    analysis.export(context.endpoints[0], analysis.visible())
    assert rows(context, place) == []
    log(analysis, known, output_line("r1", [0.5]))
    analysis.export(context.endpoints[0], analysis.visible())
    assert [(row["request_id"], row["prediction"]) for row in rows(context, place)] == [("r1", 0.5)]


def test_a_line_that_cannot_be_read_is_counted_and_kept(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    cut = input_line("r1", [{"text": "x" * 100}])[:-40]
    log(analysis, known, cut)
    analysis.export(context.endpoints[0], analysis.visible())
    assert rows(context, place) == []
    kept = [json.loads(line) for data in files(analysis, place, ".unreadable.jsonl") for line in data.splitlines()]
    assert [(one["message"], one["reason"]) for one in kept] == [(cut, "no whole JSON object at the end of the line")]
    assert sum(json.loads(data)["unreadable"] for data in files(analysis, place, ".summary")) == 1


def test_a_client_that_sends_half_a_surrogate_pair_does_not_stop_the_export(
    analysis: AnalysisCloud, known: Known
) -> None:
    context, place = known
    log(analysis, known, input_line("r1", [{"name": "\ud800"}]), output_line("r1", [0.5]))
    analysis.export(context.endpoints[0], analysis.visible())
    assert [(row["request_id"], row["name"]) for row in rows(context, place)] == [("r1", "\\ud800")]
    assert sum(json.loads(data)["mended"] for data in files(analysis, place, ".summary")) == 1


def test_the_parts_of_a_long_request_meet_over_windows(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    for number in (2, 1):
        for line in (input_line("r1", [{"a": number}]), output_line("r1", [number / 10])):
            log(analysis, known, line[:-1] + f', "part": {number}, "parts": 2}}')
        analysis.export(context.endpoints[0], analysis.visible())
    found = [(row["request_id"], row["row"], row["a"], row["prediction"]) for row in rows(context, place)]
    assert found == [("r1", 0, 1, 0.1), ("r1", 1, 2, 0.2)]


def test_a_window_beyond_the_limits_of_one_query_is_asked_for_in_halves(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    context = replace(context, endpoints=[_every_hour(context)])
    for burst in range(3):  # 3 x 32 rows, over the limit of 40 for one query, a second apart
        log(analysis, known, *(input_line(f"r{burst}-{n}", [{"a": n}]) for n in range(16)))
        log(analysis, known, *(output_line(f"r{burst}-{n}", [n]) for n in range(16)))
        _let_pass(analysis.visible())
    run(context, _hour(context, place), datetime.now(UTC))
    assert len(rows(context, place)) == 48


@pytest.fixture
def query_fault(analysis: AnalysisCloud) -> Iterator[Callable[..., Fault]]:
    """Faults of the query API, which end with the test."""
    faults = analysis.cloud.faults
    yield lambda times, **what: faults.add("http", match="POST /v1/workspaces/", times=times, parameters=what)
    faults.clear()


_GATEWAY_TIMEOUT = {"status": 504, "body": {"error": {"code": "GatewayTimeout", "message": "Gateway timeout"}}}


def test_a_window_that_takes_too_long_is_asked_for_in_halves(
    analysis: AnalysisCloud, known: Known, query_fault: Callable[..., Fault]
) -> None:
    context, place = known
    context = replace(context, endpoints=[_every_hour(context)])
    log(analysis, known, input_line("r1", [{"a": 1}]), output_line("r1", [0.5]))
    _let_pass(analysis.visible())
    slow = query_fault(3, **_GATEWAY_TIMEOUT)
    run(context, _hour(context, place), datetime.now(UTC))
    assert [row["request_id"] for row in rows(context, place)] == ["r1"]
    assert len(slow.struck) == 3


def test_an_answer_that_does_not_come_in_time_is_asked_for_in_halves(
    analysis: AnalysisCloud, known: Known, query_fault: Callable[..., Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, place = known
    context = replace(context, endpoints=[_every_hour(context)])
    log(analysis, known, input_line("r1", [{"a": 1}]), output_line("r1", [0.5]))
    _let_pass(analysis.visible())
    monkeypatch.setattr("export.answers.QUERY_SECONDS", 1.0)
    monkeypatch.setattr("cloud.logs.ANSWER_SECONDS", 0.0)
    query_fault(1, delay_seconds=2)
    now = datetime.now(UTC)
    with pytest.raises(TimedOut, match="no answer within 1 s"):
        context.logs.query(context.endpoints[0][1].log_analytics_workspace_id or "", "AppTraces", now, now, timeout=1)
    query_fault(1, delay_seconds=2)
    run(context, _hour(context, place), datetime.now(UTC))
    assert [row["request_id"] for row in rows(context, place)] == ["r1"]


def test_while_every_query_takes_too_long_the_window_waits_and_is_no_problem(
    analysis: AnalysisCloud, known: Known, query_fault: Callable[..., Fault]
) -> None:
    context, place = known
    context = replace(context, endpoints=[_every_hour(context)])
    before = read_watermark(context.blobs, place)
    slow = query_fault(1000, **_GATEWAY_TIMEOUT)
    run(context, _hour(context, place), datetime.now(UTC))
    assert read_watermark(context.blobs, place) == before
    assert len(slow.struck) == 12  # one hour, halved down to its first second


def _hour(context: Context, place: Place) -> dict[str, Any]:
    """The message for the hour that begins at the watermark."""
    watermark = read_watermark(context.blobs, place)
    assert watermark is not None
    return {
        "policy": place.policy,
        "target": place.target,
        "endpoint": place.endpoint,
        "since": watermark.until.isoformat(),
        "until": (watermark.until + timedelta(hours=1)).isoformat(),
    }


def test_one_second_that_is_too_much_stops_the_export_loudly_and_loses_nothing(
    analysis: AnalysisCloud, known: Known
) -> None:
    context, place = known
    log(analysis, known, *(input_line(f"r{n}", [{"a": n}]) for n in range(41)))
    log(analysis, known, *(output_line(f"r{n}", [n]) for n in range(41)))
    _wait_until(lambda: _problem(context, place) is not None)
    assert "more than one query may return" in str(_problem(context, place))
    assert rows(context, place) == []


def test_a_message_that_comes_twice_or_out_of_turn_changes_nothing(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    log(analysis, known, input_line("r1", [{"a": 1}]), output_line("r1", [0.5]))
    until = analysis.visible()
    sent: list[dict[str, Any]] = []
    end = monotonic() + 30
    while (exported_until(context.blobs, place.policy, place.target, place.endpoint) or _LONG_AGO) < until:
        assert monotonic() < end
        for message in queue_due(context, datetime.now(UTC)):
            run(context, {**message, "since": message["until"]}, datetime.now(UTC))
            run(context, message, datetime.now(UTC))
            run(context, message, datetime.now(UTC))
            sent.append(message)
    before = {one.name: one.etag for one in analysis.blobs.list("inference", place.path)}
    for message in sent:
        run(context, message, datetime.now(UTC))
    assert {one.name: one.etag for one in analysis.blobs.list("inference", place.path)} == before
    assert [row["request_id"] for row in rows(context, place)] == ["r1"]


class DyingBlobs(Blobs):
    """The real blobs, in a process that dies before its n-th write."""

    def __init__(self, analysis: AnalysisCloud, writes: int) -> None:
        super().__init__(analysis.env["UNDERSTUDY_BLOB_URL"], _credential())
        self.left = writes

    def write(self, *arguments: Any, **options: Any) -> str:
        self.left -= 1
        if self.left < 0:
            raise Died
        return super().write(*arguments, **options)


class Died(BaseException):
    """Nothing in the app catches this, as nothing catches SIGKILL."""


def test_a_crash_before_any_write_loses_and_doubles_nothing(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    for writes in range(8):
        request = f"r{writes}"
        log(analysis, known, input_line(request, [{"a": writes}]), output_line(request, [0.5]), "InputData broken")
        log(analysis, known, input_line(f"{request}-late", [{"a": writes}]))
        _let_pass(analysis.visible())
        log(analysis, known, output_line(f"{request}-late", [0.5]))
        dying = replace(context, blobs=DyingBlobs(analysis, writes))
        try:
            for message in queue_due(context, datetime.now(UTC)):
                run(dying, message, datetime.now(UTC))
        except Died:
            pass
    analysis.export(context.endpoints[0], analysis.visible())
    found = sorted(row["request_id"] for row in rows(context, place))
    assert found == sorted([f"r{n}" for n in range(8)] + [f"r{n}-late" for n in range(8)])
    stored = sum(json.loads(data)["rows"] for data in files(analysis, place, ".summary"))
    assert stored == 16
    assert sum(json.loads(data)["unreadable"] for data in files(analysis, place, ".summary")) == 8


def test_while_log_analytics_does_not_answer_the_watermark_stays(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    gone = replace(context, logs=Logs("https://localhost:9", _credential()))
    before = read_watermark(context.blobs, place)
    for message in queue_due(context, datetime.now(UTC)):
        run(gone, message, datetime.now(UTC))
    assert read_watermark(context.blobs, place) == before


def test_a_question_that_is_refused_is_shown_beside_the_watermark(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    policy, target, endpoint = context.endpoints[0]
    elsewhere = target.model_copy(update={"log_analytics_workspace_id": "00000000-0000-0000-0000-00000000dead"})
    context = replace(context, endpoints=[(policy, elsewhere, endpoint)])
    _wait_until(lambda: _problem(context, place) is not None)
    assert "could not be found" in str(_problem(context, place))


def test_data_that_cannot_be_written_is_shown_beside_the_watermark(
    analysis: AnalysisCloud, known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_rows: object) -> bytes:
        raise pyarrow.ArrowNotImplementedError("no such type")

    context, place = known
    log(analysis, known, input_line("r1", [{"a": 1}]), output_line("r1", [0.5]))
    monkeypatch.setattr("export.parquet.encode", refuse)
    _wait_until(lambda: _problem(context, place) is not None)
    assert "cannot be written: ArrowNotImplementedError: no such type" in str(_problem(context, place))
    monkeypatch.undo()
    analysis.export(context.endpoints[0], analysis.visible())
    assert [row["request_id"] for row in rows(context, place)] == ["r1"]
    assert read_watermark(context.blobs, place).problem is None  # type: ignore[union-attr]


def test_a_watermark_that_is_none_stops_its_own_endpoint_and_no_message(analysis: AnalysisCloud, known: Known) -> None:
    context, place = known
    message = _hour(context, place)
    analysis.blobs.write("state", f"watermarks/{place.path}.json", b"{}")
    assert queue_due(context, datetime.now(UTC)) == []
    run(context, message, datetime.now(UTC))


def _problem(context: Context, place: Place) -> str | None:
    for message in queue_due(context, datetime.now(UTC)):
        run(context, message, datetime.now(UTC))
    watermark = read_watermark(context.blobs, place)
    return watermark.problem if watermark else None


def _every_hour(context: Context) -> Any:
    policy, target, endpoint = context.endpoints[0]
    assert policy.export is not None
    changed = policy.export.model_copy(update={"every": timedelta(hours=1)})
    return policy.model_copy(update={"export": changed}), target, endpoint


def _wait_until(look: Callable[[], object], seconds: float = 20.0) -> None:
    end = monotonic() + seconds
    while not look():
        assert monotonic() < end, "waited in vain"
        sleep(0.05)


def _let_pass(moment: datetime) -> None:
    _wait_until(lambda: datetime.now(UTC) >= moment)


def _credential() -> Any:
    from cloud.identity import credential

    return credential()
