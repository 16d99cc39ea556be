"""Timer functions of the local Functions host."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from localcloud.functions_host.timer_trigger import CONTAINER
from tests.localcloud.echo import Echo, eventually, running_echo


def blobs(echo: Echo) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(
        echo.stack.env["AZURE_STORAGE_CONNECTION_STRING"], connection_verify=echo.stack.env["LOCALCLOUD_CA"]
    )


def test_a_timer_fires_by_the_schedule_in_its_setting(echo: Echo) -> None:
    eventually(lambda: len(echo.seen("tick")) >= 3)
    gaps = [b["at"] - a["at"] for a, b in zip(echo.seen("tick"), echo.seen("tick")[1:], strict=False)]
    assert gaps
    assert all(0.5 < gap < 1.5 or gap > 1.9 for gap in gaps)  # whole seconds, a slow machine may skip one


def test_a_timer_never_overlaps_itself(echo: Echo) -> None:
    eventually(lambda: len(echo.seen("slow_tick ends")) >= 2)
    lives: dict[int, list[dict[str, Any]]] = {}
    for one in sorted([*echo.seen("slow_tick begins"), *echo.seen("slow_tick ends")], key=lambda line: line["at"]):
        lives.setdefault(one["pid"], []).append(one)  # another test may have ended a host in the middle of a run
    for lines in lives.values():
        kinds = [line["kind"].removeprefix("slow_tick ") for line in lines]
        assert kinds == (["begins", "ends"] * len(kinds))[: len(kinds)]


def test_a_timer_with_a_bad_schedule_or_a_missing_setting_fails_alone(echo: Echo) -> None:
    master = {"x-functions-key": echo.stack.env["FUNCTIONS_MASTER_KEY"]}
    errors = echo.call("GET", "/admin/host/status", headers=master).json["errors"]
    assert any("bad_schedule" in error and "NCRONTAB" in error for error in errors)
    assert any("ECHO_NO_SUCH_SETTING" in error for error in errors)


def test_a_timer_is_fired_by_hand_with_the_master_key(echo: Echo) -> None:
    headers = {"x-functions-key": echo.stack.env["FUNCTIONS_MASTER_KEY"], "Content-Type": "application/json"}
    assert echo.call("POST", "/admin/functions/yearly", body=b'{"input":""}', headers=headers).status == 202
    assert eventually(lambda: echo.seen("yearly", past_due=False))


def test_a_timer_that_was_missed_while_the_host_was_down_runs_once_and_is_past_due(tmp_path: Path) -> None:
    with running_echo(tmp_path) as echo:
        # Given a host that went down and left a status whose next run has passed since
        blob = blobs(echo).get_blob_client(CONTAINER, "timers/local/yearly/status")
        assert eventually(blob.exists)
        echo.stack.kill_functions(restart=False)
        year = datetime.now(UTC).year
        missed = {"Last": f"{year - 1}-01-01T00:00:00+00:00", "Next": f"{year}-01-01T00:00:00+00:00"}
        blob.upload_blob(json.dumps({**missed, "LastUpdated": missed["Last"]}), overwrite=True)

        # When it starts again
        echo.stack.restart_functions()

        # Then the timer runs once, and the status moves on
        assert eventually(lambda: echo.seen("yearly", past_due=True))
        assert eventually(lambda: json.loads(blob.download_blob().readall())["Next"].startswith(f"{year + 1}-01-01"))
        echo.stack.restart_functions()
        runs = len(echo.seen("tick"))
        eventually(lambda: len(echo.seen("tick")) > runs)
        assert len(echo.seen("yearly")) == 1


def test_nothing_runs_after_the_host_is_stopped(tmp_path: Path) -> None:
    with running_echo(tmp_path) as echo:
        eventually(lambda: echo.seen("slow_tick begins"))
    stopped = datetime.now(UTC) + timedelta(seconds=0.1)
    assert len(echo.seen("slow_tick begins")) == len(echo.seen("slow_tick ends"))  # the run under way finished
    assert all(one["at"] < stopped.timestamp() for one in echo.seen("tick"))
