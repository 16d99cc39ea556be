"""A tour of the local Azure with nothing but the unpatched SDKs, as a user's own first script would be.

    set -a; . .local/env; set +a
    .venv/bin/python localcloud/example/first_script.py

It prints one JSON line a step ({"step", "seconds", ...}) and ends with 1 at the first that fails. Whatever it made is
deleted. Only two settings here would differ on Azure: `cloud=` of MLClient, and the endpoints of the two query clients.
"""

import json
import logging
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import requests
from azure.ai.ml import Input, MLClient, Output, command, dsl, entities
from azure.identity import ManagedIdentityCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
from azure.monitor.query import LogsQueryClient, LogsQueryResult
from azure.monitor.querymetrics import MetricsClient
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor

CODE = Path(__file__).parent / "code"
ENVIRONMENT = entities.Environment(image="mcr.microsoft.com/azureml/minimal-ubuntu22.04-py39-cpu-inference:latest")
WORK = Path(tempfile.mkdtemp(prefix="first-script-"))
TAG = uuid.uuid4().hex[:6]
ENDPOINT, BATCH, MODEL, TRAINED = f"first-{TAG}", f"first-batch-{TAG}", f"credit-{TAG}", f"trained-{TAG}"
ROW = {"LIMIT_BAL": 20000.5, "SEX": "male", "AGE": 30}
REQUESTS = 20

T = TypeVar("T")
ENV = os.environ
CREDENTIAL = ManagedIdentityCredential()
CLOUD: dict[str, Any] = {
    "cloud": ENV["AZUREML_CLOUD_NAME"],
    "cloud_metadata": json.loads(ENV["AZUREML_CLOUD_METADATA"]),
}
ml = MLClient(CREDENTIAL, ENV["SUBSCRIPTION_ID"], ENV["RESOURCE_GROUP"], ENV["WORKSPACE"], **CLOUD)
registry = MLClient(CREDENTIAL, registry_name=ENV["REGISTRY"], **CLOUD)
logs = LogsQueryClient(CREDENTIAL, endpoint=ENV["LOCALCLOUD_URL"], audience="https://api.loganalytics.io")
metrics = MetricsClient(ENV["LOCALCLOUD_URL"], CREDENTIAL)


def create_endpoint() -> dict[str, Any]:
    made = ml.online_endpoints.begin_create_or_update(
        entities.ManagedOnlineEndpoint(name=ENDPOINT, auth_mode="key")
    ).result()
    return {"state": made.provisioning_state, "scoring_uri": made.scoring_uri}


def register_in_registry() -> dict[str, Any]:
    made = [registry.models.create_or_update(new_model(MODEL, version)) for version in ("1", "2")]
    return {"ids": [model.id for model in made]}


def deploy_from_registry() -> dict[str, Any]:
    return {"states": {"blue": deploy("blue", "1", "old"), "green": deploy("green", "2", "new")}}


def deploy(name: str, version: str, console_format: str) -> Any:
    """The console format is this cloud's switch for "an image of then" or "of now"; Azure takes no notice of it."""
    deployment = entities.ManagedOnlineDeployment(
        name=name,
        endpoint_name=ENDPOINT,
        model=f"azureml://registries/{ENV['REGISTRY']}/models/{MODEL}/versions/{version}",
        code_configuration=entities.CodeConfiguration(code=str(CODE), scoring_script="score.py"),
        environment=ENVIRONMENT,
        environment_variables={
            "SERVICE_NAME": f"online/{MODEL}/{version}",
            "LOCALCLOUD_CONSOLE_FORMAT": console_format,
        },
        instance_type="Standard_F2s_v2",
        instance_count=1,
    )
    return ml.online_deployments.begin_create_or_update(deployment).result().provisioning_state


def set_traffic_and_mirror() -> dict[str, Any]:
    endpoint = ml.online_endpoints.get(ENDPOINT)
    endpoint.traffic, endpoint.mirror_traffic = {"blue": 100}, {"green": 50}
    ml.online_endpoints.begin_create_or_update(endpoint).result()
    endpoint = ml.online_endpoints.get(ENDPOINT)
    return {"traffic": endpoint.traffic, "mirror": endpoint.mirror_traffic}


def invoke() -> dict[str, Any]:
    """By HTTP, because the SDK's invoke shows no headers, and keeps a deployment's name once it was given one."""
    uri = ml.online_endpoints.get(ENDPOINT).scoring_uri
    key = ml.online_endpoints.get_keys(ENDPOINT).primary_key
    headers = {"Authorization": f"Bearer {key}"}
    counts: dict[str, Counter[str]] = {"unpinned": Counter(), "pinned": Counter()}
    for kind, pin in (("unpinned", {}), ("pinned", {"azureml-model-deployment": "green"})):
        for _ in range(REQUESTS):
            answer = requests.post(uri, json={"data": [ROW]}, headers={**headers, **pin}, timeout=30)
            counts[kind][f"{answer.headers.get('azureml-model-deployment')} {answer.status_code}"] += 1
    file = WORK / "request.json"
    file.write_text(json.dumps({"data": [ROW, ROW]}))
    return {**counts, "by_sdk": json.loads(ml.online_endpoints.invoke(ENDPOINT, request_file=str(file)))}


def get_logs() -> dict[str, Any]:
    """What a container prints is there a moment later."""
    lines = until(
        lambda: ml.online_deployments.get_logs("blue", ENDPOINT, lines=10).splitlines(),
        lambda lines: len(lines) == 10 and "OutputData" in lines[-1],
    )
    return {"lines": len(lines), "last": lines[-1]}


def query_tables() -> dict[str, Any]:
    """Rows need a moment to show (`ingestion_seconds`); so does Azure, more of them."""
    found: dict[str, Any] = {}
    for table, more_than in (("TrafficLog", REQUESTS), ("ConsoleLog", 2 * REQUESTS + 1), ("EventLog", 0)):
        kql = f"""AmlOnlineEndpoint{table} | where _ResourceId endswith '/onlineendpoints/{ENDPOINT}'
            | summarize rows = count() by DeploymentName"""
        for name in ("blue", "green"):
            counted = partial(lambda kql, name: dict(query(kql)["rows"]).get(name, 0), kql, name)
            found.setdefault(table, {})[name] = until(counted, partial(int.__lt__, more_than))
    return found


def query_console_log() -> dict[str, Any]:
    """The example scenario's query. It splits at `|`: only the old images' format has that."""
    return query(
        f"""AmlOnlineEndpointConsoleLog
        | where TimeGenerated > ago (1d)
        | where Message has 'online/{MODEL}/1' and Message has 'InputData'
        | project TimeGenerated, ResponsePayload=split(Message, '|')
        | project TimeGenerated, InputData=parse_json(tostring(ResponsePayload[-1])).data
        | project TimeGenerated, InputData=parse_json(tostring(InputData))
        | mv-expand InputData
        | evaluate bag_unpack(InputData)"""
    )


def query_drift() -> dict[str, Any]:
    """Sent as the example scenario's drift job does, read with its two queries (by workspace: AppTraces)."""
    feature = {"drift_detected": True, "feature_type": "num", "stattest_name": "ks"}
    send_trace("OverallDriftMetrics", {"n_features": 3, "n_drifted_features": 1, "dataset_drift": False})
    send_trace("FeatureDriftMetrics", [{"feature_name": n, "drift_score": 0.01, **feature} for n in ("AGE", "SEX")])
    wanted = f"AppTraces | where Message has '{MODEL}' and Message has"
    data = "project TimeGenerated, data=parse_json(tostring(Message)).data"
    overall = f"{wanted} 'OverallDriftMetrics' | {data} | evaluate bag_unpack(data)"
    features = f"{wanted} 'FeatureDriftMetrics' | {data} | mv-expand data | evaluate bag_unpack(data)"
    return {
        "overall": until(lambda: query(overall), lambda answer: len(answer["rows"]) >= 1),
        "features": until(lambda: query(features), lambda answer: len(answer["rows"]) >= 2),
    }


def read_metrics() -> dict[str, Any]:
    """Points are one of Azure's minutes apart (`minute_seconds`); where nothing happened there is none."""
    workspace = f"/subscriptions/{ENV['SUBSCRIPTION_ID']}/resourceGroups/{ENV['RESOURCE_GROUP']}/providers"
    workspace += f"/Microsoft.MachineLearningServices/workspaces/{ENV['WORKSPACE']}"

    def read() -> dict[str, dict[str, list[float]]]:
        (found,) = metrics.query_resources(
            resource_ids=[f"{workspace}/onlineEndpoints/{ENDPOINT}"],
            metric_namespace="Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
            metric_names=["RequestsPerMinute", "RequestLatency_P95"],
            timespan=timedelta(minutes=30),
            granularity=timedelta(minutes=1),
            aggregations=["Average"],
            filter="deployment eq '*'",
        )
        return {
            metric.name: {
                series.metadata_values["deployment"]: [p.average for p in series.data if p.average is not None]
                for series in metric.timeseries
            }
            for metric in found.metrics
        }

    return until(read, lambda values: len(values) == 2 and all({"blue", "green"} <= {*v} for v in values.values()))


def run_pipeline() -> dict[str, Any]:
    train = command(
        code=str(CODE),
        command="python train.py ${{inputs.data}} ${{outputs.model}}",
        inputs={"data": Input(type="uri_folder")},
        outputs={"model": Output(type="custom_model")},
        environment=ENVIRONMENT,
    )

    @dsl.pipeline
    def pipeline(data: Input) -> dict[str, Any]:
        outputs: Any = train(data=data).outputs
        return {"model": outputs.model}

    ordered = pipeline(data=Input(type="uri_folder", path=str(rows_folder())))
    ordered.settings = entities.PipelineJobSettings(default_compute="cpu-cluster")
    job = ml.jobs.create_or_update(ordered)
    status = ended(job.name)
    path = f"azureml://jobs/{job.name}/outputs/model"
    model = ml.models.create_or_update(entities.Model(name=TRAINED, version="1", path=path, type="custom_model"))
    return {"status": status, "model": model.id}


def share_model() -> dict[str, Any]:
    ml.models.share(TRAINED, "1", registry_name=ENV["REGISTRY"], share_with_name=TRAINED, share_with_version="1")
    return {"id": registry.models.get(TRAINED, "1").id}


def score_a_batch() -> dict[str, Any]:
    ml.batch_endpoints.begin_create_or_update(entities.BatchEndpoint(name=BATCH)).result()
    deployment = entities.ModelBatchDeployment(
        name="first",
        endpoint_name=BATCH,
        model=f"azureml:{TRAINED}:1",
        compute="cpu-cluster",
        code_configuration=entities.CodeConfiguration(code=str(CODE), scoring_script="batch_score.py"),
        environment=ENVIRONMENT,
        settings=entities.ModelBatchDeploymentSettings(mini_batch_size=1, output_file_name="predictions.csv"),
    )
    ml.batch_deployments.begin_create_or_update(deployment).result()
    endpoint = ml.batch_endpoints.get(BATCH)
    endpoint.defaults = {"deployment_name": "first"}
    ml.batch_endpoints.begin_create_or_update(endpoint).result()
    job = ml.batch_endpoints.invoke(BATCH, inputs={"rows": Input(type="uri_folder", path=str(rows_folder()))})
    status = ended(job.name)
    ml.jobs.download(job.name, download_path=WORK / "batch", output_name="score")
    (file,) = (WORK / "batch").rglob("predictions.csv")
    return {"status": status, "predictions": file.read_text().splitlines()}


def delete() -> dict[str, Any]:
    """Models cannot be deleted with azure-ai-ml: they are archived."""
    ml.batch_endpoints.begin_delete(BATCH).result()
    ml.online_endpoints.begin_delete(ENDPOINT).result()
    for client, name in ((registry, MODEL), (registry, TRAINED), (ml, TRAINED)):
        for model in list(client.models.list(name=name)):
            client.models.archive(name=name, version=model.version)
    return {"online": names_like_ours(ml.online_endpoints.list()), "batch": names_like_ours(ml.batch_endpoints.list())}


def new_model(name: str, version: str) -> entities.Model:
    folder = WORK / f"{name}-{version}"
    folder.mkdir()
    (folder / "model.json").write_text(json.dumps({"bias": -int(version), "slope": 0.02}))
    return entities.Model(name=name, version=version, path=str(folder), type="custom_model")


def rows_folder() -> Path:
    folder = WORK / "rows"
    folder.mkdir(exist_ok=True)
    (folder / "rows.csv").write_text("AGE\n20\n30\n40\n")
    return folder


def query(kql: str) -> dict[str, Any]:
    try:
        answer = logs.query_workspace(ENV["LOG_ANALYTICS_WORKSPACE_ID"], kql, timespan=timedelta(days=1))
    except json.JSONDecodeError:  # what the SDK makes of a 204: this workspace never got a row yet
        return {"columns": {}, "rows": []}
    if not isinstance(answer, LogsQueryResult):
        raise RuntimeError(f"only a part of the rows came: {answer.partial_error}")
    table = answer.tables[0]
    columns = dict(zip(table.columns, table.columns_types, strict=True))
    return {"columns": columns, "rows": [list(row) for row in table.rows]}


def send_trace(kind: str, data: Any) -> None:
    exporter = AzureMonitorLogExporter(
        connection_string=ENV["APPLICATIONINSIGHTS_CONNECTION_STRING"], disable_offline_storage=True
    )
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = logging.Logger("drift", logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.info(json.dumps({"model_name": MODEL, "type": kind, "data": data}))
    provider.shutdown()


def ended(job: str) -> Any:
    return until(lambda: ml.jobs.get(job).status, lambda status: status in ("Completed", "Failed", "Canceled"))


def until(read: Callable[[], T], good: Callable[[T], bool], seconds: float = 30) -> T:
    """Read until it is good; what was read last, when the time is up."""
    deadline = time.monotonic() + seconds
    while not good(value := read()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return value


def names_like_ours(endpoints: Any) -> list[str]:
    return [endpoint.name for endpoint in endpoints if endpoint.name in (ENDPOINT, BATCH)]


STEPS: tuple[Callable[[], dict[str, Any]], ...] = (
    create_endpoint, register_in_registry, deploy_from_registry, set_traffic_and_mirror, invoke, get_logs, query_tables,
    query_console_log, query_drift, read_metrics, run_pipeline, share_model, score_a_batch,
)  # fmt: skip


def main() -> int:
    try:
        return 0 if all(told(step) for step in STEPS) else 1
    finally:
        told(delete)
        shutil.rmtree(WORK)


def told(step: Callable[[], dict[str, Any]]) -> bool:
    """Do it and print its line. The SDK prints dots and progress bars of its own: they go to stderr."""
    started = time.monotonic()
    try:
        with redirect_stdout(sys.stderr):
            result = step()
    except Exception as error:
        result = {"error": f"{type(error).__name__}: {error}"}
    line = {"step": step.__name__, "seconds": round(time.monotonic() - started, 2), **result}
    print(json.dumps(line, default=str), flush=True)
    return "error" not in result


if __name__ == "__main__":
    sys.exit(main())
