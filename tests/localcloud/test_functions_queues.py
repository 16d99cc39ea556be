"""Queue functions of the local Functions host: at least once, and poison after too many tries."""

from __future__ import annotations

import base64
import os
import signal
import uuid
from itertools import pairwise
from pathlib import Path

from tests.localcloud.echo import Echo, eventually, running_echo


def test_a_message_is_decoded_run_once_and_deleted(echo: Echo) -> None:
    name = str(uuid.uuid4())
    echo.send_work(name=name)

    done = eventually(lambda: echo.seen("work done", name=name))

    assert len(done) == 1
    (begun,) = echo.seen("work", name=name)
    assert begun["count"] == 1
    assert begun["inserted"].startswith("20")
    assert eventually(lambda: name not in texts(echo, "echo-work"))


def test_a_message_that_always_fails_is_poison_after_the_last_try(echo: Echo) -> None:
    name = str(uuid.uuid4())
    echo.send_work(name=name, fail=True)

    assert eventually(lambda: name in texts(echo, "echo-work-poison"))

    assert [one["count"] for one in echo.seen("work", name=name)] == [1, 2, 3]
    times = [one["at"] for one in echo.seen("work", name=name)]
    assert all(later - earlier >= 0.9 for earlier, later in pairwise(times))  # visibilityTimeout


def test_a_message_that_is_not_base64_is_poison_at_once(echo: Echo) -> None:
    name = f"<{uuid.uuid4()}>"
    echo.queue("echo-work").send_message(name)
    assert eventually(lambda: any(name == one.content for one in echo.queue("echo-work-poison").peek_messages(32)))


def test_a_message_whose_host_was_killed_comes_back_and_is_run_again(tmp_path: Path) -> None:
    with running_echo(tmp_path) as echo:
        # Given a host in the middle of a message
        echo.send_work(name="long", sleep=2)
        (begun,) = eventually(lambda: echo.seen("work", name="long"))

        # When it is killed
        os.kill(begun["pid"], signal.SIGKILL)

        # Then another host runs the same message again
        (done,) = eventually(lambda: echo.seen("work done", name="long"), seconds=40)
        assert done["pid"] != begun["pid"]
        assert echo.seen("work", name="long")[-1]["count"] == 2


def texts(echo: Echo, queue: str) -> str:
    messages = echo.queue(queue).peek_messages(32)
    return " ".join(_decoded(message.content) for message in messages)


def _decoded(content: str) -> str:
    try:
        return base64.b64decode(content, validate=True).decode()
    except ValueError:
        return content
