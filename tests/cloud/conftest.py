"""The wire of the tests here, trusted by this process's clients for the time of a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.wire import Wire, trusted


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    with trusted(tmp_path) as running:
        yield running
