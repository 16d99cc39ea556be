"""Fixtures for every room: the whole local stack, started once for all tests that need it."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest

from localcloud.settings import Settings
from localcloud.supervisor import Stack
from tests.localcloud.echo import Echo, running_echo

# No timed assertions: a machine that is busy elsewhere must not fail a property.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")


LONGEST_FIRST = ("sweep", "loop", "localcloud")
"""Folders whose files take longest: begun first, so that at the end no core waits for another's long file."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a folder the order stays."""

    def rank(item: pytest.Item) -> int:
        folder = item.path.parent.name
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)


BRISK = Settings(
    endpoint_seconds=0.3,
    traffic_seconds=0.4,
    deployment_seconds=0.3,
    delete_seconds=0.2,
    job_seconds=0.3,
    ingestion_seconds=0.5,
)
"""Operations that are over when the SDK first asks; one that is not is asked for again only after a whole second."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A local Azure with the real app on it and no policies. Its folder is new, so nothing of another run is in it."""
    with Stack(tmp_path_factory.mktemp("stack") / ".local", settings=BRISK) as running:
        yield running


@pytest.fixture
def sourced(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The stack's `.local/env` in this process's environment, for clients that read it from there."""
    for name, value in stack.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("IDENTITY_SERVER_THUMBPRINT", raising=False)
    return stack.env


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """A stack with the echo app, shared: a test that ends or breaks the host makes its own with `running_echo`."""
    with running_echo(tmp_path_factory.mktemp("echo")) as running:
        yield running
