"""`python -m policy doctor` of the gates beside the requests: cost and drift."""

from __future__ import annotations

import pytest

from tests.doctor.patient import Patient
from tests.localcloud.arm_cloud import SIZE
from tests.localcloud.orders import Orders

COST = "gates: {cost: {max_ratio: 1.5}}"
DRIFT = "gates: {drift: {max_share: 0.3}}\nexport: {source: log_analytics}\ndrift:"
Out = pytest.CaptureFixture[str]


def test_machines_that_cost_what_lives_do_pass_and_no_price_is_asked_for(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    orders.give("http", match="GET /api/retail/prices", times=9, status=503)

    told = patient.ask(capsys, more=COST)

    assert told.of("gate cost")[0] == "ok"
    assert "(x 1.00); safe up to x 1.50" in told.of("gate cost")[1]


def test_a_deployment_that_would_cost_too_much_is_told_before_it_is_made(patient: Patient, capsys: Out) -> None:
    told = patient.ask(capsys, more=COST, deployment="{instance_count: 4}")

    assert told.failing == {"gate cost"}
    assert f"4 x {SIZE}, live 1 x {SIZE} (x 4.00)" in told.of("gate cost")[1]
    assert "raise gates.cost.max_ratio" in told.of("gate cost")[2]


def test_a_price_that_cannot_be_read_is_told_with_where_it_is_asked_for(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    orders.give("http", match="GET /api/retail/prices", times=9, status=503)

    told = patient.ask(capsys, more=COST, deployment="{instance_type: Standard_DS3_v2}")

    assert "gate cost" in told.failing
    assert told.of("gate cost")[2].startswith("let the app reach https://")


def test_a_baseline_that_is_not_there_is_told(patient: Patient, capsys: Out) -> None:
    nowhere = "azureml://datastores/workspaceblobstore/paths/nowhere/reference.parquet"

    told = patient.ask(capsys, more=f"{DRIFT} {{baseline: '{nowhere}'}}")

    assert told.failing == {"gate drift: baseline"}
    assert told.of("gate drift: baseline")[2].startswith("put the file there")


def test_traffic_whose_drift_was_never_measured_is_told_and_stops_nobody_from_asking(
    patient: Patient, capsys: Out
) -> None:
    told = patient.ask(capsys, more=f"{DRIFT} {{every: 1h}}")

    assert (told.status, told.of("gate drift: baseline")[0], told.of("gate drift")[0]) == (0, "ok", "warn")
    assert "a version waits at its first step" in told.of("gate drift")[1]
