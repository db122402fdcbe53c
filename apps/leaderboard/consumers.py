"""Who may watch, and what may a spectator send? The door of `/ws/v1/public/arenas/<slug>`."""

from __future__ import annotations

import ipaddress
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from django.http.request import validate_host

from apps.common.wire import MESSAGE_BYTES_MAX, Wire, find_wire
from apps.leaderboard.hub import Hub, Room

MESSAGES_A_SECOND_MAX = 10
SOCKETS_MAX = 10_000
"""In one process, whoever they belong to."""

NO_SUCH_ARENA, TOO_LARGE, TRY_LATER, TOO_MANY_MESSAGES = 4004, 1009, 1013, 4029

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)


class Spectators:
    """The ASGI application that lets spectators in."""

    def __init__(self, *, hub: Hub, allowed_hosts: Sequence[str], sockets_per_address_max: int) -> None:
        self._hub = hub
        # A list that names everybody is none: pages may be served to any host, sockets may not.
        self._allowed_hosts = [host for host in allowed_hosts if host != "*"]
        self._sockets_per_address_max = sockets_per_address_max
        self._sockets: Counter[str] = Counter()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one socket from its request to its end."""
        await receive()
        address = address_of(scope)
        is_full = self._sockets[address] >= self._sockets_per_address_max or self._sockets.total() >= SOCKETS_MAX
        if is_full or not is_origin_allowed(scope, self._allowed_hosts):
            # Before it is accepted: the server answers 403 and keeps nothing.
            await send({"type": "websocket.close"})
            return
        self._sockets[address] += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self._sockets[address] -= 1
            if not self._sockets[address]:
                del self._sockets[address]

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        # A browser's headers are a fifth of what a socket weighs, and were needed for a moment.
        scope["headers"].clear()
        wire = find_wire(scope, send)
        room = await self._lead(scope["url_route"]["kwargs"]["arena"], wire)
        try:
            await listen(receive, wire)
        finally:
            if room is not None:
                room.leave(wire)

    async def _lead(self, arena: str, wire: Wire) -> Room | None:
        """Return the room that the spectator is in now; None for one who was sent away."""
        try:
            place = await self._hub.find(arena)
            if place is None:
                wire.hang_up(NO_SUCH_ARENA, "no such arena")
                return None
            return await self._hub.enter(place=place, wire=wire)
        except Exception:
            # Whatever is broken is ours, not the spectator's: the page tries again by itself.
            logger.exception("a spectator could not be served")
            wire.hang_up(TRY_LATER, "try again later")
            return None


async def listen(receive: Receive, wire: Wire) -> None:
    """Wait until a spectator leaves; what it says is not asked for, and too much of it ends the visit."""
    began, count = monotonic(), 0
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        now = monotonic()
        if now - began >= 1.0:
            began, count = now, 0
        count += 1
        if count > MESSAGES_A_SECOND_MAX:
            wire.hang_up(TOO_MANY_MESSAGES, "too many messages")
        elif len(message.get("text") or message.get("bytes") or "") > MESSAGE_BYTES_MAX:
            wire.hang_up(TOO_LARGE, "message too large")


def is_origin_allowed(scope: dict[str, Any], allowed_hosts: Sequence[str]) -> bool:
    """Return whether the page that opens the socket is one of ours; a program that is no browser names no page."""
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    if not origins:
        return True
    try:
        page = urlsplit(origins[0].decode("ascii"))
        host = page.hostname
    except ValueError:
        return False
    if len(origins) > 1 or page.scheme not in ("http", "https") or not host:
        return False
    return validate_host(f"[{host}]" if ":" in host else host, allowed_hosts)


def address_of(scope: dict[str, Any]) -> str:
    """Return whom a socket counts for: an IPv4 address, or the /64 that one IPv6 customer is given whole."""
    client = scope.get("client")
    try:
        address = ipaddress.ip_address(client[0].partition("%")[0] if client else "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
