"""The demo's clients, its referee and what it shows: all that must be right for its summary to be believed."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo import data
from demo.client import Answer, LiveTraffic
from demo.referee import Reading, wrong_answers
from demo.stack import read_env
from demo.timeline import Timeline, bar
from demo.watch import Now, Rollout, StoryFailed, Watch
from policy.load import load as load_policy
from tests.web_server import Handler, serving

# Clients


@contextmanager
def endpoint(reply: Callable[[int], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """A scoring address whose n-th request is answered by reply(n)."""
    counter = iter(range(1_000_000))

    class Scoring(Handler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, answer = reply(next(counter))
            if status == 0:
                self.close_connection = True
                return
            answer = answer or json.dumps({"predictions": [0.5] * len(body["data"])}).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(answer))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

    with serving(Scoring) as address:
        yield f"{address}/credit-default/score"


def send(reply: Callable[[int], tuple[int, dict[str, str], bytes]], *, at_least: int) -> LiveTraffic:
    with endpoint(reply) as url:
        traffic = LiveTraffic(url, "key", [{"age": 30}], tls=None, rate=200)
        traffic.start()
        deadline = time.monotonic() + 10
        while traffic.counts().sent < at_least and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        traffic.stop()
    return traffic


BLUE = {"azureml-model-deployment": "blue"}


def test_clients_count_every_answer_and_remember_who_gave_it() -> None:
    traffic = send(lambda n: (200, BLUE, b""), at_least=40)
    assert traffic.counts().failed == 0
    assert {answer.deployment for answer in traffic.answers()} == {"blue"}


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        ((503, BLUE, b"busy"), "status 503"),
        ((404, {}, b"no deployment"), "status 404"),
        ((0, {}, b""), "no answer: RemoteDisconnected"),
        ((200, {}, b""), "answer without azureml-model-deployment"),
        ((200, BLUE, b"<html>"), "answer is not the model's"),
        ((200, BLUE, b'{"predictions": []}'), "answer has the wrong number of predictions"),
    ],
)
def test_clients_count_every_kind_of_failure(reply: tuple[int, dict[str, str], bytes], failure: str) -> None:
    traffic = send(lambda n: reply if n == 10 else (200, BLUE, b""), at_least=30)
    assert traffic.counts().failed == 1
    assert traffic.failures() == {failure: 1}


# The referee


def readings(*splits: Mapping[str, int]) -> list[Reading]:
    """One reading a second, from second 0."""
    return [Reading(float(second), split) for second, split in enumerate(splits)]


OLD = {"old": 100}
SPLIT = {"old": 80, "new": 20}


@pytest.mark.parametrize(
    ("splits", "sent", "is_wrong"),
    [
        ((OLD, OLD, OLD, OLD), 1.6, True),
        ((OLD, SPLIT, SPLIT, OLD), 1.6, False),
        ((OLD, OLD, SPLIT, SPLIT), 1.6, False),  # just before the share was seen: within the grace
        ((SPLIT, SPLIT, OLD, OLD, OLD, OLD), 3.6, True),
        ((OLD, OLD), 5.0, False),  # after the last reading: not judged
    ],
)
def test_an_answer_is_wrong_only_when_its_deployment_had_no_share_around_it(
    splits: tuple[Mapping[str, int], ...], sent: float, is_wrong: bool
) -> None:
    answer = Answer(sent, sent + 0.05, "new")
    assert wrong_answers([answer], readings(*splits)) == ([answer] if is_wrong else [])


def test_an_answer_that_failed_has_no_deployment_and_is_not_judged() -> None:
    assert wrong_answers([Answer(1.5, 1.6, None, "status 503")], readings(OLD, OLD, OLD)) == []


# What is shown


def test_the_bar_shows_shares_versions_and_the_mirror() -> None:
    now = Now(0.0, Rollout(), {"m-1-aaa": 75, "m-2-bbb": 25, "gone": 0}, {"m-3-ccc": 20})
    shown = bar(now, {"m-1-aaa": "1", "m-2-bbb": "2"})
    assert shown == f"[{'█' * 30}{'▓' * 10}] █ v1 75 %  ▓ v2 25 %  + 20 % copied to m-3-ccc"


def test_without_a_terminal_the_timeline_is_plain_lines() -> None:
    stream = io.StringIO()
    timeline = Timeline(stream)
    timeline.start()
    timeline.story("a. one")
    timeline.say("it happened")
    timeline.stop()
    assert stream.getvalue().splitlines() == ["0:00  ▶ a. one", "0:00  it happened"]


# The rest of the house


def test_the_stacks_environment_file_is_read_as_a_shell_would() -> None:
    text = 'A=plain\nB=\'{"x": "y z"}\'\n# a comment\nC=k==\n'
    assert read_env(text) == {"A": "plain", "B": '{"x": "y z"}', "C": "k=="}


def test_the_demos_policy_is_a_good_policy() -> None:
    file = Path(data.__file__).parent / "policy" / "credit-default.yaml"
    policy = load_policy(file.read_text(), str(file))
    assert policy.drift is not None
    assert policy.drift.features == data.feature_kinds()


def test_a_wait_ends_at_once_when_nothing_can_be_expected_any_more() -> None:
    unused: Any = None  # the watch is never started
    watch = Watch(unused, unused, "/unused", "/unused", failure=lambda: "the stack ended")
    with pytest.raises(StoryFailed, match="the stack ended"):
        watch.wait_until("something", lambda _: False, seconds=30)
