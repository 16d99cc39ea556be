"""A job's body as steps to run: one for a command job, one per node of a pipeline. Pure.

Bodies come in two spellings (`jobInputType` on ARM objects, `job_input_type` inside pipeline nodes); both are read here
and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.arm.durations import seconds_of
from localcloud.arm.envelope import invalid
from localcloud.seams import Json

MODEL_TYPES = ("custom_model", "mlflow_model", "triton_model")
_STEP_OUTPUT = re.compile(r"\$\{\{\s*parent\.jobs\.(?P<step>[^.\s}]+)\.outputs\.(?P<output>[^.\s}]+)\s*\}\}")
_PARENT_INPUT = re.compile(r"\$\{\{\s*parent\.inputs\.(?P<input>[^\s}]+)\s*\}\}")
_PARENT_OUTPUT = re.compile(r"\$\{\{\s*parent\.outputs\.(?P<output>[^.\s}]+)\s*\}\}")


@dataclass(frozen=True)
class InputValue:
    """What one input is given: a literal, a place, or another step's output."""

    type: str
    literal: str | None = None
    uri: str | None = None
    step: str | None = None
    output: str | None = None
    """With `step`: that step's output."""


@dataclass(frozen=True)
class OutputSpec:
    """Where one output goes, and under what name it is registered (if any)."""

    type: str
    asset_name: str | None = None
    asset_version: str | None = None
    uri: str | None = None
    parent_output: str | None = None
    """The pipeline's output that this one is."""


@dataclass(frozen=True)
class Step:
    """One command to run."""

    name: str
    command: str
    code_id: str | None
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, InputValue] = field(default_factory=dict)
    outputs: Mapping[str, OutputSpec] = field(default_factory=dict)
    timeout_seconds: float | None = None

    @property
    def after(self) -> set[str]:
        """Steps whose outputs this one reads."""
        return {value.step for value in self.inputs.values() if value.step}


def command_step(name: str, properties: Json) -> Step:
    """The step of a command job."""
    if not properties.get("command"):
        raise invalid("A command job needs a command.", field="command")
    return Step(
        name=name,
        command=str(properties["command"]),
        code_id=properties.get("codeId"),
        environment_variables=_texts(properties.get("environmentVariables")),
        inputs={key: _given(value) for key, value in (properties.get("inputs") or {}).items()},
        outputs={key: _output(value, None) for key, value in (properties.get("outputs") or {}).items()},
        timeout_seconds=_timeout(properties.get("limits")),
    )


def pipeline_steps(properties: Json, component: Callable[[str], Json]) -> list[Step]:
    """The steps of a pipeline job; `component` gives the spec of a component id. Refuses unknown steps and cycles."""
    parent_inputs = {key: _given(value) for key, value in (properties.get("inputs") or {}).items()}
    parent_outputs = {key: _output(value, None) for key, value in (properties.get("outputs") or {}).items()}
    steps = []
    for name, node in (properties.get("jobs") or {}).items():
        spec = component(str(_either(node, "componentId", "component_id") or ""))
        if spec.get("type", "command") != "command":
            raise invalid(f"Step {name} is of type {spec.get('type')}; only command steps can run here.", field=name)
        steps.append(_node_step(name, node, spec, parent_inputs, parent_outputs))
    if not steps:
        raise invalid("A pipeline job needs at least one step.", field="jobs")
    _check_order(steps)
    return steps


def _node_step(
    name: str,
    node: Json,
    spec: Json,
    parent_inputs: Mapping[str, InputValue],
    parent_outputs: Mapping[str, OutputSpec],
) -> Step:
    inputs: dict[str, InputValue] = {}
    for key, declared in (spec.get("inputs") or {}).items():
        if (sent := (node.get("inputs") or {}).get(key)) is not None:
            inputs[key] = _bound(_given(sent, str(declared.get("type"))), parent_inputs)
        elif declared.get("default") is not None:
            inputs[key] = InputValue(str(declared.get("type")), literal=str(declared["default"]))
        elif not declared.get("optional"):
            raise invalid(f"Step {name} needs the input {key}.", field=key)
    outputs = {}
    for key, declared in (spec.get("outputs") or {}).items():
        sent_output = (node.get("outputs") or {}).get(key) or {}
        outputs[key] = _output(sent_output, str(declared.get("type")), parent_outputs)
    return Step(
        name=name,
        command=str(spec.get("command")),
        code_id=spec.get("code"),
        environment_variables=_texts(_either(node, "environmentVariables", "environment_variables")),
        inputs=inputs,
        outputs=outputs,
        timeout_seconds=_timeout(node.get("limits")),
    )


def _given(sent: Any, declared: str = "literal") -> InputValue:
    if not isinstance(sent, dict):
        return InputValue(declared, literal=str(sent))
    kind = str(_either(sent, "jobInputType", "job_input_type") or "literal")
    if sent.get("uri"):
        return InputValue(kind, uri=str(sent["uri"]))
    return InputValue(declared if kind == "literal" else kind, literal=str(sent.get("value", "")))


def _bound(given: InputValue, parent_inputs: Mapping[str, InputValue]) -> InputValue:
    """Replace a reference to the pipeline's input or another step's output by what it refers to."""
    text = given.literal or ""
    if found := _STEP_OUTPUT.fullmatch(text):
        return InputValue(given.type, step=found.group("step"), output=found.group("output"))
    if found := _PARENT_INPUT.fullmatch(text):
        name = found.group("input")
        if name not in parent_inputs:
            raise invalid(f"The pipeline has no input {name}.", field=name)
        return parent_inputs[name]
    return given


def _output(sent: Any, declared: str | None, parent_outputs: Mapping[str, OutputSpec] | None = None) -> OutputSpec:
    sent = sent if isinstance(sent, dict) else {"value": sent}
    kind = str(_either(sent, "jobOutputType", "job_output_type") or declared or "uri_folder")
    if found := _PARENT_OUTPUT.fullmatch(str(sent.get("value") or "")):
        name = found.group("output")
        parent = (parent_outputs or {}).get(name)
        if parent is None:
            raise invalid(f"The pipeline has no output {name}.", field=name)
        return OutputSpec(
            declared or parent.type, parent.asset_name, parent.asset_version, parent.uri, parent_output=name
        )
    return OutputSpec(
        type=kind,
        asset_name=_either(sent, "assetName", "asset_name") or sent.get("name"),
        asset_version=_either(sent, "assetVersion", "asset_version") or sent.get("version"),
        uri=sent.get("uri"),
    )


def _check_order(steps: list[Step]) -> None:
    names, done = {step.name for step in steps}, set[str]()
    for step in steps:
        if missing := step.after - names:
            raise invalid(f"Step {step.name} reads outputs of {', '.join(sorted(missing))}, which does not exist.")
    waiting = {step.name: step.after for step in steps}
    while ready := [name for name, after in waiting.items() if after <= done]:
        done.update(ready)
        waiting = {name: after for name, after in waiting.items() if name not in done}
    if waiting:
        raise invalid(f"The steps {', '.join(sorted(waiting))} wait for each other.", field="jobs")


def _either(mapping: Json, first: str, second: str) -> Any:
    return mapping.get(first, mapping.get(second))


def _texts(given: Json | None) -> dict[str, str]:
    return {key: str(value) for key, value in (given or {}).items()}


def _timeout(limits: Json | None) -> float | None:
    return seconds_of(str(limits["timeout"]), "timeout") if limits and limits.get("timeout") else None
