"""The two servers that bench_sockets compares, each a process of its own: our hub, or a group of channels-redis.

`python -m tests.bench.sockets_server hub|group` serves on a free port that it prints. It then answers lines:
"send BYTES" sends everybody one message of so many bytes and answers when it began, "usage" answers what it has cost.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn

PATH = "/ws/v1/public/arenas/bench"
GROUP = "bench"
REDIS = os.environ.get("BITNERVE_BENCH_REDIS", "redis://127.0.0.1:6379/9")


class HubServer:
    """Our own: one frame, made once, written to every socket."""

    def __init__(self) -> None:
        from apps.common.bus import LocalBus

        self.bus = LocalBus()
        self.numbers = itertools.count(1)

    def application(self) -> Any:
        """Return the application of the house on this bus, with a season that needs no database."""
        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.urls import re_path

        from apps.leaderboard.consumers import Spectators
        from apps.leaderboard.hub import Hub
        from apps.leaderboard.selectors.live import Place

        async def find_places() -> dict[str, Place]:
            return {"bench": Place(season_id=1, slug="bench-1", state="LIVE")}

        async def recall(season_id: int) -> Any:
            return self.frame(100)

        hub = Hub(bus=self.bus, channel_of=str, find_places=find_places, recall=recall)
        spectators = Spectators(hub=hub, allowed_hosts=["localhost"], sockets_per_address_max=100_000)
        route = re_path(r"^ws/v1/public/arenas/(?P<arena>[^/]+)$", spectators)
        return ProtocolTypeRouter({"websocket": URLRouter([route])})

    def settings(self) -> dict[str, Any]:
        """Return how the house serves."""
        from apps.common.wire import server_settings

        return server_settings(port=0) | {"lifespan": "off"}

    def frame(self, size: int) -> Any:
        """Return the next frame; its delta has so many bytes."""
        from bitnerve.engine.frames import Broadcast

        text = make_text(size)
        return Broadcast(
            number=next(self.numbers),
            sent_at_ms=time.time_ns() // 1_000_000,
            state="LIVE",
            is_moving=True,
            snapshot=text,
            delta=text,
        )

    def send(self, size: int) -> None:
        """Publish a frame, as a worker's thread does."""
        self.bus.publish("bench-1", self.frame(size).pack())


class GroupServer:
    """The usual way: every socket is a member of a group, and the layer delivers to each of them."""

    def __init__(self) -> None:
        from channels.layers import get_channel_layer
        from django.conf import settings

        # The layer waits five seconds for a message, and so does redis-py by now before it takes its server for dead.
        hosts = [{"address": REDIS, "socket_timeout": None}]
        layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": hosts, "capacity": 1000}}
        settings.CHANNEL_LAYERS = {"default": layer}
        self.layer = get_channel_layer()
        self.loop: asyncio.AbstractEventLoop | None = None

    def application(self) -> Any:
        """Return consumers that pass on whatever their group is sent."""
        from channels.generic.websocket import AsyncWebsocketConsumer
        from channels.routing import ProtocolTypeRouter, URLRouter
        from django.urls import re_path

        server = self

        class Consumer(AsyncWebsocketConsumer):
            async def connect(self) -> None:
                server.loop = asyncio.get_running_loop()
                await server.layer.group_add(GROUP, self.channel_name)
                await self.accept()
                await self.send(text_data=make_text(100).decode())

            async def frame(self, event: dict[str, Any]) -> None:
                await self.send(text_data=event["text"])

        return ProtocolTypeRouter({"websocket": URLRouter([re_path("", Consumer.as_asgi())])})

    def settings(self) -> dict[str, Any]:
        """Return uvicorn's own choices, without compression: the clients do not ask for it."""
        return {"host": "127.0.0.1", "port": 0, "backlog": 4096, "access_log": False, "lifespan": "off"}

    def send(self, size: int) -> None:
        """Send to the group and wait until the layer has taken the message."""
        assert self.loop is not None
        message = {"type": "frame", "text": make_text(size).decode()}
        asyncio.run_coroutine_threadsafe(self.layer.group_send(GROUP, message), self.loop).result()


def make_text(size: int) -> bytes:
    """Return a JSON text of exactly so many bytes."""
    text = b'{"type":"delta","rows":"%s"}'
    return text % (b"7" * (size - len(text) + 2))


def usage() -> dict[str, float]:
    """Return the processor seconds and the resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {"cpu_seconds": time.process_time(), "resident_bytes": pages * resource.getpagesize()}


async def serve(server: Any) -> None:
    """Serve until standard input ends."""
    config = uvicorn.Config(**server.settings() | {"app": server.application(), "log_level": "warning"})
    program = uvicorn.Server(config)
    task = asyncio.create_task(program.serve())
    while not program.started:
        await asyncio.sleep(0.01)
    say({"port": program.servers[0].sockets[0].getsockname()[1]})
    while line := await asyncio.to_thread(sys.stdin.readline):
        word, *rest = line.split()
        if word == "usage":
            say(usage())
        else:
            began = time.monotonic()
            # From another thread than the loop's, as in the house.
            await asyncio.to_thread(server.send, int(rest[0]))
            say({"began_at": began})
    program.should_exit = program.force_exit = True
    await task


def say(answer: dict[str, Any]) -> None:
    """Answer one line."""
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    import django

    django.setup()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    which = {"hub": HubServer, "group": GroupServer}[sys.argv[1]]()
    with asyncio.Runner(loop_factory=__import__("uvloop").new_event_loop) as runner:
        runner.run(serve(which))
