"""The scoring front's process, started by `front_process` as `python -m localcloud.scoring.front` with descriptors,
certificate, key and limits as arguments.

It owns nothing: the cloud process opened the port, hands over the routes, and takes the rows. So the front can be
killed and started again on the same port, and it ends itself when the cloud process is gone.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import sys
from typing import Any

from aiohttp import web

from localcloud.scoring.backend import Backend
from localcloud.scoring.channel import Channel, Message
from localcloud.scoring.front_faults import FrontFaults
from localcloud.scoring.gateway import Gateway
from localcloud.scoring.routing import Routes
from localcloud.scoring.traffic_log import Batch

_LARGEST_BODY = 64 * 1024 * 1024


async def serve(
    channel_socket: socket.socket, listener: socket.socket, tls: ssl.SSLContext, limits: tuple[int, int, int]
) -> None:
    """Serve until the cloud process closes the channel."""
    batch = Batch(lambda rows: channel.send({"do": "rows", "rows": rows}))
    gateway = Gateway(*limits, batch.add)
    faults = FrontFaults(lambda message: channel.ask(message))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await (faults.handle(request, gateway.handle) if faults.armed else gateway.handle(request))

    server = web.Server(handle, request_factory=_request, access_log=None, keepalive_timeout=3600)
    runner = web.ServerRunner(server)
    await runner.setup()

    async def obey(message: Message) -> Message | None:
        if message["do"] == "open":
            # Not before the routes are known: until then clients wait in the port's own queue.
            await web.SockSite(runner, listener, ssl_context=tls, backlog=1024).start()
            return None
        if message["do"] == "faults":
            faults.armed = message["armed"]
            return None
        return await _obey(gateway, message)

    channel = await Channel.over(channel_socket, obey)
    # What start-up made stays for good: the collector need not look at it again while requests wait.
    gc.freeze()
    await channel.run()
    await runner.cleanup()


async def _obey(gateway: Gateway, message: Message) -> Message | None:
    match message["do"]:
        case "routes":
            gateway.set_routes(Routes.from_json(message["routes"]))
        case "forget":
            gateway.forget_routes(message["endpoint"])
        case "backend":
            await gateway.replace(message["endpoint"], Backend(**message["backend"]))
        case "retire":
            await gateway.retire(message["endpoint"], message["deployment"])
        case "mirrored":
            return {"mirrored": gateway.mirrored()}
        case unknown:
            raise ValueError(f"The front knows no command {unknown!r}.")
    return None


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)


def main(arguments: list[str]) -> None:
    """Run the front with what the cloud process handed over."""
    channel_fd, listen_fd, certificate, key, mirror_queue, bandwidth, requests = arguments
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    channel, listener = socket.socket(fileno=int(channel_fd)), socket.socket(fileno=int(listen_fd))
    listener.setblocking(False)
    asyncio.run(serve(channel, listener, tls, (int(mirror_queue), int(bandwidth), int(requests))))


if __name__ == "__main__":
    main(sys.argv[1:])
