"""The policy: everything Understudy is told about one model, read once and never changed.

The parts live beside this file (targets, steps, gates, watching) and are offered from here, so that the other rooms
have one place to import from. Rules that join parts are validators here; each looks only at parts that are right by
themselves (`info.data` holds just those), so one mistake never hides another.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator

from policy.deployment import BatchSettings, Code, DeploymentSettings, Failed
from policy.freezes import Freezes, FreezeWindow
from policy.gates import Agreement, CostGate, DriftGate, Gates, LatencyRatio, Rise
from policy.hooks import Hook, Hooks
from policy.names import Segment
from policy.overrides import ForeignChange, Mode, OnNewVersion, laid_over
from policy.section import Flag, Section, Whole, refuse
from policy.steps import Approval, Canary, Check, Full, Retire, Shadow, Smoke, Step, Steps, Wait
from policy.targets import MODEL, ModelSelector, Target, Targets
from policy.trying import Expect, Load
from policy.watching import DEFAULT_ALERTS, Action, AlertRule, Alerts, Drift, Export, Retrain


class Policy(Section):
    """One policy file."""

    name: Segment = Field(description="Name of the policy; part of URLs and blob names.")
    model: ModelSelector = Field(description="Which registered versions are rolled out.")
    targets: Targets = Field(description="Where to, in order: the next starts when the one before is done.")
    deployment: DeploymentSettings = Field(
        default=DeploymentSettings(), description="Laid over a copy of the live deployment; whole for a first version."
    )
    steps: Steps = Field(description="What a version goes through on each target.")
    failed: Failed = Field(default=Failed(), description="What becomes of a candidate that failed.")
    gates: Gates = Field(default=Gates(), description="What counts as harm and what as safe.")
    alerts: Alerts = Field(default=DEFAULT_ALERTS, description="What alerts do; the first match wins.")
    export: Export | None = Field(default=None, description="Inference logs into a data set; left out: none.")
    drift: Drift | None = Field(
        default=None, validate_default=True, description="Recent data against the baseline; left out: not measured."
    )
    retrain: Retrain | None = Field(
        default=None, validate_default=True, description="Start a training job; left out: never."
    )
    freeze: Freezes = Field(default=(), description="Times of the week in which nothing goes forward; back always may.")
    hooks: Hooks = Field(default=(), description="Services that are asked for leave before a step is entered.")
    mode: Mode = Field(
        default="act", description="`observe`: nothing is written to Azure; the record says what would have been done."
    )
    on_new_version: OnNewVersion = Field(
        default="supersede", description="What a version registered during a rollout does to it."
    )
    adopt: Flag = Field(default=False, description="Take over an endpoint that is already split or mirroring.")
    keep: Annotated[Whole, Field(ge=0)] = Field(
        default=0, description="Retired deployments that stay up, newest first, as fast ways back; each costs."
    )
    foreign_change: ForeignChange = Field(
        default="hold",
        description="When somebody else changes the live split or sets a mirror: `hold` the rollout, or `restore` the "
        "split. A lost mirror is put back either way.",
    )

    def at(self, target: Target | str) -> Self:
        """The policy in effect at one of its targets (or at the one of that name): the target's own keys laid over.

        Idempotent, and checked when the file was loaded: what it answers is as valid as the policy itself.
        """
        if isinstance(target, str):
            target = next(one for one in self.targets if one.name == target)
        changed = laid_over(dict(self), target)
        return self.model_copy(update=changed) if changed else self

    @field_validator("targets")
    @classmethod
    def _one_endpoint_per_model(cls, targets: Targets, info: ValidationInfo) -> Targets:
        model: ModelSelector | None = info.data.get("model")
        for index, target in enumerate(targets):
            if model is not None and model.is_wildcard and MODEL not in target.endpoint:
                refuse(
                    f"model.name {model.name!r} may stand for many models, which cannot share one endpoint: "
                    f'use "{MODEL}" in the endpoint\'s name',
                    at=(index, "endpoint"),
                )
        return targets

    @field_validator("export")
    @classmethod
    def _export_has_logs(cls, export: Export | None, info: ValidationInfo) -> Export | None:
        targets: Targets = info.data.get("targets", ())
        for index, target in enumerate(targets):
            if export is not None and target.kind == "online" and target.log_analytics_workspace_id is None:
                refuse(f"needs log_analytics_workspace_id on targets[{index}] ({target.name}): the logs are read there")
        return export

    @field_validator("drift")
    @classmethod
    def _drift_has_data(cls, drift: Drift | None, info: ValidationInfo) -> Drift | None:
        if drift is not None and "export" in info.data and info.data["export"] is None:
            refuse("needs `export`: drift is measured on the exported logs; add `export: {source: log_analytics}`")
        gates: Gates | None = info.data.get("gates")
        if drift is None and gates is not None and gates.drift is not None:
            refuse("needs `drift`: nothing would measure the share", path=("gates", "drift"))
        return drift

    @field_validator("retrain")
    @classmethod
    def _retrain_has_a_cause(cls, retrain: Retrain | None, info: ValidationInfo) -> Retrain | None:
        if retrain is not None and "drift" in retrain.after and "drift" in info.data and info.data["drift"] is None:
            refuse("drift is not measured in this policy: add `drift`, or write `after: [alert]`", at=("after",))
        for index, alert in enumerate(info.data.get("alerts", ())):
            if retrain is None and alert.do == "retrain":
                refuse("needs `retrain`: there is no job to start", path=("alerts", index, "do"))
        return retrain


__all__ = [
    "MODEL",
    "Action",
    "Agreement",
    "AlertRule",
    "Approval",
    "BatchSettings",
    "Canary",
    "Check",
    "Code",
    "CostGate",
    "DeploymentSettings",
    "Drift",
    "DriftGate",
    "Expect",
    "Export",
    "Failed",
    "FreezeWindow",
    "Full",
    "Gates",
    "Hook",
    "LatencyRatio",
    "Load",
    "ModelSelector",
    "Policy",
    "Retire",
    "Retrain",
    "Rise",
    "Shadow",
    "Smoke",
    "Step",
    "Target",
    "Wait",
]
