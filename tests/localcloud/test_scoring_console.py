"""What a container prints: rows of the console log, in both of Azure's formats, and what getLogs shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.localcloud.scoring_stand import ECHO, Stand, eventually, scoring_stand

PRINT = "def init(): pass\ndef run(raw_data):\n    print(raw_data)\n    return 1\n"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with scoring_stand(tmp_path_factory.mktemp("console")) as running:
        yield running


def messages(stand: Stand, deployment: str) -> list[str]:
    return [row["Message"] for row in stand.rows("ConsoleLog", DeploymentName=deployment)]


def test_a_line_is_a_row_that_names_deployment_and_instance_but_neither_endpoint_nor_request(stand: Stand) -> None:
    stand.deploy("ep", "blue")

    [row] = eventually(lambda: stand.rows("ConsoleLog", DeploymentName="blue"))

    assert row["_ResourceId"] == "/subscriptions/s/onlineendpoints/ep"
    assert row["ContainerName"] == "inference-server"
    assert row["InstanceId"].startswith("blue-")
    assert re.fullmatch(r"[\d-]+ [\d:,]+ I \[\d+\] root - ready", row["Message"])


def test_the_old_format_has_pipes_and_the_request_id(stand: Stand) -> None:
    stand.deploy("old", "old", ECHO, environment_variables={"LOCALCLOUD_CONSOLE_FORMAT": "old"})
    stand.route("old", {"old": 100})

    reply = stand.post("old", "{}")

    line = eventually(lambda: [text for text in messages(stand, "old") if "got {}" in text])[0]
    assert line.split(" | ")[1:3] == ["root", "INFO"]
    assert line.split(" | ")[4:] == [reply.headers["x-request-id"], "got {}"]


def test_a_traceback_is_one_row_per_line(stand: Stand) -> None:
    stand.deploy("raises", "raises", "def init(): pass\ndef run(raw_data): raise ValueError('the reason')\n")
    stand.route("raises", {"raises": 100})

    stand.post("raises")

    eventually(lambda: "ValueError: the reason" in messages(stand, "raises"))
    assert messages(stand, "raises")[0] == "Traceback (most recent call last):"


def test_a_long_line_is_split_and_empty_and_foreign_lines_are_kept(stand: Stand) -> None:
    stand.deploy("long", "long", PRINT)
    stand.route("long", {"long": 100})

    stand.post("long", "a" * 20_000)
    stand.post("long", "é\n\nlast")

    eventually(lambda: "last" in messages(stand, "long"))
    assert messages(stand, "long") == ["a" * 16_384, "a" * 3_616, "é", "", "last"]


def test_a_message_over_the_limit_loses_its_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cut")
    with scoring_stand(folder, console_split_bytes=0, console_cut_bytes=100) as stand:
        stand.deploy("long", "long", PRINT)
        stand.route("long", {"long": 100})

        stand.post("long", "a" * 150)

        assert eventually(lambda: messages(stand, "long")) == ["a" * 100]


def test_get_logs_shows_the_last_lines_without_waiting_for_the_tables(stand: Stand) -> None:
    stand.deploy("tail", "tail", PRINT)
    stand.route("tail", {"tail": 100})

    stand.post("tail", "one\ntwo\nthree")

    assert eventually(lambda: stand.run(stand.serving.container_log("tail", "tail", 2))) == "two\nthree\n"
