"""Does everybody see the right board again after the bus was cut, emptied or restarted?"""

import os
import subprocess
import sys

import pytest

from apps.common.bus import RedisBus
from apps.leaderboard.services import frames as services
from bitnerve.engine.frames import merge_frame
from tests.apps.common.redis_server import RedisServer
from tests.apps.leaderboard.serving import PATIENCE, Served, hear, make_season, make_standing, publish
from tests.house.checkout import ROOT

pytestmark = pytest.mark.redis


@pytest.fixture
def redis_server():
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def bus(redis_server):
    return RedisBus(redis_server.url)


def send(season, bus, rows, **others):
    publish(season, bus, rows, **others)
    assert bus.flush(PATIENCE)


def test_two_processes_share_one_board(served, bus, redis_server):
    season = make_season()
    send(season, bus, {"ada": {"equity": "1"}})
    other = Served(RedisBus(redis_server.url))
    with served.open() as one, other.open() as two:
        assert one.recv(timeout=PATIENCE) == two.recv(timeout=PATIENCE)
        send(season, bus, {"ada": {"equity": "2"}})
        message = one.recv(timeout=PATIENCE)
        assert message == two.recv(timeout=PATIENCE)
        assert '"delta"' in message
    other.stop()


def test_a_publisher_in_another_process_is_heard(served, bus, redis_server):
    season = make_season()
    send(season, bus, {"ada": {"equity": "1"}})
    program = (
        "import django, sys; django.setup(); from django.db import connections;"
        "connections['default'].settings_dict['NAME'] = sys.argv[1];"
        "from tests.apps.leaderboard.serving import publish; from apps.common.bus import get_bus;"
        "from apps.arenas.models import Season;"
        "publish(Season.objects.get(), get_bus(), {'ada': {'equity': '2'}})"
    )
    from django.db import connections

    with served.open() as client:
        hear(client)
        # It ends at once: what it published must be on its way by then.
        subprocess.run(
            [sys.executable, "-c", program, connections["default"].settings_dict["NAME"]],
            cwd=ROOT,
            check=True,
            env={**os.environ, "REDIS_URL": redis_server.url, "DJANGO_SETTINGS_MODULE": "bitnerve.settings.test"},
        )
        frame = hear(client)

    assert (frame["type"], frame["seq"], frame["rows"]) == ("snapshot", 2, {"ada": {"equity": "2"}})


def test_a_cut_of_the_bus_loses_no_row(served, bus, redis_server):
    season = make_season()
    rows = {"ada": {"equity": "0"}, "bob": {"equity": "0"}}
    send(season, bus, rows)
    with served.open() as client:
        board = merge_frame(board=None, frame=hear(client))
        redis_server.stop()
        for number in range(1, 4):
            rows = {"ada": {"equity": str(number)}, "bob": {"equity": "0"}, f"new {number}": {"equity": "5"}} | rows
            publish(season, bus, rows)
        redis_server.start()
        assert bus.flush(PATIENCE)
        while board["seq"] < 4:
            frame = hear(client)
            assert frame["type"] == "snapshot" or frame["seq"] == board["seq"] + 1
            board = merge_frame(board=board, frame=frame)

    assert board["rows"] == rows


def test_a_flushed_redis_is_not_even_noticed(served, bus, redis_server):
    season = make_season()
    make_standing(season, "ada", equity="7")
    send(season, bus, {"ada": {"equity": "1"}})
    with served.open() as client:
        hear(client)
        redis_server.client.flushall()
        send(season, bus, {"ada": {"equity": "2"}})
        assert hear(client)["rows"] == {"ada": {"equity": "2"}}
        redis_server.client.flushall()
        with served.open() as late:
            assert hear(late)["rows"] == {"ada": {"equity": "2"}}


def test_where_redis_has_forgotten_the_board_the_database_tells_it(served, bus, redis_server):
    season = make_season()
    make_standing(season, "ada", equity="7")
    send(season, bus, {"ada": {"equity": "1"}})
    redis_server.client.flushall()
    with served.open() as client:
        assert hear(client)["rows"]["ada"]["equity"] == "7"


def test_while_redis_is_down_the_database_tells_the_board(served, bus, redis_server):
    make_standing(make_season(), "ada", equity="7")
    redis_server.stop()
    with served.open() as client:
        assert hear(client)["rows"]["ada"]["equity"] == "7"


def test_a_publisher_that_starts_anew_is_followed(served, bus):
    season = make_season()
    send(season, bus, {"ada": {"equity": "1"}})
    with served.open() as client:
        hear(client)
        services._told.clear()
        send(season, bus, {"ada": {"equity": "2"}})
        frame = hear(client)

    assert (frame["type"], frame["seq"], frame["rows"]) == ("snapshot", 2, {"ada": {"equity": "2"}})


def test_a_numbering_that_begins_anew_is_followed(served, bus, monkeypatch):
    monkeypatch.setattr("apps.leaderboard.hub.RENUMBERED_MS", -1)
    season = make_season()
    type(season).objects.update(frame=500)
    send(season, bus, {"ada": {"equity": "1"}})
    with served.open() as client:
        assert hear(client)["seq"] == 501
        type(season).objects.update(frame=0)
        services._told.clear()
        send(season, bus, {"ada": {"equity": "2"}})
        frame = hear(client)

    assert (frame["type"], frame["seq"]) == ("snapshot", 1)
