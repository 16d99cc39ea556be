"""A response with trailers, which aiohttp does not write by itself: chunked, with fields behind the last chunk."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.http import StreamWriter


async def with_trailers(
    request: web.BaseRequest, answer: web.Response, trailers: Mapping[str, str]
) -> web.StreamResponse:
    """Send this answer with these fields at its end; sent without them where chunks are not possible (HTTP/1.0)."""
    headers = answer.headers.copy()
    headers.popall("Content-Length", None)
    headers["Trailer"] = ", ".join(trailers)
    sent = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    if request.version < (1, 1):
        return answer
    sent.enable_chunked_encoding()
    writer = await sent.prepare(request)
    assert isinstance(answer.body, bytes)
    assert isinstance(writer, StreamWriter)
    if answer.body:
        await sent.write(answer.body)
    # From here the writer takes bytes as they are: the end of the chunks, and what comes behind it.
    writer.chunked = False
    fields = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    await writer.write(f"0\r\n{fields}\r\n".encode())
    return sent
