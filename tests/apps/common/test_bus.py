"""Does news arrive from any thread, and does a bus that is down hold nobody up?"""

import asyncio
import logging
import socket
import threading

import pytest

from apps.common.bus import LocalBus, RedisBus
from tests.apps.common.redis_server import RedisServer

PATIENCE = 20


@pytest.fixture(scope="module")
def server():
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture(params=["local", pytest.param("redis", marks=pytest.mark.redis)])
def bus(request):
    if request.param == "local":
        return LocalBus()
    server = request.getfixturevalue("server")
    server.client.flushall()
    return RedisBus(server.url)


def from_thread(bus, channel, *messages):
    thread = threading.Thread(target=lambda: [bus.publish(channel, message) for message in messages])
    thread.start()
    thread.join()
    if isinstance(bus, RedisBus):
        assert bus.flush(PATIENCE)


async def hear(subscription):
    return await asyncio.wait_for(anext(subscription), PATIENCE)


async def test_a_subscriber_hears_the_last_message_and_what_comes(bus):
    from_thread(bus, "a", b"1", b"2")
    subscription = bus.subscribe("a")

    assert await hear(subscription) == b"2"
    from_thread(bus, "b", b"not for us")
    from_thread(bus, "a", b"3")
    assert await hear(subscription) == b"3"
    await subscription.aclose()


async def test_every_subscriber_hears_the_same(bus):
    from_thread(bus, "a", b"1")
    subscriptions = [bus.subscribe("a") for _ in range(3)]
    assert [await hear(subscription) for subscription in subscriptions] == [b"1"] * 3
    from_thread(bus, "a", b"2")
    assert [await hear(subscription) for subscription in subscriptions] == [b"2"] * 3
    for subscription in subscriptions:
        await subscription.aclose()


async def test_the_last_message_is_kept_for_whoever_asks(bus):
    assert await bus.last("a") is None
    from_thread(bus, "a", b"1", b"\x00\xff")
    assert await bus.last("a") == b"\x00\xff"


async def test_news_wakes_a_loop_that_sleeps(bus):
    subscription = bus.subscribe("a")
    waiting = asyncio.ensure_future(hear(subscription))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(from_thread, bus, "a", b"1")
    assert await waiting == b"1"
    await subscription.aclose()


def test_a_subscriber_whose_loop_is_gone_stops_nobody():
    bus = LocalBus()
    loop = asyncio.new_event_loop()
    bus.publish("a", b"1")
    subscription = bus.subscribe("a")
    assert loop.run_until_complete(anext(subscription)) == b"1"
    loop.close()

    bus.publish("a", b"2")

    assert asyncio.run(bus.last("a")) == b"2"


async def test_a_slow_subscriber_hears_only_the_newest():
    bus = LocalBus()
    subscription = bus.subscribe("a")
    bus.publish("a", b"0")
    assert await hear(subscription) == b"0"
    for number in range(1000):
        bus.publish("a", b"%d" % number)
    await asyncio.sleep(0)
    assert await hear(subscription) == b"999"
    await subscription.aclose()


@pytest.mark.redis
async def test_the_last_message_does_not_stay_for_ever(server):
    bus = RedisBus(server.url)
    from_thread(bus, "passing", b"1")

    assert 3000 < server.client.ttl("passing:last") <= 3600


def test_a_publisher_is_not_troubled_by_a_redis_that_is_down(caplog):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        bus = RedisBus(f"redis://127.0.0.1:{closed.getsockname()[1]}/0")
        with caplog.at_level(logging.INFO, logger="apps.common.bus"):
            for number in range(1000):
                bus.publish("a", b"%d" % number)
            assert not bus.flush(seconds=1.5)

    assert [record.getMessage()[:15] for record in caplog.records] == ["the bus is down"]
    assert bus._unsent.get("a", b"999") == b"999"


async def test_where_redis_is_down_nobody_knows_the_last_message():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert await RedisBus(f"redis://127.0.0.1:{closed.getsockname()[1]}/0").last("a") is None


@pytest.mark.redis
async def test_after_a_restart_of_redis_the_newest_arrives(caplog):
    server = RedisServer()
    bus = RedisBus(server.url)
    subscription = bus.subscribe("a")
    try:
        with caplog.at_level(logging.INFO, logger="apps.common.bus"):
            from_thread(bus, "a", b"1")
            assert await hear(subscription) == b"1"
            waiting = asyncio.ensure_future(hear(subscription))
            await asyncio.to_thread(server.stop)
            for message in (b"2", b"3", b"4"):
                bus.publish("a", message)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(server.start)
            assert await waiting == b"4"
            assert await bus.last("a") == b"4"
        said = sorted({record.getMessage().split(":")[0] for record in caplog.records})
        assert said == ["the bus is back", "the bus is down"]
        assert len(caplog.records) <= 4, "once each way, for who speaks and for who listens"
    finally:
        await subscription.aclose()
        server.close()


@pytest.mark.redis
async def test_a_redis_that_hangs_holds_nobody_up_and_is_heard_again(monkeypatch):
    monkeypatch.setattr("apps.common.bus.SILENCE_SECONDS", 0.2)
    server = RedisServer()
    bus = RedisBus(server.url)
    subscription = bus.subscribe("a")
    try:
        from_thread(bus, "a", b"1")
        assert await hear(subscription) == b"1"
        server.freeze(True)
        for message in (b"2", b"3"):
            bus.publish("a", message)
        assert not await asyncio.to_thread(bus.flush, 0.5)
        server.freeze(False)
        heard = b"1"
        while heard != b"3":
            heard = await hear(subscription)
    finally:
        server.freeze(False)
        await subscription.aclose()
        server.close()


@pytest.mark.redis
async def test_a_line_that_has_died_without_a_word_is_made_up_for(server, monkeypatch):
    monkeypatch.setattr("apps.common.bus.SILENCE_SECONDS", 0.2)
    bus = RedisBus(server.url)
    from_thread(bus, "dying", b"1")
    subscription = bus.subscribe("dying")
    assert await hear(subscription) == b"1"
    # Nothing is said on the channel, as if the line had swallowed it; the key says what it was.
    server.client.set("dying:last", b"2")
    assert await hear(subscription) == b"2"
    await subscription.aclose()
