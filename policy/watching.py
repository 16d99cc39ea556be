"""What is watched beside the rollout: alerts, the export of inference logs, drift and retraining."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from policy.durations import Duration, Period
from policy.section import FILLED, Number, Section, Text, refuse

Action = Literal["rollback", "hold", "advance", "retrain", "ignore"]


class AlertRule(Section):
    """What an Azure Monitor alert does to the rollout it speaks of."""

    rule: Text = Field(description="Name of the alert rule; `*` stands for any characters, case does not matter.")
    when: Literal["fired", "resolved"] = Field(default="fired", description="State of the alert that counts.")
    do: Action = Field(
        description="`rollback` at once; `hold` until it resolves; `advance`: evidence for the present step; "
        "`retrain`; `ignore`."
    )


DEFAULT_ALERTS: Final = (AlertRule(rule="*", when="fired", do="rollback"),)
"""Any alert that names the endpoint takes the new version back: the safe reading of an alert nobody described."""


def _reachable(alerts: tuple[AlertRule, ...]) -> tuple[AlertRule, ...]:
    catch_all: dict[str, int] = {}
    for index, alert in enumerate(alerts):
        if (first := catch_all.get(alert.when)) is not None:
            refuse(
                f"can never match: alerts[{first}] already takes every {alert.when} alert, and the first match wins",
                at=(index, "rule"),
            )
        if alert.rule.strip("*") == "":
            catch_all[alert.when] = index
    return alerts


Alerts = Annotated[tuple[AlertRule, ...], AfterValidator(_reachable)]


class Export(Section):
    """Inference logs into a data set."""

    source: Literal["log_analytics"] = Field(default="log_analytics", description="Where the logs are read.")
    every: Period = Field(default=timedelta(minutes=15), description="Length of one exported window.")
    lag: Duration = Field(
        default=timedelta(minutes=10), description="How long after its end a window is read, for late logs."
    )


class Drift(Section):
    """Recent data against the baseline. Needs `export`."""

    baseline: Text | None = Field(
        default=None, description="azureml:// path of the reference data; left out: the first full window exported."
    )
    every: Period = Field(default=timedelta(hours=1), description="How often it is measured.")
    window: Period = Field(default=timedelta(hours=24), description="How much recent data is compared.")
    share: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.5, description="Share of drifted features from which the data set counts as drifted."
    )
    features: dict[str, Literal["categorical", "numerical"]] = Field(
        default={}, description="Kinds of features that cannot be told from the data."
    )


class Retrain(Section):
    """Start a pipeline job; the version it registers is rolled out like any other."""

    job: Text = Field(description="YAML file of the pipeline job.")
    after: Annotated[tuple[Literal["drift", "alert"], ...], FILLED] = Field(
        default=("drift",), description="What starts it."
    )
    cooldown: Period = Field(default=timedelta(hours=24), description="Shortest time between two starts.")
