"""The tables of the workspace: exact column names and Kusto types (facts/logs.md section 2).

Trade-off: only the columns that Azure documents and somebody here reads or writes. A new column is one word here; an
unknown one is refused at `append`, so that a spelling mistake is found where the row is made.
"""

from __future__ import annotations

from collections.abc import Mapping

COMMON = {
    "TimeGenerated": "datetime",
    "OperationName": "string",
    "TenantId": "string",
    "SourceSystem": "string",
    "Type": "string",
    "_ResourceId": "string",
    "_SubscriptionId": "string",
    "_ItemId": "string",
    "_BilledSize": "real",
    "_IsBillable": "string",
}

_TELEMETRY = {
    "Properties": "dynamic",
    "Measurements": "dynamic",
    "OperationId": "string",
    "ParentId": "string",
    "AppRoleName": "string",
    "AppRoleInstance": "string",
    "SDKVersion": "string",
    "IKey": "string",
    "ItemCount": "int",
}


def _columns(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


def _table(*groups: Mapping[str, str]) -> dict[str, str]:
    columns = dict(COMMON)
    for group in groups:
        columns.update(group)
    return columns


TABLES: Mapping[str, Mapping[str, str]] = {
    "AmlOnlineEndpointTrafficLog": _table(
        _columns(
            "string",
            "EndpointName DeploymentName Location Method Path Protocol UserAgent ResponseCodeReason ModelStatusReason "
            "AuthType IdentityData AzureMLWorkspaceId AzureMLWorkspaceName XRequestId XMSClientRequestId",
        ),
        _columns(
            "int",
            "ResponseCode ModelStatusCode RequestPayloadSize ResponsePayloadSize TotalDurationMs RequestDurationMs "
            "ResponseDurationMs RequestThrottlingDelayMs ResponseThrottlingDelayMs",
        ),
    ),
    "AmlOnlineEndpointConsoleLog": _table(
        _columns("string", "DeploymentName InstanceId ContainerName ContainerImageName Message")
    ),
    "AmlOnlineEndpointEventLog": _table(_columns("string", "DeploymentName InstanceId Name Message")),
    "AppTraces": _table(_TELEMETRY, {"Message": "string", "SeverityLevel": "int"}),
    "AppMetrics": _table(_TELEMETRY, {"Name": "string"}, _columns("real", "Sum Min Max")),
    "AppEvents": _table(_TELEMETRY, {"Name": "string"}),
    "AppRequests": _table(
        _TELEMETRY,
        _columns("string", "Id Name Url Source ResultCode PerformanceBucket"),
        {"Success": "bool", "DurationMs": "real"},
    ),
    "AppDependencies": _table(
        _TELEMETRY,
        _columns("string", "Id Name Target Data DependencyType ResultCode PerformanceBucket"),
        {"Success": "bool", "DurationMs": "real"},
    ),
    "AppExceptions": _table(
        _TELEMETRY,
        _columns("string", "ProblemId ExceptionType OuterType OuterMessage InnermostType InnermostMessage"),
        {"SeverityLevel": "int", "Details": "dynamic"},
    ),
}

HIDDEN = {"_ingestion_time": "datetime", "_received": "datetime", "_mirrored": "bool"}
"""Kept with every row and never shown by a plain query: `_ingestion_time` is what `ingestion_time()` answers."""

DUCKDB_TYPES = {
    "string": "VARCHAR",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
}

CLASSIC_NAMES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "traces": (
        "AppTraces",
        {
            "timestamp": "TimeGenerated",
            "message": "Message",
            "severityLevel": "SeverityLevel",
            "customDimensions": "Properties",
            "customMeasurements": "Measurements",
            "operation_Id": "OperationId",
            "cloud_RoleName": "AppRoleName",
            "itemCount": "ItemCount",
        },
    ),
    "customMetrics": (
        "AppMetrics",
        {
            "timestamp": "TimeGenerated",
            "name": "Name",
            "valueSum": "Sum",
            "valueMin": "Min",
            "valueMax": "Max",
            "valueCount": "ItemCount",
            "customDimensions": "Properties",
        },
    ),
    "customEvents": (
        "AppEvents",
        {"timestamp": "TimeGenerated", "name": "Name", "customDimensions": "Properties"},
    ),
}
"""The names that Application Insights' own scope has, and only that scope."""
