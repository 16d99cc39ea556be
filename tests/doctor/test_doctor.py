"""`python -m policy doctor`: each check passes where all is well, and fails, with what mends it, where it is not.

Every test asks through the command line, and the checks ask a local Azure by Azure's own calls.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from cloud.blobs import Blobs
from cloud.identity import credential
from localcloud.monitor.diagnostics import GIVEN
from localcloud.monitor.log_workspace import log_workspace_id
from policy.__main__ import main
from rollout.phases import Phase
from rollout.store import Store
from tests.doctor.patient import Patient, until
from tests.localcloud.arm_cloud import SIZE, new_name
from tests.localcloud.orders import Orders
from tests.rollout.world import standing

CHECKS = [
    "storage: blobs",
    "storage: queues",
    "endpoint",
    "traffic",
    "rights on the endpoint",
    "rights on the workspace",
    "rights on autoscale settings",
    "rights on metrics",
    "model",
    "deployments",
    "instance type",
    "quota",
    "autoscale",
    "diagnostic setting",
    "query requests.kql",
    "query pairs_by_request.kql",
    "query pairs_by_input.kql",
    "log rows",
    "query of export",
    "request ids",
    "alerts",
]
EXPORT = "export: {source: log_analytics}"
Out = pytest.CaptureFixture[str]


def test_a_policy_with_everything_in_place_passes_every_check(patient: Patient, capsys: Out) -> None:
    patient.score(5, {"x-ms-client-request-id": "client1"})
    until(lambda: "of 5 requests" in patient.ask(capsys).of("request ids")[1])

    told = patient.ask(capsys, more=EXPORT)

    assert (told.status, told.failing, told.body["ok"]) == (0, set(), True)
    assert list(told.checks) == CHECKS
    assert {name for name, one in told.checks.items() if one["outcome"] != "ok"} == {"alerts"}
    assert told.of("query pairs_by_request.kql")[1] == "it runs; 1 row: pairs 5, agreed 5"
    assert told.of("query of export")[1] == "it runs; 10 rows", "never what somebody sent to the model"
    assert "speaks of 5 by their x-request-id; 5 came with" in told.of("request ids")[1]


@pytest.mark.parametrize(
    ("scope", "lacking", "check", "mended"),
    [
        ("/onlineEndpoints/[^/]+$", "*/write", "rights on the endpoint", "--role 'AzureML Data Scientist' --scope"),
        ("/onlineEndpoints/[^/]+$", "*/listKeys/action", "rights on the endpoint", "'AzureML Data Scientist'"),
        ("/workspaces/[^/]+$", "*/models/*/read", "rights on the workspace", "--role 'AzureML Data Scientist'"),
        ("/resourceGroups/[^/]+$", "*/autoscaleSettings/*", "rights on autoscale settings", "az role definition"),
    ],
)
def test_a_missing_right_is_named_with_the_role_that_gives_it(
    patient: Patient, orders: Orders, capsys: Out, scope: str, lacking: str, check: str, mended: str
) -> None:
    orders.give("role.missing", match=scope, actions=[lacking])

    told = patient.ask(capsys)

    outcome, seen, mend = told.of(check)
    assert (told.status, told.failing, outcome) == (1, {check}, "fail")
    assert lacking.strip("*/").split("/")[0] in seen
    assert mended in mend
    object_id = told.body["as"].partition("(")[2].rstrip(")")
    assert f"az role assignment create --assignee-object-id {object_id}" in mend


def test_a_missing_right_on_metrics_is_only_told(patient: Patient, orders: Orders, capsys: Out) -> None:
    orders.give("role.missing", match="/resourceGroups/[^/]+$", times=2, actions=["*/metrics/read"])
    told = patient.ask(capsys)
    assert (told.status, told.of("rights on metrics")[0]) == (0, "warn")
    assert "'Monitoring Reader'" in told.of("rights on metrics")[2]


def test_rights_that_may_not_be_listed_say_nothing_about_the_rights(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    orders.give("http", match="Microsoft.Authorization/permissions", times=9, status=403)
    told = patient.ask(capsys)
    assert (told.status, told.of("rights on the endpoint")[0]) == (0, "warn")
    assert "--role Reader" in told.of("rights on the endpoint")[2]


@pytest.mark.parametrize(
    ("variable", "check", "role"),
    [
        ("UNDERSTUDY_BLOB_URL", "storage: blobs", "Storage Blob Data Owner"),
        ("UNDERSTUDY_QUEUE_URL", "storage: queues", "Storage Queue Data Contributor"),
    ],
)
def test_storage_that_may_not_be_used_is_told_with_the_role(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, capsys: Out, variable: str, check: str, role: str
) -> None:
    monkeypatch.setenv(variable, patient.cloud.env[variable].replace("devstoreaccount1", "another"))
    told = patient.ask(capsys)
    assert (told.status, told.failing) == (1, {check})
    assert role in told.of(check)[2]


def test_an_endpoint_that_is_not_there_is_told_with_the_command_that_makes_it(patient: Patient, capsys: Out) -> None:
    told = patient.ask(capsys, endpoint="nowhere")
    assert (told.status, "endpoint" in told.failing) == (1, True)
    assert told.of("endpoint")[2].startswith("az ml online-endpoint create --name nowhere --resource-group rg-local")


def test_an_endpoint_of_the_other_kind_is_told(patient: Patient, capsys: Out) -> None:
    told = patient.ask(
        capsys,
        kind="batch",
        more_target="    sample: azureml://datastores/workspaceblobstore/paths/sample",
    )
    assert told.status == 1
    assert told.of("endpoint")[1].endswith("but one of kind online")
    assert told.of("endpoint")[2] == "write `kind: online` for target local"


def test_a_batch_endpoint_is_asked_for_what_batch_endpoints_have(patient: Patient, capsys: Out) -> None:
    name = new_name("batch")
    made = patient.cloud.call(
        "PUT",
        f"{patient.cloud.workspace_id}/batchEndpoints/{name}",
        {"location": "westeurope", "properties": {"authMode": "aadToken"}},
    )
    assert patient.cloud.ended(made)["status"] == "Succeeded"
    sample = "    sample: azureml://datastores/workspaceblobstore/paths/sample"

    told = patient.ask(
        capsys, endpoint=name, kind="batch", more_target=sample, deployment="{batch: {compute: cpu-cluster}}"
    )

    assert (told.status, told.failing) == (0, set())
    assert not {"diagnostic setting", "query requests.kql", "quota", "request ids"} & set(told.checks)
    assert told.of("first version")[0] == "ok"


def test_a_split_that_no_rollout_starts_from_is_told_unless_the_policy_adopts_it(patient: Patient, capsys: Out) -> None:
    endpoint = patient.cloud.endpoint("blue", "green", traffic={"blue": 60, "green": 40})

    told = patient.ask(capsys, endpoint=endpoint)

    assert told.failing == {"traffic"}
    assert '--traffic "blue=100 green=0"' in told.of("traffic")[2]
    assert patient.ask(capsys, endpoint=endpoint, more="adopt: true").failing == set()
    patient.cloud.ended(patient.cloud.put_traffic(endpoint, {"blue": 100}, {"green": 20}))
    mirrored = patient.ask(capsys, endpoint=endpoint)
    assert (mirrored.failing, '--mirror-traffic "green=0"' in mirrored.of("traffic")[2]) == ({"traffic"}, True)


def test_the_split_of_our_own_rollout_is_no_other_hands(patient: Patient, capsys: Out) -> None:
    endpoint = patient.cloud.endpoint("blue", "green", traffic={"blue": 60, "green": 40})
    store = Store(Blobs(patient.cloud.env["UNDERSTUDY_BLOB_URL"], credential()))
    place = {"policy": "credit", "target": "local", "endpoint": endpoint}
    store.save(standing(Phase.CANARY, **place, live="blue", candidate="green"), None)

    outcome, seen, mend = patient.ask(capsys, endpoint=endpoint).of("traffic")

    assert (outcome, mend) == ("ok", "")
    assert seen == "live 60 % blue, 40 % green, mirror none: of the rollout of version 2, in flight (canary)"


def test_deployments_without_any_traffic_are_in_the_way(patient: Patient, capsys: Out) -> None:
    told = patient.ask(capsys, endpoint=patient.cloud.endpoint("blue"), deployment=f"{{instance_type: {SIZE}}}")
    assert (told.failing, '--traffic "blue=100"' in told.of("traffic")[2]) == ({"traffic"}, True)


def test_an_empty_endpoint_needs_a_policy_that_says_enough(patient: Patient, capsys: Out) -> None:
    empty = patient.cloud.endpoint()
    told = patient.ask(capsys, endpoint=empty)
    assert (told.failing, told.of("first version")[2]) == (
        {"first version"},
        "give `deployment.instance_type` in the policy",
    )
    assert patient.ask(capsys, endpoint=empty, deployment=f"{{instance_type: {SIZE}}}").failing == set()


def test_versions_without_the_tags_and_models_without_versions_are_told(patient: Patient, capsys: Out) -> None:
    untagged = patient.ask(capsys, more_model="  require_tags: {stage: production}")
    assert (untagged.status, untagged.of("model")[0]) == (0, "warn")
    assert "az ml model update --name shared-model --version 1 --resource-group" in untagged.of("model")[2]
    assert "--set tags.stage=production" in untagged.of("model")[2]

    assert "no version of none-such" in patient.ask(capsys, model="none-such").of("model")[1]


def test_a_registry_that_cannot_be_reached_fails(patient: Patient, capsys: Out) -> None:
    told = patient.ask(capsys, more_model="  registry: nowhere")
    assert told.failing == {"model"}
    assert "'AzureML Registry User'" in told.of("model")[2]


@pytest.mark.parametrize(
    ("deployment", "check", "words", "mended"),
    [
        ("{instance_type: Standard_X99}", "instance type", "not known in westeurope", "az ml compute list-sizes"),
        ("{instance_type: Standard_DS1_v2}", "instance type", "managed endpoints take", "az ml compute list-sizes"),
        ("{instance_count: 50}", "quota", "50 x Standard_F2s_v2 need 120 cores", "az quota update --resource-name"),
    ],
)
def test_machines_that_are_not_to_be_had_are_told(
    patient: Patient, capsys: Out, deployment: str, check: str, words: str, mended: str
) -> None:
    told = patient.ask(capsys, deployment=deployment)
    assert (told.status, told.failing) == (1, {check})
    assert words in told.of(check)[1]
    assert mended in told.of(check)[2]


def test_autoscale_settings_that_cannot_be_read_fail(patient: Patient, orders: Orders, capsys: Out) -> None:
    orders.give("http", match="autoscaleSettings", times=9, status=403)
    assert patient.ask(capsys).failing == {"autoscale"}


def test_the_right_to_copy_autoscale_settings_is_needed_where_there_are_some(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    fault = {"match": "/resourceGroups/[^/]+$", "actions": ["*/autoscaleSettings/write"]}
    orders.give("role.missing", **fault)
    assert patient.ask(capsys).failing == set()

    group = patient.path.split("/providers/")[0]
    setting = f"{group}/providers/Microsoft.Insights/autoscaleSettings/{new_name('scale')}"
    profiles = [{"name": "always", "capacity": {"minimum": "1", "maximum": "2", "default": "1"}, "rules": []}]
    properties = {"enabled": True, "targetResourceUri": f"{patient.path}/deployments/blue", "profiles": profiles}
    assert patient.cloud.call("PUT", setting, {"location": "westeurope", "properties": properties}).ok
    orders.clear()
    orders.give("role.missing", **fault)
    told = patient.ask(capsys)
    patient.cloud.call("DELETE", setting)

    assert told.failing == {"rights on autoscale settings"}
    assert "carried to the new deployment" in told.of("autoscale")[1]


def settings_of(patient: Patient, name: str) -> str:
    """The address of a diagnostic setting of the endpoint."""
    return f"{patient.path}/providers/Microsoft.Insights/diagnosticSettings/{name}"


def send(patient: Patient, *categories: str, to: str = "") -> None:
    """Make the one setting send these categories; none: take it away."""
    if not categories:
        patient.cloud.call("DELETE", settings_of(patient, GIVEN))
        return
    here = to or log_workspace_id(patient.cloud.stack.settings)
    logs = [{"category": one, "enabled": True} for one in categories if one != "allLogs"]
    logs += [{"categoryGroup": one, "enabled": True} for one in categories if one == "allLogs"]
    body = {"properties": {"workspaceId": here, "logs": logs}}
    assert patient.cloud.call("PUT", settings_of(patient, GIVEN), body).ok


@pytest.mark.parametrize(
    ("sent", "to", "words"),
    [
        ((), "", "AmlOnlineEndpointTrafficLog, AmlOnlineEndpointConsoleLog, AmlOnlineEndpointEventLog do not go"),
        (("AmlOnlineEndpointTrafficLog",), "", "AmlOnlineEndpointConsoleLog, AmlOnlineEndpointEventLog do not go"),
        (("allLogs",), "/subscriptions/s/elsewhere", "they go to /subscriptions/s/elsewhere"),
    ],
)
def test_logs_that_do_not_reach_the_policys_workspace_are_told_with_the_setting_that_sends_them(
    patient: Patient, capsys: Out, sent: tuple[str, ...], to: str, words: str
) -> None:
    send(patient, *sent, to=to)
    try:
        told = patient.ask(capsys)
    finally:
        send(patient, "allLogs")

    outcome, seen, mend = told.of("diagnostic setting")
    assert (told.status, told.failing, outcome) == (1, {"diagnostic setting"}, "fail")
    assert words in seen
    assert mend.startswith("az monitor diagnostic-settings create --name understudy --resource /subscriptions/")
    assert "customerId=='00000000-0000-0000-0000-000000000002'" in mend


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ("OperationalInsights/workspaces/logs-local", "nobody can tell whether it is workspace"),
        ("diagnosticSettings", "it cannot be read"),
    ],
)
def test_a_setting_that_may_not_be_read_stops_nobody(
    patient: Patient, orders: Orders, capsys: Out, closed: str, words: str
) -> None:
    orders.give("http", match=closed, times=9, status=403)
    told = patient.ask(capsys)
    assert (told.status, told.of("diagnostic setting")[0]) == (0, "warn")
    assert words in told.of("diagnostic setting")[1]


def test_a_workspace_that_may_not_be_queried_fails_with_the_role(patient: Patient, orders: Orders, capsys: Out) -> None:
    body = {"error": {"code": "InsufficientAccessError", "message": "no access"}}
    orders.give("http", match="POST /v1/workspaces/", times=9, status=403, body=body)
    told = patient.ask(capsys)
    assert told.failing == {"query requests.kql"}
    assert "--role 'Log Analytics Data Reader'" in told.of("query requests.kql")[2]


def test_a_workspace_that_does_not_exist_fails(patient: Patient, capsys: Out) -> None:
    told = patient.ask(capsys, logs="00000000-0000-0000-0000-00000000dead")
    assert {"query requests.kql", "diagnostic setting"} <= told.failing
    assert "az monitor log-analytics workspace list" in told.of("query requests.kql")[2]


def test_a_workspace_without_any_data_yet_is_no_failure(patient: Patient, orders: Orders, capsys: Out) -> None:
    orders.give("logs.empty_204", times=9)
    told = patient.ask(capsys)
    assert (told.status, told.of("query requests.kql")[0]) == (0, "warn")
    assert "no data at all yet" in told.of("query requests.kql")[1]


def test_a_file_of_requests_is_read_before_any_candidate_is_made_for_it(patient: Patient, capsys: Out) -> None:
    file = patient.policy()
    text = file.read_text().replace("requests: [{data: [[1]]}]", "requests_from: nowhere.jsonl")
    file.write_text(text)
    assert main(["doctor", str(file)]) == 1
    told = capsys.readouterr().out
    assert "fail  requests of nowhere.jsonl" in told
    assert "upload it beside the policy" in told
    assert "-> az storage blob upload" in told


def test_requests_that_the_metrics_count_and_the_log_does_not_hold_are_told(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    orders.give("rows.late", match="TrafficLog", times=99, seconds=600)
    unlogged = Patient(patient.cloud, patient.policy().parent)
    assert "no request in the last 24 h" in unlogged.ask(capsys).of("log rows")[1]
    unlogged.score(3)
    until(lambda: "its metrics count requests" in unlogged.ask(capsys).of("log rows")[1], seconds=60)

    told = unlogged.ask(capsys)

    outcome, seen, mended = told.of("log rows")
    assert (told.status, outcome) == (0, "warn"), "it may be new: nothing is held up by it"
    assert "and the log holds none of them" in seen
    assert mended.startswith("az monitor diagnostic-settings create")


def test_a_log_that_speaks_of_no_answer_fails_since_agreement_could_not_be_judged(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    orders.give("rows.late", match="ConsoleLog", times=99, seconds=600)
    silent = Patient(patient.cloud, patient.policy().parent)
    silent.score(3)
    until(lambda: "of 3 requests" in silent.ask(capsys).of("request ids")[1])

    told = silent.ask(capsys)

    assert told.failing == {"request ids"}
    assert "`agreement` cannot be judged" in told.of("request ids")[1]


def test_alerts_reach_the_app_by_a_rule_and_an_action_group_in_the_common_schema(
    patient: Patient, orders: Orders, capsys: Out
) -> None:
    insights = f"{patient.path.split('/providers/')[0]}/providers/Microsoft.Insights"
    group, rule = f"{insights}/actionGroups/{new_name('group')}", f"{insights}/metricAlerts/{new_name('rule')}"
    receiver = {"name": "app", "serviceUri": "https://app/api/alerts?code=k", "useCommonAlertSchema": True}
    body = {"location": "global", "properties": {"enabled": True, "webhookReceivers": [receiver]}}

    assert "no action group posts to" in patient.ask(capsys).of("alerts")[1]
    other = {"enabled": True, "webhookReceivers": [{**receiver, "useCommonAlertSchema": False}]}
    orders.give("http", match="GET .*/actionGroups", status=200, body={"value": [{"id": group, "properties": other}]})
    assert "without the common alert schema" in patient.ask(capsys).of("alerts")[1]
    assert patient.cloud.call("PUT", group, body).ok
    outcome, seen, mend = patient.ask(capsys).of("alerts")
    assert (outcome, "no rule that tells" in seen) == ("warn", True)
    assert f"--scopes {patient.path.lower()}" in mend
    condition = {
        "criterionType": "StaticThresholdCriterion",
        "name": "slow",
        "metricNamespace": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        "metricName": "RequestLatency_P95",
        "operator": "GreaterThan",
        "threshold": 1000,
        "timeAggregation": "Average",
    }
    criteria = {"odata.type": "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria", "allOf": [condition]}
    properties = {
        "severity": 2,
        "enabled": True,
        "scopes": [patient.path],
        "evaluationFrequency": "PT1M",
        "windowSize": "PT1M",
        "criteria": criteria,
        "actions": [{"actionGroupId": group}],
    }
    made = patient.cloud.call("PUT", rule, {"location": "global", "properties": properties})
    assert made.ok, made.text
    assert patient.ask(capsys).of("alerts")[0] == "ok"
    for one in (rule, group):
        patient.cloud.call("DELETE", one)


def test_a_policy_in_force_is_asked_for_by_name_and_an_unknown_one_is_told(patient: Patient, capsys: Out) -> None:
    storage = BlobServiceClient.from_connection_string(patient.cloud.env["AZURE_STORAGE_CONNECTION_STRING"])
    blob = storage.get_blob_client("policies", "in-force.yaml")
    if not storage.get_container_client("policies").exists():
        storage.create_container("policies")
    blob.upload_blob(patient.policy(name="in-force").read_bytes(), overwrite=True)

    told = patient.ask(capsys, name="in-force")
    assert (told.status, told.body["policy"]) == (0, "in-force")

    assert main(["doctor", "another"]) == 2
    assert capsys.readouterr().err == "another is neither a file nor a policy in force; in force: in-force\n"
    storage.close()


def test_a_wildcard_is_asked_at_the_endpoints_of_the_models_that_are_registered(patient: Patient, capsys: Out) -> None:
    file = patient.policy(model='"shared-*"', endpoint="{model}")
    assert main(["doctor", str(file), "--json"]) == 1
    subjects = {one["subject"] for one in json.loads(capsys.readouterr().out)["checks"]}
    assert subjects == {"the app", "target local, online endpoint shared-model"}
    assert main(["doctor", str(file), "--endpoint", "other"]) == 1
    assert "no endpoint other" in capsys.readouterr().out


def test_a_model_whose_name_no_endpoint_can_have_is_told_with_the_way_round(patient: Patient, capsys: Out) -> None:
    cloud, long = patient.cloud, f"odd-1.{'x' * 32}"
    cloud.model(long)
    assert main(["doctor", str(patient.policy(model='"odd-*"', endpoint="{model}"))]) == 1
    out = capsys.readouterr().out
    assert f"no endpoint can be called odd-1-{'x' * 32}, as model {long} would want it: Azure wants 3 to 32" in out
    assert f"-> give {long} a policy of its own with an `endpoint` written out" in out


def test_models_whose_names_come_to_one_endpoint_are_told(patient: Patient, capsys: Out) -> None:
    for name in ("twin.a", "twin_A"):
        patient.cloud.model(name)
    assert main(["doctor", str(patient.policy(model='"twin*"', endpoint="{model}"))]) == 1
    assert "the models twin.a and twin_A would share endpoint twin-a, and it serves only one" in capsys.readouterr().out


def test_the_table_lines_up_and_ends_with_what_follows(patient: Patient, orders: Orders, capsys: Out) -> None:
    orders.give("role.missing", match="/onlineEndpoints/[^/]+$", actions=["*/write"])
    assert main(["doctor", str(patient.policy())]) == 1
    lines = capsys.readouterr().out.splitlines()
    checks = [line for line in lines if line.startswith(("  ok ", "  warn", "  fail"))]
    starts = {len(line) - len(line[8:].split("  ", 1)[1].lstrip()) for line in checks}
    assert len(starts) == 1, "what was seen begins in one column"
    (failed,) = (number for number, line in enumerate(lines) if line.startswith("  fail"))
    assert lines[failed + 1].strip().startswith("-> az role assignment create")
    assert lines[-1].endswith("1 fail: a rollout would not start")


def test_a_file_that_is_no_policy_is_told_as_check_tells_it(patient: Patient, tmp_path: Path, capsys: Out) -> None:
    assert patient.cloud
    file = tmp_path / "bad.yaml"
    file.write_text("name: credit\nmodels: {}\n")
    assert main(["doctor", str(file)]) == 2
    assert f"{file}:2:1: models:" in capsys.readouterr().err


def test_without_the_apps_settings_the_variable_that_is_missing_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.delenv("UNDERSTUDY_BLOB_URL")
    assert main(["doctor", str(patient.policy())]) == 2
    assert "UNDERSTUDY_BLOB_URL" in capsys.readouterr().err
