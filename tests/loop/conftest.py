"""The world outside of the app, on the one stack of the session; what a test made in it is taken away after the test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from localcloud.supervisor import Stack

if TYPE_CHECKING:
    from tests.loop.world import World


@pytest.fixture(scope="session")
def built(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The users' clients, made once: importing azure.ai.ml takes seconds."""
    from tests.loop.world import World

    with pytest.MonkeyPatch.context() as environment:
        for name, value in stack.env.items():
            environment.setenv(name, value)
        return World(stack, tmp_path_factory.mktemp("models"))


@pytest.fixture
def world(built: World, sourced: dict[str, str]) -> Iterator[World]:
    """The same, with the stack's environment in this process for the time of the test."""
    yield built
    built.tidy()
