"""Loads function_app.py as the Python worker does, and says what it would say about a faulty app.

Faults of the code fail the whole app, as on Azure: every function is gone. Faults that only the host sees (a route, a
schedule, a missing %SETTING%) fail their function alone.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import traceback
import typing
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from localcloud.functions_host.functions import HTTP, TIMER, TRIGGERS, Function
from localcloud.functions_host.ncrontab import Schedule
from localcloud.functions_host.retry_policy import RetryPolicy
from localcloud.functions_host.routes import Route

_MODULE = "function_app"
_NAME = re.compile(r"^[a-z][a-z0-9_\-]{0,127}$", re.IGNORECASE)
_SETTING = re.compile(r"%([^%]+)%")
_RAW_TYPES = (str, bytes)
_ANY_METHOD = "*"


class AppFailed(Exception):
    """The app does not index: no function of it can run."""


def load(folder: Path, environment: Mapping[str, str]) -> list[Function]:
    """Every function of the app in `folder`; AppFailed with the worker's reason when it does not index."""
    import azure.functions

    module = _import(folder)
    apps = [value for value in vars(module).values() if isinstance(value, azure.functions.FunctionRegister)]
    distinct = {id(app): app for app in apps}
    if not distinct:
        raise AppFailed("Could not find top level function app instances in function_app.py.")
    if len(distinct) > 1:
        raise AppFailed("More than one FunctionApp or other top level function app instances are defined.")
    try:
        indexed = next(iter(distinct.values())).get_functions()
        functions = [_index(one) for one in indexed]
    except (ValueError, TypeError) as error:
        raise AppFailed(str(error)) from error
    return _check_routes([_check(one, environment) for one in functions])


def _import(folder: Path) -> Any:
    if not (folder / f"{_MODULE}.py").exists():
        raise AppFailed(f"There is no {_MODULE}.py in {folder}.")
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(_MODULE)
    except Exception as error:
        raise AppFailed(f"function_app.py cannot be imported:\n{traceback.format_exc()}") from error


def _index(one: Any) -> Function:
    """As the worker: parameters must be the bindings', and annotations must fit them. ValueError names the function."""
    name, call = one.get_function_name(), one.get_user_function()
    bindings = tuple(json.loads(text) for text in one.get_raw_bindings())
    trigger = next(binding for binding in bindings if str(binding["type"]).endswith("Trigger"))
    parameters = set(inspect.signature(call).parameters)
    wants_context = "context" in parameters
    bound = {binding["name"] for binding in bindings if binding["name"] != "$return"}
    if unknown := parameters - bound - {"context"}:
        raise ValueError(f"{name}: the following parameters are declared in Python but not in function.json: {unknown}")
    if missing := bound - parameters:
        raise ValueError(f"{name}: the following parameters are declared in function.json but not in Python: {missing}")
    return Function(
        name=name,
        trigger=trigger["type"],
        parameter=trigger["name"],
        parameter_type=_annotation(name, call, trigger),
        wants_context=wants_context,
        call=call,
        is_async=inspect.iscoroutinefunction(call),
        settings=trigger,
        bindings=bindings,
        retry=None if (policy := one.get_settings_dict("retry_policy")) is None else RetryPolicy.read(policy),
    )


def _annotation(name: str, call: Any, trigger: Mapping[str, Any]) -> type | None:
    import azure.functions

    try:
        annotated = typing.get_type_hints(call).get(trigger["name"])
    except NameError as error:
        raise ValueError(f"{name}: an annotation cannot be resolved: {error}") from error
    if annotated is None or annotated in _RAW_TYPES:
        return annotated
    registry: Any = azure.functions.get_binding_registry()  # type: ignore[no-untyped-call]
    converter = registry.get(trigger["type"])
    try:
        fits = converter is not None and converter.check_input_type_annotation(annotated)
    except TypeError:
        fits = False
    if not fits:
        raise ValueError(f"{name}: type of {trigger['name']} binding in function.json does not fit its {annotated}")
    return typing.cast(type, annotated)


def _check(function: Function, environment: Mapping[str, str]) -> Function:
    """The host's own rules, which the worker does not know."""
    names = (f"AzureWebJobs.{function.name}.Disabled", f"AzureWebJobs__{function.name}__Disabled")
    disabled = any(environment.get(name, "").lower() in ("1", "true") for name in names)
    function = replace(function, disabled=disabled)
    if not _NAME.match(function.name) or function.name.lower() == "host":
        return replace(function, problem=f"'{function.name}' is not a valid function name.")
    if function.trigger not in TRIGGERS:
        return replace(function, problem=f"The local host runs no {function.trigger}; it runs {', '.join(TRIGGERS)}.")
    if others := [one["type"] for one in function.bindings if one["type"] not in (function.trigger, "http")]:
        advice = "use the service's SDK in the function, or set AzureWebJobs.<function>.Disabled"
        return replace(function, problem=f"The local host has no bindings beside triggers: {others[0]}; {advice}.")
    try:
        settings = {key: _resolved(value, environment) for key, value in function.settings.items()}
        function = replace(function, settings=settings)
        if function.trigger == TIMER:
            Schedule.parse(settings["schedule"])
        if function.trigger == HTTP:
            Route.parse(settings.get("route") or function.name)
    except ValueError as error:
        return replace(function, problem=str(error))
    return function


def _resolved(value: Any, environment: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value

    def setting(match: re.Match[str]) -> str:
        found = environment.get(match[1])
        if found is None:
            raise ValueError(f"'%{match[1]}%' does not resolve to a value: there is no such app setting.")
        return found

    return _SETTING.sub(setting, value)


def _check_routes(functions: list[Function]) -> list[Function]:
    """The first function with a route and method keeps it; a later one that overlaps fails to load."""
    taken: dict[str, set[str]] = {}
    checked = []
    for function in functions:
        if function.trigger == HTTP and function.problem is None:
            route = str(function.settings.get("route") or function.name).lower()
            methods = set(function.settings.get("methods") or (_ANY_METHOD,))
            if _overlap(methods, taken.get(route, set())):
                function = replace(function, problem=f"The route '{route}' is used by another function.")
            else:
                taken.setdefault(route, set()).update(methods)
        checked.append(function)
    return checked


def _overlap(methods: set[str], others: set[str]) -> bool:
    return bool(others) and bool(methods & others or _ANY_METHOD in methods | others)
