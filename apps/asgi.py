"""What a server runs that serves pages and sockets: `uvicorn` under `apps.common.wire.server_settings`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connections
from django.urls import re_path

# WhiteNoise hands files over in one piece each; a server for many people has its proxy serve them.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitnerve.settings.production")
# Models may be imported once Django is set up, and not before.
pages = get_asgi_application()

from apps.common.bus import Bus, get_bus  # noqa: E402
from apps.leaderboard.consumers import Spectators  # noqa: E402
from apps.leaderboard.hub import Hub  # noqa: E402
from apps.leaderboard.selectors import live  # noqa: E402
from apps.leaderboard.services import frames  # noqa: E402

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def make_application(*, bus: Bus) -> ProtocolTypeRouter:
    """Return the application of one process, with a hub of its own on a bus."""
    hub = Hub(
        bus=bus,
        channel_of=frames.channel_of,
        find_places=database_sync_to_async(live.list_places),
        recall=database_sync_to_async(lambda season_id: frames.recall_broadcast(season_id=season_id)),
    )
    spectators = Spectators(
        hub=hub,
        allowed_hosts=settings.ALLOWED_HOSTS,
        sockets_per_address_max=settings.SOCKETS_PER_ADDRESS_MAX,
    )
    sockets = URLRouter([re_path(r"^ws/v1/public/arenas/(?P<arena>[^/]+)$", spectators), re_path("", _refuse)])
    return ProtocolTypeRouter({"http": pages, "websocket": sockets, "lifespan": _Lifespan(hub)})


async def _refuse(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer a socket at an address that there is not."""
    await receive()
    await send({"type": "websocket.close"})


class _Lifespan:
    """What happens when the server starts and stops."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer the server until it stops."""
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._hub.stop()
        await database_sync_to_async(connections.close_all)()
        await send({"type": "lifespan.shutdown.complete"})


application = make_application(bus=get_bus())
