"""How does news travel from whoever makes it to every process that shows it?

A channel carries states, not events: each message replaces the one before, so whoever cannot keep up sees the newest,
and whoever comes later can ask for the last one. In one process it is a slot per subscriber; with REDIS_URL it is
Redis pub/sub beside a key that holds the last message for an hour.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from bitnerve.domain.errors import Refusal

LAST_KEPT_SECONDS = 3600
ANSWER_SECONDS_MAX = 2.0
"""How long Redis may take to answer before it counts as down."""
RETRY_SECONDS = 0.5
SILENCE_SECONDS = 5.0

_PATIENCE: dict[str, Any] = {"socket_timeout": ANSWER_SECONDS_MAX, "socket_connect_timeout": ANSWER_SECONDS_MAX}

logger = logging.getLogger(__name__)


class NoRedis(Refusal):
    """A Redis server that does not answer."""

    code = "NO_REDIS"


def check_redis(url: str) -> None:
    """Raise `NoRedis`, which names the place and never a password, unless a server answers there."""
    try:
        with redis.Redis.from_url(url, **_PATIENCE) as client:
            place = client.connection_pool.connection_kwargs
            client.ping()
    except ValueError as error:
        raise NoRedis(f"REDIS_URL: it is no address of a server: {error}") from None
    except RedisError as error:
        where = f"{place.get('host', place.get('path', 'localhost'))}:{place.get('port', '')}/{place.get('db', 0)}"
        raise NoRedis(f"REDIS_URL: {where}: {error}") from None


class Bus(Protocol):
    """What both buses can do."""

    def publish(self, channel: str, data: bytes) -> None:
        """Send a message to all who listen; from any thread, without waiting and without failing."""

    def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Yield the last message, if it is kept, then every newer one; messages may be repeated or skipped."""

    async def last(self, channel: str) -> bytes | None:
        """Return the last message of a channel, or None where nobody knows it."""


class LocalBus:
    """A bus within one process: any thread publishes, event loops listen."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, bytes] = {}
        self._slots: dict[str, set[_Slot]] = {}

    def publish(self, channel: str, data: bytes) -> None:
        """Keep the message and hand it to every subscriber's own loop."""
        with self._lock:
            self._last[channel] = data
            slots = list(self._slots.get(channel, ()))
        for slot in slots:
            # The loop of a subscriber may be gone already; it takes its slot along.
            with contextlib.suppress(RuntimeError):
                slot.loop.call_soon_threadsafe(slot.put, data)

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Yield the last message, then the newest whenever there is one."""
        slot = _Slot(asyncio.get_running_loop())
        with self._lock:
            self._slots.setdefault(channel, set()).add(slot)
            if channel in self._last:
                slot.put(self._last[channel])
        try:
            while True:
                yield await slot.take()
        finally:
            with self._lock:
                self._slots[channel].discard(slot)
                if not self._slots[channel]:
                    del self._slots[channel]

    async def last(self, channel: str) -> bytes | None:
        """Return the last message of a channel, or None before the first."""
        return self._last.get(channel)


class _Slot:
    """Room for one message on its way into a loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._data: bytes | None = None
        self._filled = asyncio.Event()

    def put(self, data: bytes) -> None:
        self._data = data
        self._filled.set()

    async def take(self) -> bytes:
        await self._filled.wait()
        self._filled.clear()
        assert self._data is not None
        return self._data


class RedisBus:
    """A bus between processes. A thread of its own talks to Redis, so that a publisher never waits for it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._changed = threading.Condition()
        self._unsent: dict[str, bytes] = {}
        self._sending = False
        self._thread: threading.Thread | None = None

    def publish(self, channel: str, data: bytes) -> None:
        """Leave the message to the thread; while Redis is down, only the newest of each channel waits."""
        with self._changed:
            self._unsent[channel] = data
            # A thread does not survive a fork: the child finds it dead and starts its own.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._send_forever, name="bus", daemon=True)
                self._thread.start()
                atexit.register(self.flush)
            self._changed.notify_all()

    def flush(self, seconds: float = ANSWER_SECONDS_MAX) -> bool:
        """Wait until everything is sent, for so long at most, and return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unsent and not self._sending, timeout=seconds)

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Yield the last message, then every newer one; after a cut, begin again with the last one."""
        down = False
        while True:
            try:
                async with contextlib.aclosing(self._listen(channel)) as messages:
                    async for data in messages:
                        if down:
                            logger.info("the bus is back: %s is heard again", channel)
                        down = False
                        yield data
            except (RedisError, OSError) as error:
                if not down:
                    logger.warning("the bus is down: nothing is heard of %s (%s)", channel, error)
                down = True
                await asyncio.sleep(RETRY_SECONDS)

    async def last(self, channel: str) -> bytes | None:
        """Return the last message of the last hour; None where there is none, or nobody can be asked."""
        try:
            async with self._open() as client:
                return await client.get(_key(channel))
        except (RedisError, OSError):
            return None

    async def _listen(self, channel: str) -> AsyncGenerator[bytes]:
        async with self._open() as client, client.pubsub() as subscription:
            await subscription.subscribe(channel)
            # Subscribed first, asked second: what is published in between arrives twice rather than never.
            newest = None
            while True:
                kept = await client.get(_key(channel))
                if kept is not None and kept != newest:
                    newest = kept
                    yield newest
                # A line may die without a word. So whoever hears nothing for a while asks again, over another one.
                while (message := await self._next(subscription)) is not None:
                    newest = message["data"]
                    yield newest

    async def _next(self, subscription: Any) -> dict[str, Any] | None:
        """Return the next message of a subscription; None after a while without one."""
        return await subscription.get_message(ignore_subscribe_messages=True, timeout=SILENCE_SECONDS)

    def _open(self) -> redis.asyncio.Redis:
        # Whoever calls tries again in its own time; a client that retries by itself would only hide the cut.
        retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        return redis.asyncio.Redis.from_url(self._url, retry=retry, **_PATIENCE)

    def _send_forever(self) -> None:
        client = redis.Redis.from_url(self._url, retry=redis.retry.Retry(NoBackoff(), 0), **_PATIENCE)
        down = False
        while True:
            channel, data = self._take_unsent()
            try:
                with client.pipeline(transaction=False) as pipeline:
                    pipeline.set(_key(channel), data, ex=LAST_KEPT_SECONDS).publish(channel, data).execute()
            except (RedisError, OSError) as error:
                if not down:
                    logger.warning("the bus is down: frames are dropped until it is back (%s)", error)
                down = True
                self._settle(channel, unsent=data)
                threading.Event().wait(RETRY_SECONDS)
            else:
                if down:
                    logger.info("the bus is back")
                down = False
                self._settle(channel, unsent=None)

    def _take_unsent(self) -> tuple[str, bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._unsent)
            self._sending = True
            channel = next(iter(self._unsent))
            return channel, self._unsent.pop(channel)

    def _settle(self, channel: str, *, unsent: bytes | None) -> None:
        with self._changed:
            self._sending = False
            if unsent is not None:
                # Unless a newer one has come meanwhile, it waits for Redis: it may be a season's last frame.
                self._unsent.setdefault(channel, unsent)
            self._changed.notify_all()


def _key(channel: str) -> str:
    return f"{channel}:last"


@functools.cache
def get_bus() -> Bus:
    """Return the bus of this process."""
    return RedisBus(settings.REDIS_URL) if settings.REDIS_URL else LocalBus()
