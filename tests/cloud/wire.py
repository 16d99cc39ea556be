"""A TLS server that answers with whatever a test scripts: the awkward replies of Azure, byte for byte."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from tests import web_server


@dataclass(frozen=True)
class Reply:
    """One scripted answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Wire:
    """The server's address, the answer it gives to every request, and the paths that were asked."""

    url: str
    reply: Reply = Reply(200)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    """Of each request, names in lower case."""


@contextmanager
def serving(folder: Path, monkeypatch_env: dict[str, str]) -> Iterator[Wire]:
    """Start it; `monkeypatch_env` receives what a client needs in its environment to trust it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch_env["REQUESTS_CA_BUNDLE"] = str(folder / "ca.pem")
    wire = Wire("")

    class Scripted(web_server.Handler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wire.asked.append(self.path)
            wire.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(wire.reply.status)
            for name, value in {**wire.reply.headers, "Content-Length": str(len(wire.reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(wire.reply.body)

        do_GET = do_POST

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with web_server.serving(Scripted, context) as wire.url:
        yield wire


@contextmanager
def trusted(folder: Path) -> Iterator[Wire]:
    """Start it, trusted by the clients of this process."""
    environment: dict[str, str] = {}
    with serving(folder, environment) as wire, pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield wire
