"""A worker killed at twenty random moments changes nothing in the final books; nor does a broker that forgets all."""

import random
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from apps.arenas.models import Season, Tick
from apps.leaderboard.models import DayRoot, Standing
from apps.market import services as markets
from apps.market.services import make_instant
from apps.trades import selectors
from bitnerve.adapters.simulated.market import simulate
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.strategies.catalog import list_agents
from bitnerve.domain.timeframe import DAY_MS, parse_instant
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import replay
from tests.apps.common.redis_server import RedisServer
from tests.apps.trades.arena import BAR_MS, CAPITAL, open_season, recorded_market
from tests.apps.trades.rows import check_rows
from tests.worker.processes import Processes

pytestmark = pytest.mark.redis

START = parse_instant("2026-01-01", field="start")
WARM_BARS = 14 * DAY_MS // BAR_MS
HOURS = 5
TICKS = HOURS * 12 + 1
KILLS = 20
HANG_SECONDS = 240.0


@pytest.fixture
def broker():
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def arena(committed_db, broker, tmp_path):
    processes = Processes(redis_url=broker.url, folder=tmp_path)
    yield processes
    processes.stop()


def wait_for(done, arena):
    until = time.monotonic() + HANG_SECONDS
    while not done():
        assert time.monotonic() < until, {name: arena.said(name) for name in arena.running}
        threading.Event().wait(0.02)


def closed() -> int:
    return Tick.objects.filter(state=Tick.State.CLOSED).count()


def open_recorded(folder, hours):
    """Return a recording, written to files and read again, and a season that runs it as fast as it is driven."""
    recording = simulate(seed=5, symbol_count=4, start_at=START - WARM_BARS * BAR_MS, bar_count=WARM_BARS + hours * 12)
    market = recorded_market(recording, folder)
    season = open_season(
        market, starts_at=make_instant(START), ends_at=make_instant(START) + timedelta(hours=hours), seed=5
    )
    return markets.open_feed(market).recording(1), season


def check_books_of(season, recording, ticks):
    """Every tick was closed, and the books are those of a replay to the last unit."""
    assert closed() == Tick.objects.count() == ticks
    run = selectors.load_run(season)
    wanted = replay(recording=recording, agents=list_agents(), capital=CAPITAL, tick_ms=BAR_MS, start_at=START, seed=5)
    books, replayed = make_books(run=replace(run, season=wanted.season)), make_books(run=wanted)
    assert len(replayed.tables["fills"]["fill_id"]) > 10
    assert books.season["books_sha256"] == replayed.season["books_sha256"]
    assert check_books(books).books_sha256 == replayed.season["books_sha256"]
    assert run.decisions.snapshots == wanted.decisions.snapshots
    check_rows()
    assert set(Standing.objects.values_list("as_of", flat=True)) == {season.ends_at}


def is_final(season):
    return Season.objects.get(pk=season.pk).state == Season.State.FINAL


def test_twenty_kills_and_an_emptied_broker_change_nothing_in_the_books(arena, broker, tmp_path):
    """Kills are spread over the season's ticks, each at a random instant after one has closed."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    recording, season = open_recorded(tmp_path, HOURS)
    names = ["dispatcher", "first", "second"]
    for name in names:
        arena.start(name)

    flushed_at = dice.randrange(KILLS)
    for number in range(KILLS):
        wait_for(lambda number=number: closed() >= number * (TICKS - 1) // KILLS + 1, arena)
        # Not to wait for anything: the instant within a tick is left to chance.
        threading.Event().wait(dice.random() * 0.4)
        if number == flushed_at:
            broker.client.flushall()
        victim = dice.choice(names)
        arena.kill(victim)
        arena.start(victim)

    wait_for(lambda: is_final(season), arena)
    check_books_of(season, recording, TICKS)
    assert DayRoot.objects.filter(season=season, at=season.ends_at).count() == 1


def test_a_broker_that_is_away_for_a_while_is_waited_for(arena, broker, tmp_path):
    """Redis dies with all it knows, twice, and comes back empty; ticks stand still meanwhile and none is missed."""
    recording, season = open_recorded(tmp_path, 2)
    arena.start("dispatcher")
    arena.start("worker")
    for number in (3, 10):
        wait_for(lambda number=number: closed() >= number, arena)
        said = arena.said("dispatcher").count("the dispatcher waits")
        broker.stop()
        wait_for(lambda said=said: arena.said("dispatcher").count("the dispatcher waits") > said, arena)
        broker.start()
    wait_for(lambda: is_final(season), arena)
    check_books_of(season, recording, 25)
    assert all(process.poll() is None for process in arena.running.values())


def test_a_broker_that_hangs_is_told_and_waited_for(arena, broker, tmp_path):
    """Redis is frozen twice: its lines stay open and nobody answers. It is said, and everything goes on afterwards."""
    recording, season = open_recorded(tmp_path, 2)
    arena.start("dispatcher")
    arena.start("worker")
    for number in (3, 10):
        wait_for(lambda number=number: closed() >= number, arena)
        said = arena.said("dispatcher").count("the dispatcher waits")
        broker.freeze(True)
        wait_for(lambda said=said: arena.said("dispatcher").count("the dispatcher waits") > said, arena)
        frozen_at = closed()
        broker.freeze(False)
        wait_for(lambda frozen_at=frozen_at: closed() > frozen_at, arena)
    wait_for(lambda: is_final(season), arena)
    check_books_of(season, recording, 25)
    assert "the dispatcher goes on" in arena.said("dispatcher")
    assert all(process.poll() is None for process in arena.running.values())
