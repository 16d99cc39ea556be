"""From a trigger's data on the wire to the object that the function's parameter takes: azure-functions' converters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.functions_host.functions import Function


def decode(function: Function, text: str, *, kind: str, metadata: Mapping[str, tuple[str, str]] | None = None) -> Any:
    """`kind` is the wire's word, `json` or `string`; each metadata value comes with its own.

    A parameter annotated str or bytes gets the text itself."""
    from azure.functions import get_binding_registry
    from azure.functions.meta import Datum

    if function.parameter_type is str:
        return text
    if function.parameter_type is bytes:
        return text.encode()
    fields = {name: Datum(value, wire) for name, (value, wire) in (metadata or {}).items()}
    registry: Any = get_binding_registry()  # type: ignore[no-untyped-call]
    converter = registry.get(function.trigger)
    return converter.decode(Datum(text, kind), trigger_metadata=fields)
