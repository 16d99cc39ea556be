"""A deployment's container: one process that holds the model and answers HTTP on a loopback port of its own.

Like Azure's inference server: `init()` once before it is ready, `run()` per request with the body's text, what is
printed goes to the console. `run` may ask for the request's headers as `run(raw_data, request_headers)`; `x-request-id`
in there is the id that the traffic log shows as XRequestId. Requests run on as many threads as the deployment has slots
(instances x concurrency): one process stands for all instances.

Started by fork from `launcher` or by `python -m localcloud.scoring.container SPEC_FILE CONTROL_FD`. The control socket
carries the port once the model is loaded, and its end of file tells the container that the cloud process is gone.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web

from localcloud.scoring import console
from localcloud.scoring.collector import LOG_PATH, Collector
from localcloud.scoring.scorers import Scorer, code_folder, load_scorer
from localcloud.scoring.swagger import DEFAULT_VERSION, swagger

#: Longer than the front keeps an idle connection, so that this side never closes one under a request.
_KEEP_ALIVE_SECONDS = 3600.0
_LARGEST_BODY = 64 * 1024 * 1024
_MOST_THREADS = 64
_GRACE_SECONDS = 2.0
_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."


class Server:
    """The HTTP side: score, swagger and health."""

    def __init__(
        self, scorer: Scorer, threads: int, collector: Collector | None, *, folder: Path | None, service: str
    ) -> None:
        """`folder` is where the scoring script lies, for its own swagger files."""
        self._scorer, self._collector, self._folder, self._service = scorer, collector, folder, service
        self._pool = ThreadPoolExecutor(min(threads, _MOST_THREADS), thread_name_prefix="run")

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request; run() itself never blocks this loop."""
        if request.path == "/score" and request.method == "POST":
            body, headers = await request.text(), dict(request.headers)
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._score, body, headers)
        if self._collector and request.path == LOG_PATH:
            reason = self._collector.log(request.headers, await request.text())
            return web.Response(status=400 if reason else 200, text=reason or "")
        if request.path == "/swagger.json":
            document = swagger(self._folder, request.query.get("version", DEFAULT_VERSION), self._service)
            return web.json_response(document) if document else web.Response(status=404, text="No such version.")
        if request.path == "/":
            return web.Response(text="Healthy")
        return web.Response(status=404, text="Not Found")

    def _score(self, body: str, headers: Mapping[str, str]) -> web.Response:
        request_id = next((value for name, value in headers.items() if name.lower() == "x-request-id"), "")
        token = console.request_id.set(request_id)
        began = time.perf_counter()
        try:
            answer, status, kind = json.dumps(self._scorer.run(body, headers)), 200, "application/json"
        except Exception:
            traceback.print_exc()
            answer, status, kind = _FAILED, 500, "text/plain"
        finally:
            console.request_id.reset(token)
        if self._collector:
            self._collector.payloads(body, answer, request_id)
        sent = {
            "Content-Type": kind,
            "x-ms-run-fn-exec-ms": f"{(time.perf_counter() - began) * 1000:.3f}",
            "x-ms-run-function-failed": str(status != 200),
        }
        return web.Response(status=status, body=answer.encode(), headers=sent)


async def serve(server: Server, listener: socket.socket, control: socket.socket) -> None:
    """Say that the container is ready, and serve until SIGTERM or until the cloud process is gone."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    http = web.Server(server.handle, request_factory=_request, access_log=None, keepalive_timeout=_KEEP_ALIVE_SECONDS)
    runner = web.ServerRunner(http, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    control.setblocking(False)
    await loop.sock_sendall(control, json.dumps({"port": listener.getsockname()[1]}).encode() + b"\n")
    loop.add_reader(control.fileno(), stop.set)
    await stop.wait()
    await runner.cleanup()


def main(spec_file: str, control_fd: int) -> None:
    """Load the model and serve it. Never returns: the process ends, even with a run() that hangs on a thread."""
    code = 1
    try:
        spec = json.loads(Path(spec_file).read_text())
        os.environ.update(spec["environment"])
        os.environ["AZUREML_MODEL_DIR"] = spec["model_dir"]
        os.chdir(spec["code_path"] or spec["model_dir"])
        console.configure(os.environ.get("LOCALCLOUD_CONSOLE_FORMAT", "new"))
        # The port is there before the script is: its data collector is told where to send to.
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        collector = Collector(spec["collector"]) if spec["collector"] else None
        if collector:
            os.environ.update(collector.environment(listener.getsockname()[1]))
        scorer = load_scorer(spec)
        server = Server(scorer, spec["threads"], collector, folder=code_folder(spec), service=spec["model_name"])
        asyncio.run(serve(server, listener, socket.socket(fileno=control_fd)))
        if collector:
            collector.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
