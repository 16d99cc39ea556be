"""The example scenario's own queries and messages (facts/example-scenario.md), by workspace id."""

from __future__ import annotations

import json

from localcloud.seams import Tables
from tests.localcloud.monitor_cloud import ENDPOINT

INPUT_DATA = """AmlOnlineEndpointConsoleLog
| where TimeGenerated > ago (1d)
| where Message has 'online/credit-card-default/1' and Message has 'InputData'
| project TimeGenerated, ResponsePayload=split(Message, '|')
| project TimeGenerated, InputData=parse_json(tostring(ResponsePayload[-1])).data
| project TimeGenerated, InputData=parse_json(tostring(InputData))
| mv-expand InputData
| evaluate bag_unpack(InputData)"""

OVERALL_DRIFT = """AppTraces
| where Message has 'credit-card-default' and Message has 'OverallDriftMetrics'
| project TimeGenerated, data=parse_json(tostring(Message)).data
| evaluate bag_unpack(data)"""

FEATURE_DRIFT = """AppTraces
| where Message has 'credit-card-default' and Message has 'FeatureDriftMetrics'
| project TimeGenerated, data=parse_json(tostring(Message)).data
| mv-expand data
| evaluate bag_unpack(data)"""

OVERALL_DRIFT_CLASSIC = """traces
| where message has 'credit-card-default' and message has 'OverallDriftMetrics'
| project timestamp, data=parse_json(tostring(message)).data
| evaluate bag_unpack(data)"""
"""As published: its names exist only in the scope of an Application Insights component."""

QUERIES = {"input data": INPUT_DATA, "overall drift": OVERALL_DRIFT, "feature drift": FEATURE_DRIFT}

UNPACKED = {
    "input data": [["AGE", "long"], ["LIMIT_BAL", "real"], ["SEX", "string"]],
    "overall drift": [
        ["dataset_drift", "bool"],
        ["n_drifted_features", "long"],
        ["n_features", "long"],
        ["share_drifted_features", "real"],
    ],
    "feature drift": [["drift_detected", "bool"], ["drift_score", "real"], ["feature_name", "string"]],
}
"""The columns that bag_unpack makes of the rows of `fill`."""


def fill(tables: Tables) -> None:
    """One console line with two input rows, and one run's drift messages."""
    rows = [{"SEX": "female", "AGE": 31, "LIMIT_BAL": 20000.0}, {"SEX": "male", "AGE": 44, "LIMIT_BAL": 5000.5}]
    line = {
        "service_name": "online/credit-card-default/1",
        "type": "InputData",
        "request_id": "11111111-1111-1111-1111-111111111111",
        "data": json.dumps(rows),
    }
    message = f"2026-11-21 12:00:00,000 | root | INFO | 50 | - | {json.dumps(line)}"
    tables.append(
        "AmlOnlineEndpointConsoleLog", [{"DeploymentName": "blue", "Message": message, "_ResourceId": ENDPOINT}]
    )
    overall = {"n_features": 23, "n_drifted_features": 12, "share_drifted_features": 0.52, "dataset_drift": True}
    features = [
        {"feature_name": "sex", "drift_score": 0.01, "drift_detected": True},
        {"feature_name": "age", "drift_score": 0.5, "drift_detected": False},
    ]
    for kind, data in (("OverallDriftMetrics", overall), ("FeatureDriftMetrics", features)):
        text = json.dumps({"model_name": "credit-card-default", "type": kind, "data": data})
        tables.append("AppTraces", [{"Message": text}])
