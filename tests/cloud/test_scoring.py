"""Requests of our own to an endpoint: how they are marked, which are pinned, and what is made of odd answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud.errors import Permanent, Temporary
from cloud.scoring import Scoring
from tests.cloud.wire import Reply, Wire, trusted


@pytest.fixture
def wire(tmp_path: Path) -> Iterator[Wire]:
    with trusted(tmp_path) as running:
        running.reply = Reply(200, b"{}", {"azureml-model-deployment": "green"})
        yield running


@pytest.fixture
def scoring(wire: Wire) -> Iterator[Scoring]:
    with Scoring(f"{wire.url}/score", "the-key") as made:
        yield made


def test_an_answer_of_another_deployment_is_none_of_the_one_that_was_asked(wire: Wire, scoring: Scoring) -> None:
    with pytest.raises(Temporary, match="scoring candidate: green answered in its place"):
        scoring.probe({}, deployment="candidate", probe_id="1", timeout=5)


def test_a_probe_names_its_deployment_and_load_does_not_and_both_are_marked(wire: Wire, scoring: Scoring) -> None:
    probed = scoring.probe({"data": []}, deployment="green", probe_id="0a1b", timeout=5)
    loaded = scoring.load({"data": []}, load_id="0a1b", timeout=5)

    probe, load = wire.headers
    assert (probed.status, probed.deployment, loaded.body) == (200, "green", "{}")
    assert (probe["x-ms-client-request-id"], load["x-ms-client-request-id"]) == ("understudy0a1b", "understudyload0a1b")
    assert (probe["user-agent"], load["user-agent"]) == ("understudy-probe", "understudy-load")
    assert probe["azureml-model-deployment"] == "green"
    assert "azureml-model-deployment" not in load, "a request that names a deployment is never mirrored"
    assert probe["authorization"] == load["authorization"] == "Bearer the-key"


def test_no_answer_is_temporary_and_tells_nothing_of_the_request() -> None:
    with Scoring("https://127.0.0.1:1/score", "k") as nobody, pytest.raises(Temporary) as told:
        nobody.probe({"iban": "DE02"}, deployment="green", probe_id="0", timeout=1)
    assert "DE02" not in told.value.reason


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply(200, b'{"swagger": "2.0"}'), {"swagger": "2.0"}),
        (Reply(200, b"<html>"), None),
        (Reply(404), None),
        (Reply(424), None),
    ],
)
def test_a_deployment_without_a_readable_swagger_document_has_none(
    wire: Wire, scoring: Scoring, reply: Reply, found: object
) -> None:
    wire.reply = reply
    assert scoring.swagger(f"{wire.url}/swagger.json", deployment="green", probe_id="0", timeout=5) == found
    assert wire.headers[0]["azureml-model-deployment"] == "green"


@pytest.mark.parametrize(("status", "kind"), [(401, Permanent), (403, Permanent), (429, Temporary), (503, Temporary)])
def test_an_endpoint_that_does_not_answer_for_its_deployment_is_no_missing_schema(
    wire: Wire, scoring: Scoring, status: int, kind: type[Exception]
) -> None:
    wire.reply = Reply(status)
    with pytest.raises(kind):
        scoring.swagger(f"{wire.url}/swagger.json", deployment="green", probe_id="0", timeout=5)
