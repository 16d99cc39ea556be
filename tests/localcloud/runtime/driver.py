"""Runs in a Python 3.13 of its own: indexes the app with Azure's real worker code and invokes functions in process.

Standard input: {"app": folder, "calls": [{"function", "inputs": [[name, type, value]], "metadata": {}}]}; the last line
of standard output: {"indexed": {name: [bindings]}, "problem", "results": [{"function", "ok", "answer", "error"}]}.
The protobuf messages of the host's wire are replaced by plain objects: nothing is sent, only read back.
"""

import asyncio
import importlib
import json
import os
import sys
import uuid
from types import SimpleNamespace
from typing import Any


class Message(SimpleNamespace):
    """Any protobuf message: keeps what it was made with. The names below are enumerations of some of them."""

    Success, Failure = "Success", "Failure"
    undefined, out, inout = 0, 1, 2


class Messages:
    """The namespace of message types that the worker is handed."""

    def __getattr__(self, name: str) -> Any:
        return type(name, (Message,), {})


async def main() -> dict[str, Any]:
    order = json.load(sys.stdin)
    sys.path.insert(0, order["app"])
    os.chdir(order["app"])
    handle_event = worker("handle_event")
    worker("utils.threadpool").start_threadpool_executor()
    init = Message(capabilities={}, function_app_directory=order["app"])
    request = Message(request=Message(worker_init_request=init), properties={"host": "localhost", "protos": Messages()})
    answer = await handle_event.worker_init_request(request)
    problem = getattr(answer.result, "exception", None)
    if problem is not None:
        return {"indexed": {}, "problem": str(problem), "results": []}
    metadata = await handle_event.functions_metadata_request(request)
    found = {one.name: one for one in metadata.function_metadata_results}
    return {
        "indexed": {name: [json.loads(text) for text in one.raw_bindings] for name, one in found.items()},
        "problem": None,
        "results": [await asyncio.to_thread(invoke, found, call) for call in order["calls"]],
    }


def worker(module: str) -> Any:
    """A module of Azure's package, which only this interpreter has."""
    return importlib.import_module(f"azure_functions_runtime.{module}")


def invoke(found: dict[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    inputs = [(name, datum(kind, value)) for name, kind, value in call["inputs"]]
    metadata = {name: datum(kind, value) for name, (kind, value) in call.get("metadata", {}).items()}
    function_id = found[call["function"]].function_id
    handled, ok, answer, _, error, trace = worker("native_invocation").run_invocation_sync(
        str(uuid.uuid4()), function_id, inputs, metadata
    )
    shown = None
    if answer is not None and answer.type == "http":
        shown = {"status": answer.value["status_code"].value, "body": text_of(answer.value["body"])}
    return {"function": call["function"], "ok": bool(handled and ok), "answer": shown, "error": error or trace}


def datum(kind: str, value: Any) -> Any:
    Datum = worker("bindings.datumdef").Datum
    if kind != "http":
        return Datum(value, kind)
    parts: dict[str, Any] = {name: Datum(value[name], "string") for name in ("method", "url")}
    for name in ("headers", "params", "query"):
        parts[name] = {key: Datum(one, "string") for key, one in value.get(name, {}).items()}
    parts["body"] = Datum(value.get("body", "").encode(), "bytes")
    return Datum(parts, "http")


def text_of(body: Any) -> str:
    return body.value.decode() if isinstance(body.value, bytes) else str(body.value)


print("\n" + json.dumps(asyncio.run(main())), flush=True)
os._exit(0)
