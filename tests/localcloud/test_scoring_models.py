"""What can be served: scoring scripts, MLflow folders and bare scikit-learn files, and what their scorers log."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pandas
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from localcloud.seams import ServingFailed
from tests.localcloud.scoring_stand import Stand, eventually, scoring_stand

TABLE = pandas.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "limit": [1.0, 0.0, 1.0, 0.0]})
ROW = {"limit": 1, "age": 20, "not_a_feature": "x"}
MLMODEL = "flavors:\n  sklearn:\n    pickled_model: model.pkl\n    sklearn_version: 1.9.1\n"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with scoring_stand(tmp_path_factory.mktemp("models")) as running:
        yield running


@pytest.fixture(scope="module")
def classifier() -> LogisticRegression:
    return LogisticRegression().fit(TABLE, [0, 0, 1, 1])


def serve(stand: Stand, name: str, **spec: Any) -> None:
    stand.deploy(name, name, script=None, **spec)
    stand.route(name, {name: 100})


def logged(stand: Stand, deployment: str, kind: str) -> list[dict[str, Any]]:
    rows = stand.rows("ConsoleLog", DeploymentName=deployment)
    records = [json.loads(row["Message"].split(" - ", 1)[1]) for row in rows if " - {" in row["Message"]]
    return [record for record in records if record["type"] == kind]


def test_a_two_class_classifier_answers_the_probability_of_the_second(
    stand: Stand, classifier: LogisticRegression
) -> None:
    serve(stand, "classifier", model_path=stand.model(classifier))

    reply = stand.post("classifier", json.dumps({"data": [ROW, {"age": 50, "limit": 0}]}))

    expected = classifier.predict_proba(pandas.DataFrame({"age": [20, 50], "limit": [1, 0]}))[:, 1]
    assert json.loads(reply.text) == {"predictions": pytest.approx(expected.tolist())}


def test_a_regressor_without_feature_names_answers_what_it_predicts(stand: Stand) -> None:
    regressor = LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])
    serve(stand, "regressor", model_path=stand.model(regressor, "artifacts/model.joblib"))

    reply = stand.post("regressor", '{"data": [{"x": 2.0}, {"x": 3.0}]}')

    assert json.loads(reply.text) == {"predictions": pytest.approx([4.0, 6.0])}


def test_input_and_output_are_logged_as_the_example_scenario_does(stand: Stand, classifier: LogisticRegression) -> None:
    serve(stand, "logs", model_path=stand.model(classifier), model_name="credit", model_version="7")

    reply = stand.post("logs", json.dumps({"data": [ROW]}))

    [output] = eventually(lambda: logged(stand, "logs", "OutputData"))
    [given] = logged(stand, "logs", "InputData")
    assert given["service_name"] == output["service_name"] == "online/credit/7"
    assert given["request_id"] == output["request_id"] == reply.headers["x-request-id"]
    assert json.loads(given["data"]) == [ROW]
    assert output["data"] == json.loads(reply.text)["predictions"]
    assert logged(stand, "logs", "InitializeService")


def test_many_rows_are_logged_in_parts_below_8_kb_that_keep_rows_and_predictions_together(
    stand: Stand, classifier: LogisticRegression
) -> None:
    serve(stand, "parts", model_path=stand.model(classifier))
    rows = [{"age": number, "limit": 1, "text": 'a "quoted" \\ text'} for number in range(300)]

    reply = stand.post("parts", json.dumps({"data": rows}))

    answered = json.loads(reply.text)["predictions"]
    eventually(lambda: sum(len(part["data"]) for part in logged(stand, "parts", "OutputData")) == len(answered))
    outputs = logged(stand, "parts", "OutputData")
    inputs = logged(stand, "parts", "InputData")
    assert max(len(row["Message"]) for row in stand.rows("ConsoleLog", DeploymentName="parts")) < 8192
    assert len(inputs) > 2
    assert [row for part in inputs for row in json.loads(part["data"])] == rows
    assert [value for part in outputs for value in part["data"]] == answered
    assert [len(json.loads(part["data"])) for part in inputs] == [len(part["data"]) for part in outputs]
    assert [(part["part"], part["parts"]) for part in inputs] == [(n + 1, len(inputs)) for n in range(len(inputs))]


def test_a_body_that_cannot_be_scored_is_424_and_logged_as_an_exception(
    stand: Stand, classifier: LogisticRegression
) -> None:
    serve(stand, "wrong", model_path=stand.model(classifier))

    reply = stand.post("wrong", '{"data": [{"age": 1}]}')

    assert reply.status == 424
    [record] = eventually(lambda: logged(stand, "wrong", "Exception"))
    assert record["error"] == "KeyError('limit')"
    assert record["request_id"] == reply.headers["x-request-id"]


def test_an_mlflow_folder_takes_a_frame_and_answers_a_list(stand: Stand, classifier: LogisticRegression) -> None:
    folder = stand.model(classifier, "artifact/model.pkl")
    (folder / "artifact" / "MLmodel").write_text(MLMODEL)
    serve(stand, "mlflow", model_path=folder)

    frame = {"columns": ["age", "limit"], "index": [0, 1], "data": [[20, 1], [50, 0]]}
    reply = stand.post("mlflow", json.dumps({"input_data": frame}))

    assert json.loads(reply.text) == [0, 1]
    assert stand.post("mlflow", json.dumps({"data": [ROW]})).status == 200


def test_a_score_py_inside_the_model_is_used_and_finds_its_model_as_on_azure(stand: Stand) -> None:
    folder = stand.folder / "with-script"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "weights.pkl").write_bytes(pickle.dumps(41))
    (folder / "model" / "score.py").write_text(
        "import os, pickle\n"
        "def init():\n    global value\n"
        "    value = pickle.load(open(os.path.join(os.environ['AZUREML_MODEL_DIR'], 'model', 'weights.pkl'), 'rb'))\n"
        "def run(raw_data): return value + int(raw_data)\n"
    )
    serve(stand, "script", model_path=folder)

    assert stand.post("script", "1").text == "42"


def test_a_script_reads_modules_beside_it_and_the_headers_it_asks_for(stand: Stand) -> None:
    code = stand.script(
        "import helper\ndef init(): pass\ndef run(raw, request_headers): return helper.f(request_headers)\n"
    )
    (code / "helper.py").write_text(
        "def f(headers): return {k.lower(): v for k, v in headers.items()}.get('x-custom')\n"
    )
    serve(stand, "headers", code_path=code, scoring_script="score.py")

    assert stand.post("headers", x_custom="seen").text == '"seen"'


def test_a_model_with_nothing_to_serve_says_what_was_expected(stand: Stand) -> None:
    with pytest.raises(ServingFailed, match="Nothing to serve"):
        serve(stand, "nothing")


def test_a_script_without_run_is_refused(stand: Stand) -> None:
    with pytest.raises(ServingFailed, match=r"has no run\(\) function"):
        stand.deploy("norun", "norun", "def init(): pass\n")


DOCUMENT = {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": []}}}}


def test_each_deployment_has_a_swagger_document_its_own_or_one_that_knows_no_inputs(stand: Stand) -> None:
    plain = "def init(): pass\ndef run(raw_data): return 1\n"
    stand.deploy("docs", "plain", plain)
    code = stand.script(plain)
    (code / "swagger.json").write_text(json.dumps(DOCUMENT))
    stand.deploy("docs", "own", script=None, code_path=code, scoring_script="score.py")
    stand.route("docs", {"plain": 100})

    assert json.loads(stand.swagger("docs", "own").text) == DOCUMENT
    generated = json.loads(stand.swagger("docs", "plain").text)
    assert generated["definitions"]["ServiceInput"] == {"type": "object", "example": {}}
    assert json.loads(stand.swagger("docs", "own", "?version=3").text)["openapi"].startswith("3.")
    assert stand.swagger("docs", "own", "?version=9").status != 200
