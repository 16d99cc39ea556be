"""A local Azure without the app, in whose environment the doctor is asked as on a shell."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.localcloud.conftest import FAST
from tests.localcloud.orders import Orders

if TYPE_CHECKING:
    from tests.doctor.patient import Patient


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """One endpoint with a live deployment, shared: each test says what ails it and takes that away again."""
    from tests.doctor.patient import Patient
    from tests.localcloud import arm_cloud  # imports azure.ai.ml, which takes seconds

    settings = dataclasses.replace(FAST, ingestion_seconds=0.1, quota_cores=100)
    with arm_cloud.running(tmp_path_factory.mktemp("doctor") / ".local", settings) as cloud:
        yield Patient(cloud, tmp_path_factory.mktemp("policies"))


@pytest.fixture
def patient(built: Patient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Patient]:
    """The same, with the app's environment in this process, and no faults left over."""
    for name, value in built.cloud.env.items():
        monkeypatch.setenv(name, value)
    orders = Orders(built.cloud.url)
    orders.clear()
    yield built
    orders.clear()


@pytest.fixture
def orders(patient: Patient) -> Orders:
    """What goes wrong on order."""
    return Orders(patient.cloud.url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For files of a test's own."""
    return tmp_path
