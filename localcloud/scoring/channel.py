"""Two processes of one machine talking over a connected socket: one JSON object per line, with answers where asked.

A socket pair rather than a port: nobody else can connect, and each side learns at once, by end of file, that the
other one is gone. Messages are handled in the order of their arrival up to their first await.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

Message = dict[str, Any]
Handler = Callable[[Message], Awaitable[Message | None]]

_LONGEST_LINE = 64 * 1024 * 1024


class ChannelClosed(ConnectionError):
    """The other process is gone."""


class Channel:
    """One side of the conversation. `run` must be running for anything to be heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler) -> None:
        self._reader, self._writer, self._handle = reader, writer, handle
        self._ids = count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def over(cls, sock: socket.socket, handle: Handler) -> Channel:
        """A channel over a connected socket, which it owns from now on."""
        sock.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=sock, limit=_LONGEST_LINE)
        return cls(reader, writer, handle)

    def send(self, message: Message) -> None:
        """Send without waiting for anything; lost when the other side is gone."""
        if not self._closed:
            self._writer.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def ask(self, message: Message) -> Message:
        """Send and wait for the answer; ChannelClosed when the other side goes away before it answered."""
        if self._closed:
            raise ChannelClosed
        number = next(self._ids)
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self.send({**message, "ask": number})
        try:
            return await future
        finally:
            del self._waiting[number]

    async def run(self) -> None:
        """Hear messages until the other side closes."""
        try:
            with contextlib.suppress(ConnectionError):
                while line := await self._reader.readline():
                    self._hear(json.loads(line))
        finally:
            self.close()

    def close(self) -> None:
        """Close this side; whoever waits for an answer gets ChannelClosed."""
        self._closed = True
        self._writer.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ChannelClosed())

    def _hear(self, message: Message) -> None:
        if (answered := message.pop("answer", None)) is not None:
            future = self._waiting.get(answered)
            if future is not None and not future.done():
                future.set_result(message)
            return
        task = asyncio.create_task(self._respond(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _respond(self, message: Message) -> None:
        number = message.pop("ask", None)
        answer = await self._handle(message)
        if number is not None:
            self.send({**(answer or {}), "answer": number})
