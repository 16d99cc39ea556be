"""Fixtures for every room: the whole local stack, started once for all tests that need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.supervisor import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local Azure with the real app on it and no policies. Its folder is new, so nothing of another run is in it."""
    with Stack(tmp_path_factory.mktemp("stack") / ".local") as running:
        yield running
