"""How do bytes get onto a WebSocket that has been accepted, and how is a reader noticed that does not keep up?

ASGI's `send` frames and copies a message for every socket and cannot say how much still waits. So uvicorn's protocol is
extended by two things: a frame that was made once is written as it is, and only where nothing waits before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode

EXTENSION = "bitnerve.wire"
"""What a scope calls the socket itself, under its `extensions`."""

MESSAGE_BYTES_MAX = 4 * 1024
PING_SECONDS = 20.0
BACKLOG = 4096
KERNEL_BUFFER_BYTES = 64 * 1024
"""What the system may hold for a reader: a dozen frames, where it would let megabytes of old ones pile up."""
UNREAD_BYTES_MAX = 64 * 1024
"""Answers to pings that nobody reads; whoever leaves more is cut off."""
GOODBYE_SECONDS_MAX = 5.0
"""How long a plain wire waits for what it is sending before it closes without it."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Text:
    """One text message, made once for everybody: its bytes, and the WebSocket frame around them."""

    __slots__ = ("frame", "payload")

    def __init__(self, payload: bytes) -> None:
        self.payload = payload
        self.frame = Frame(Opcode.TEXT, payload).serialize(mask=False)


class Wire(Protocol):
    """An accepted socket, as a hub writes to it."""

    def write(self, text: Text) -> bool:
        """Write a message and return True; write nothing and return False where an earlier one still waits."""

    def hang_up(self, code: int, reason: str) -> None:
        """Say goodbye with a code; whoever does not answer is cut off after a while."""


class WireProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol that is itself a wire, found in the scope's extensions."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the system holds back for a slow reader."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER_BYTES)

    def handle_connect(self, event: Any) -> None:
        """Put the wire into the scope; the application sees it when its task begins."""
        super().handle_connect(event)
        if hasattr(self, "scope"):
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self

    def start_keepalive(self) -> None:
        """Forget the request once it is answered; a socket lives for hours."""
        super().start_keepalive()
        del self.request, self.response

    def handle_ping(self) -> None:
        """Answer a ping, unless the answers before are not even read."""
        if self.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self.transport.abort()
            return
        super().handle_ping()

    def write(self, text: Text) -> bool:
        """Write a frame as it is; False where an earlier one still waits."""
        transport = self.transport
        if transport.get_write_buffer_size():
            return False
        if not self.close_sent and not transport.is_closing():
            transport.write(text.frame)
        return True

    def hang_up(self, code: int, reason: str) -> None:
        """Close at once, behind whatever still waits, and do not wait for ever to be answered."""
        if self.close_sent or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, reason)
        except InvalidState:
            return
        self.close_sent = True
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)


class PlainWire:
    """The same on any ASGI server: slower, and one message at a time."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._task: asyncio.Task[None] | None = None
        self._hung_up = False

    def write(self, text: Text) -> bool:
        """Begin to send a message; False while the one before is not sent."""
        if self._hung_up:
            return True
        if self._task is not None and not self._task.done():
            return False
        self._task = asyncio.ensure_future(self._deliver({"type": "websocket.send", "text": text.payload.decode()}))
        return True

    def hang_up(self, code: int, reason: str) -> None:
        """Close once what is being sent is sent, or without it where the reader is stuck."""
        if self._hung_up:
            return
        self._hung_up = True
        self._task = asyncio.ensure_future(self._close(self._task, code, reason))

    async def _close(self, unsent: asyncio.Task[None] | None, code: int, reason: str) -> None:
        if unsent is not None:
            await asyncio.wait([unsent], timeout=GOODBYE_SECONDS_MAX)
            unsent.cancel()
        await self._deliver({"type": "websocket.close", "code": code, "reason": reason})

    async def _deliver(self, message: dict[str, Any]) -> None:
        # A reader who has left is told by `receive`; here it is no news.
        with contextlib.suppress(OSError, RuntimeError):
            await self._send(message)


def find_wire(scope: dict[str, Any], send: Send) -> Wire:
    """Return the wire of an accepted socket: the server's own, or a plain one."""
    wire = scope.get("extensions", {}).get(EXTENSION)
    return cast(Wire, wire) if wire is not None else PlainWire(send)


def server_settings(*, host: str = "127.0.0.1", port: int = 8000) -> dict[str, Any]:
    """Return the keyword arguments of `uvicorn.Config` under which the house serves pages and sockets.

    Frames are small and sent to thousands at once: compressing each costs more than it saves. Nobody has a reason to
    send more than a few words, and whoever does not answer a ping is gone.
    """
    return {
        "app": "apps.asgi:application",
        "host": host,
        "port": port,
        "ws": WireProtocol,
        "ws_max_size": MESSAGE_BYTES_MAX,
        "ws_ping_interval": PING_SECONDS,
        "ws_ping_timeout": PING_SECONDS,
        "ws_per_message_deflate": False,
        "backlog": BACKLOG,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": 5,
        "lifespan": "on",
    }
