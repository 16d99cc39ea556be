"""A hook's answer over a real connection: only 2xx in time is leave, and nothing that it sends is trusted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import jwt
import pytest

from cloud.hooks import Hooks, Said
from cloud.identity import credential
from tests.analysis_cloud import AnalysisCloud
from tests.board import Board, sitting


@pytest.fixture
def board(cloud: AnalysisCloud) -> Iterator[Board]:
    with sitting(cloud.cloud.folder) as found:
        yield found


def asked(url: str, *, audience: str | None = None, seconds: float = 5.0) -> Said:
    return Hooks(credential()).ask(url, {"to": "canary 10 %"}, audience=audience, seconds=seconds)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_leave(board: Board, status: int) -> None:
    board.status = status
    board.answer = b"" if status == 204 else b"CHG-1"
    said = asked(board.url)
    assert said.leave
    assert said.text.startswith(str(status))
    assert board.bodies == [{"to": "canary 10 %"}]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503])
def test_anything_else_is_no_leave_and_is_told_with_its_answer(board: Board, status: int) -> None:
    board.status, board.answer = status, b"not on a Friday"
    assert asked(board.url) == Said(False, f"{status} not on a Friday")


def test_a_redirect_is_no_leave_and_is_not_followed(board: Board, cloud: AnalysisCloud) -> None:
    with sitting(cloud.cloud.folder) as elsewhere:
        board.status, board.location = 307, elsewhere.url
        assert asked(board.url, audience="api://board") == Said(False, "307: redirects are not followed")
        assert elsewhere.bodies == []


def test_of_a_long_answer_the_first_200_characters_are_told_in_one_line_without_control_characters(
    board: Board,
) -> None:
    board.status, board.answer = 403, b"\x1b[2J\xff no\r\n\x00" + b"way" * 1_000_000
    said = asked(board.url)
    assert said.text.startswith("403 [2J� no wayway")
    assert len(said.text) == len("403 ") + 200
    assert said.text.isprintable()


def test_silence_is_no_leave_after_its_time(board: Board) -> None:
    board.silent.set()
    assert asked(board.url, seconds=0.3) == Said(False, "no answer within 0.3 s")


def test_an_answer_that_drips_is_no_leave_after_its_time_and_its_connection_is_ended(board: Board) -> None:
    board.drips = True
    assert asked(board.url, seconds=0.3) == Said(False, "no answer within 0.3 s")
    end = time.monotonic() + 10
    while not board.ended:
        assert time.monotonic() < end, "the connection is still open"


@pytest.mark.parametrize(
    "url", ["https://localhost:1/leave", "https://no-such-host.invalid/leave", "http://localhost:1/"]
)
def test_who_cannot_be_reached_gives_no_leave(url: str) -> None:
    said = asked(url)
    assert not said.leave
    assert said.text


def test_who_has_no_certificate_that_is_trusted_gives_no_leave(board: Board) -> None:
    said = asked(board.url.replace("localhost", "127.0.0.2"))
    assert not said.leave
    assert board.bodies == []


def test_with_an_audience_the_apps_identity_sends_a_token_for_it_and_without_none(board: Board) -> None:
    asked(board.url, audience="api://change-board")
    asked(board.url)
    token, none = board.tokens
    assert none is None
    assert token is not None
    claims = jwt.decode(token.removeprefix("Bearer "), options={"verify_signature": False})
    assert claims["aud"] == "api://change-board"


def test_no_token_no_question(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    credential.cache_clear()
    try:
        said = asked(board.url, audience="api://another-board")
    finally:
        credential.cache_clear()
    assert not said.leave
    assert board.bodies == []
