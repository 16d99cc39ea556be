"""The world outside of the app, on the session's one stack; what a test made in it is taken away afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from localcloud.supervisor import Stack
from tests.loop.stories import Told, telling

if TYPE_CHECKING:
    from tests.loop.world import World


@contextmanager
def sourced_into_this_process(stack: Stack) -> Iterator[None]:
    """The stack's environment in this process."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in stack.env.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def built(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The users' clients, made once: importing azure.ai.ml takes seconds."""
    from tests.loop.world import World

    with sourced_into_this_process(stack):
        return World(stack, tmp_path_factory.mktemp("models"))


@pytest.fixture
def world(built: World, stack: Stack) -> Iterator[World]:
    """The same, with the stack's environment in this process for the time of the test."""
    with sourced_into_this_process(stack):
        yield built
        built.tidy()


@pytest.fixture(scope="module")
def lasting(built: World, stack: Stack) -> Iterator[World]:
    """A world whose sites last as long as the module's tests, for those that change nothing or run at once."""
    made = built.another()
    with sourced_into_this_process(stack):
        yield made
        made.tidy()


@pytest.fixture(scope="module")
def told(lasting: World, request: pytest.FixtureRequest) -> Iterator[Told]:
    """The module's stories, all under way."""
    with telling(lasting, request.session.items, request.module.__name__) as begun:
        yield begun
