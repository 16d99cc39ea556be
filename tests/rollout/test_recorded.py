"""Files of requests: JSON lines or a list, with a limit, and never a word of their content in a message."""

from __future__ import annotations

import json

import pytest

from cloud.errors import Permanent
from rollout.recorded import MOST_REQUESTS, parsed


@pytest.mark.parametrize(
    ("data", "requests"),
    [
        (b'{"a": 1}\n{"a": 2}\n', ({"a": 1}, {"a": 2})),
        (b'\n{"a": 1}\r\n\r\n{"a": 2}', ({"a": 1}, {"a": 2})),
        (b'[{"a": 1},\n {"a": 2}]', ({"a": 1}, {"a": 2})),
        (b"[1, 2]\n[3, 4]\n", ([1, 2], [3, 4])),
        (b'\xef\xbb\xbf{"a": 1}', ({"a": 1},)),
        ('"größer"'.encode(), ("größer",)),
    ],
    ids=["lines", "blank lines", "a list", "lines that are lists", "with a byte order mark", "one value"],
)
def test_lines_and_lists_of_requests_are_read(data: bytes, requests: tuple[object, ...]) -> None:
    assert parsed(data, "x.jsonl") == requests


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "holds no request"),
        (b"[]", "holds no request"),
        (b"\xff\xfe", "is not UTF-8"),
        (b'{"a": 1}\n{"iban": "DE02', "line 2: no JSON"),
        (json.dumps(list(range(MOST_REQUESTS + 1))).encode(), f"at most {MOST_REQUESTS}"),
    ],
)
def test_any_other_file_is_refused_with_its_name_and_without_its_content(data: bytes, words: str) -> None:
    with pytest.raises(Permanent, match=words) as refused:
        parsed(data, "azureml://datastores/d/paths/x.jsonl")
    assert "azureml://datastores/d/paths/x.jsonl" in refused.value.reason
    assert "DE02" not in refused.value.reason
