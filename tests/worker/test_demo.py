"""The demo meets bad input, a second one, a database that goes away, signals, and its own death."""

import signal
import socket
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest
from django.contrib.staticfiles.finders import get_finder

from tests.apps.common.redis_server import RedisServer
from tests.apps.trades.rows import CHECKS
from tests.worker.demos import Home, free_port, wait_for
from worker.management.commands.demo import collect_files

FAST = {"SPEED": "300"}
"""A tick in a second."""

BAD = {
    "port_text": ({"PORT": "abc"}, "PORT: 'abc' is not a port"),
    "port_large": ({"PORT": "65536"}, "PORT: '65536' is not a port"),
    "port_signs": ({"PORT": "٣٤"}, "PORT: '٣٤' is not a port"),
    "speed_none": ({"SPEED": "0"}, "SPEED: '0' is not a number above 0"),
    "speed_text": ({"SPEED": "abc"}, "SPEED: 'abc' is not a number"),
    "speed_nan": ({"SPEED": "nan"}, "SPEED: 'nan' is not a number"),
    "market": ({"MARKET": "what"}, "MARKET: 'what' is neither simulated nor replay"),
    "no_candles": ({"MARKET": "replay"}, "name the recordings to replay with CANDLES=FILE"),
    "lost_candles": ({"MARKET": "replay", "CANDLES": "/no/such.parquet"}, "CANDLES: /no/such.parquet is not a file"),
    "no_candle": ({"MARKET": "replay", "CANDLES": __file__}, "test_demo.py"),
    "funding": ({"FUNDING": __file__}, "only a replay takes recordings"),
    "database_text": ({"DATABASE_URL": "nonsense"}, "DATABASE_URL: not an address like postgres://"),
    "database_kind": (
        {"DATABASE_URL": "mysql://a:secret@127.0.0.1/x"},
        "DATABASE_URL: not an address like postgres://",
    ),
    "database_away": ({"DATABASE_URL": "postgres://a:secret@127.0.0.1:1/x"}, "DATABASE_URL: 127.0.0.1:1/x as a: "),
    "redis_text": ({"REDIS_URL": "nonsense"}, "REDIS_URL: it is no address"),
    "redis_away": ({"REDIS_URL": "redis://:secret@127.0.0.1:1/0"}, "REDIS_URL: 127.0.0.1:1/0: "),
}


@pytest.fixture
def make_home(tmp_path):
    homes = []

    def make(name="home"):
        (tmp_path / name).mkdir()
        homes.append(Home(tmp_path / name))
        return homes[-1]

    yield make
    for home in homes:
        home.close()


def test_bad_input_is_said_in_one_sentence_and_starts_nothing(make_home):
    """All at once, each in a home of its own: code 2, no traceback, no password, no server left."""
    started = {name: (make_home(name), variables, words) for name, (variables, words) in BAD.items()}
    demos = {name: home.start(**variables) for name, (home, variables, _) in started.items()}
    for name, demo in demos.items():
        assert demo.wait(120) == 2, (name, demo.said)
        home, _, words = started[name]
        assert words in demo.said, (name, demo.said)
        assert "Traceback" not in demo.said, (name, demo.said)
        assert "secret" not in demo.said, name
        assert not home.has_server, name


@pytest.mark.usefixtures("django_db_setup")
def test_a_wrong_role_or_database_is_named(make_home, settings):
    """On the tests' own server, which lets everybody in who has a role."""
    place = settings.DATABASES["owner"]
    host = str(place["HOST"]).replace("/", "%2F")
    port = f":{place['PORT']}" if place.get("PORT") else ""
    home = make_home()
    for user, name in (("nobody_here", place["NAME"]), (place["USER"], "no_such_database")):
        demo = home.start(DATABASE_URL=f"postgres://{user}:secret@{host}{port}/{name}")
        assert demo.wait() == 2
        assert f"/{name} as {user}: " in demo.said, demo.said
        assert "does not exist" in demo.said or "authentication failed" in demo.said
        assert "secret" not in demo.said
        assert "Traceback" not in demo.said


def test_a_wrong_password_is_said_and_not_shown(make_home):
    """On a server that asks for one: of the owner, and of the role that the application signs in with."""
    keeper = make_home("keeper")
    keeper.server.start()
    with psycopg.connect(host=str(keeper.socket), user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute("CREATE ROLE landlord LOGIN CREATEROLE PASSWORD 'right'")
        connection.execute("CREATE ROLE bitnerve_app LOGIN PASSWORD 'another'")
        connection.execute("CREATE DATABASE house OWNER landlord")
        (hba,) = connection.execute("SHOW hba_file").fetchone()
        Path(hba).write_text("local all postgres trust\nlocal all all scram-sha-256\n", encoding="ascii")
        connection.execute("SELECT pg_reload_conf()")
    where = str(keeper.socket).replace("/", "%2F")
    addresses = {
        "landlord": {"DATABASE_URL": f"postgres://landlord:secret@{where}/house"},
        "bitnerve_app": {
            "DATABASE_URL": f"postgres://landlord:right@{where}/house",
            "DATABASE_APP_URL": f"postgres://bitnerve_app:secret@{where}/house",
        },
    }
    for role, variables in addresses.items():
        home = make_home(role)
        demo = home.start(**variables)
        assert demo.wait() == 2, demo.said
        assert f"{list(variables)[-1]}: {keeper.socket}:5432/house as {role}: " in demo.said, demo.said
        assert f'password authentication failed for user "{role}"' in demo.said
        assert "secret" not in demo.said
        assert "Traceback" not in demo.said
        assert not home.has_server


@pytest.mark.redis
def test_a_redis_that_hangs_is_said_at_the_start_and_waited_for_later(make_home):
    """Frozen, it keeps its lines open and answers nobody; nothing is lost, and ticks go on when it does."""
    server = RedisServer()
    try:
        server.freeze(True)
        demo = make_home("early").start(REDIS_URL=server.url)
        assert demo.wait() == 2, demo.said
        assert f"REDIS_URL: 127.0.0.1:{server.port}/0: Timeout" in demo.said, demo.said
        assert "Traceback" not in demo.said
        server.freeze(False)

        home = make_home()
        demo = home.start(**FAST, REDIS_URL=server.url)
        demo.wait_until_it_runs()
        seen = home.closed()
        wait_for(lambda: home.closed() > seen, why=lambda: demo.said)
        server.freeze(True)
        wait_for(lambda: "the dispatcher waits" in demo.said, why=lambda: demo.said)
        server.freeze(False)
        seen = home.closed()
        wait_for(lambda: home.closed() > seen + 1, why=lambda: demo.said)
        check(home)
        assert demo.end(signal.SIGTERM) in (0, 130), demo.said
        assert not home.has_server
    finally:
        server.close()


def test_the_demo_lives_through_whatever_befalls_it(make_home):
    """One season from its start on: a second demo, a database that stops, a death, and a quiet end."""
    home = make_home()
    demo = home.start(**FAST)
    demo.wait_until_it_runs()

    second = home.start()
    assert second.wait() == 2
    assert f"runs already, at http://127.0.0.1:{demo.port}/" in second.said
    stranger = make_home("stranger").start(PORT=demo.port)
    assert stranger.wait() == 2
    assert f"PORT: {demo.port} is taken" in stranger.said

    seen = home.closed()
    wait_for(lambda: home.closed() > seen, why=lambda: demo.said)

    # The database goes away and comes back: what was committed is there, and ticks go on.
    home.server.stop()
    assert not home.has_server
    assert demo.process.poll() is None
    home.server.start()
    # Ours was only the hand that started it.
    home.server.end_use()
    seen = home.closed()
    wait_for(lambda: home.closed() > seen + 1, why=lambda: demo.said)
    check(home)

    # Killed like a machine without power; the next one finds the season, and the server that was left behind.
    demo.end(signal.SIGKILL)
    assert home.has_server
    seen = home.closed()
    demo = home.start(**FAST)
    demo.wait_until_it_runs()
    wait_for(lambda: home.closed() > seen + 1, why=lambda: demo.said)
    assert home.ask("SELECT slug, state FROM arenas_season") == [("open-1", "LIVE")]
    check(home)
    assert demo.end(signal.SIGTERM) in (0, 130), demo.said
    assert "Traceback" not in demo.said
    assert not home.has_server
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", demo.port))


def test_a_season_whose_market_has_ended_is_final_and_says_so(make_home):
    home = make_home()
    demo = home.start("--ticks=5", **FAST)
    demo.wait_until_it_runs()
    wait_for(lambda: home.ask("SELECT state FROM arenas_season") == [("FINAL",)], why=lambda: demo.said)
    wait_for(lambda: "the season is over" in demo.said, why=lambda: demo.said)
    # The last tick marks everybody at the season's end, and everybody is ranked there.
    assert home.ask("SELECT DISTINCT as_of = ends_at FROM leaderboard_standing CROSS JOIN arenas_season") == [(True,)]
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/arenas/open/", timeout=30) as answer:
        assert "This season is final" in answer.read().decode()
    check(home)
    assert demo.end(signal.SIGINT) in (0, 130), demo.said
    assert "Traceback" not in demo.said
    assert not home.has_server


def test_the_files_of_the_pages_are_collected_again_when_they_have_changed(tmp_path, settings):
    source = tmp_path / "source"
    source.mkdir()
    settings.VAR_DIR, settings.STATIC_ROOT, settings.STATICFILES_DIRS = tmp_path, tmp_path / "static", [source]
    get_finder.cache_clear()
    said: list[str] = []
    try:
        for content in ("one", "one", "three", None):
            if content is None:
                (source / "page.css").unlink()
            elif not (source / "page.css").exists() or (source / "page.css").read_text() != content:
                (source / "page.css").write_text(content)
            said.append(content or "")
            collect_files(said.append)
            collected = tmp_path / "static" / "page.css"
            assert (collected.read_text() if collected.exists() else None) == content
    finally:
        get_finder.cache_clear()
    assert [step or "gone" for step in said] == [
        *("one", "collecting the pages' files", "one", "three", "collecting the pages' files"),
        *("gone", "collecting the pages' files"),
    ]


def test_a_signal_while_it_starts_leaves_nothing_behind(make_home):
    """Early and late in the start; the next start makes good what was left half done."""
    home = make_home()
    for sign in ("starting PostgreSQL", "playing the first day"):
        demo = home.start(PORT=free_port(), **FAST)
        wait_for(lambda demo=demo, sign=sign: sign in demo.said or demo.process.poll() is not None)
        assert demo.end(signal.SIGTERM) == 130, demo.said
        assert "Traceback" not in demo.said, demo.said
        assert not home.has_server
    demo = home.start(**FAST)
    demo.wait_until_it_runs()
    assert home.closed() >= 3
    begun = time.monotonic()
    assert demo.end(signal.SIGINT) in (0, 130)
    assert time.monotonic() - begun < 90
    assert not home.has_server


def check(home):
    for rule, query in CHECKS.items():
        assert home.ask(query) == [], rule
