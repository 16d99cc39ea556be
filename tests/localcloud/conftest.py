"""Local stacks for the tests of the local cloud: one with the echo app, one without an app, each started on need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcloud.settings import Settings
from tests.localcloud.echo import Echo, running_echo
from tests.localcloud.orders import Orders

if TYPE_CHECKING:
    from tests.localcloud.arm_cloud import ArmCloud

FAST = Settings(endpoint_seconds=0.2, traffic_seconds=0.4, deployment_seconds=0.2, delete_seconds=0.1, job_seconds=0.1)


@pytest.fixture(scope="session")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Echo]:
    """Shared: a test that ends or breaks the host makes its own with `running_echo`."""
    with running_echo(Path(tmp_path_factory.mktemp("echo"))) as running:
        yield running


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmCloud]:
    """Shared: a local cloud with short operations and no app, and the real azure-ai-ml pointed at it."""
    from tests.localcloud import arm_cloud  # imports azure.ai.ml, which takes seconds

    with arm_cloud.running(tmp_path_factory.mktemp("arm") / ".local", FAST) as cloud:
        yield cloud


@pytest.fixture
def no_sticky_header() -> Iterator[None]:
    """The SDK keeps a pinned deployment's name in a module's dict and sends it with every later call."""
    from azure.ai.ml.constants._endpoint import EndpointInvokeFields

    yield
    EndpointInvokeFields.DEFAULT_HEADER.pop(EndpointInvokeFields.MODEL_DEPLOYMENT, None)


@pytest.fixture
def orders(arm: ArmCloud) -> Iterator[Orders]:
    """Faults of the shared cloud without an app; none are left over."""
    given = Orders(arm.url)
    given.clear()
    yield given
    given.clear()
