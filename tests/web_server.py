"""A small web server of the outside world, up for the time of a block. What it answers is the test's own handler."""

from __future__ import annotations

import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from localcloud import certificates


class Handler(BaseHTTPRequestHandler):
    """What a test's handler is made of: it logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    """The usual 5 are too few for the connections of many clients at once: those beyond are dropped or reset."""

    def handle_error(self, *where: Any) -> None:
        """A client that no longer waits closes its connection; anything else is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(*where)


def certified(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate of the authority in `folder`."""
    certificate, key = certificates.issue(folder, "localhost", "127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


@contextmanager
def serving(handler: type[Handler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on a free port of this machine; its address, such as http://localhost:49152."""
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
