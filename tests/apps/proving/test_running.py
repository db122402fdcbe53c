"""A season can be checked and exported at any moment while it runs, and what nobody decided is part of the record."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connections

from apps.arenas.models import Entry, Season, Tick
from apps.arenas.services import ticks
from apps.leaderboard.models import DayRoot
from apps.leaderboard.services import closing, proving
from apps.market.models import Market
from apps.trades.services import acting
from bitnerve.adapters.exports import archive
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.timeframe import HOUR_MS
from tests.apps.proving import restless
from tests.apps.proving.conftest import START, altered, forget, open_restless
from tests.apps.trades.arena import simulated_market


@pytest.fixture
def market(committed_db):
    forget()
    yield simulated_market(seed=4, start_at=START - HOUR_MS, symbol_count=4)
    forget()


@pytest.fixture(autouse=True)
def speaking(monkeypatch):
    monkeypatch.setattr(acting, "decide", restless.decide)


def claim(season: Season) -> Tick:
    lease = next(one for one in ticks.hold_leases(holder="test", seconds=600) if one.season_id == season.pk)
    tick = ticks.claim_tick(lease)
    assert tick is not None
    return tick


def clean(season: Season, file) -> None:
    """The season holds where it is stored and in its file, as it is now."""
    proving.check_database(slug=season.slug)
    file.unlink(missing_ok=True)
    proving.export_season(slug=season.slug, file=file)
    proving.verify_file(file=file)


@pytest.mark.parametrize("quote_every_ms", [60_000, 0])
def test_a_season_holds_at_every_moment(market, tmp_path, quote_every_ms):
    season, file = open_restless(market, "running", 40, quote_every_ms=quote_every_ms), tmp_path / "season.zip"
    clean(season, file)
    restless.drive(season, seed=1, ticks_max=12)
    clean(season, file)
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)
    clean(season, file)
    acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids[:2])
    # Two have been marked and have decided, three have not met the tick at all.
    clean(season, file)
    books = archive.read_season(file)
    assert len(set(books.tables["accounts"]["played_until"].values.tolist())) > 1
    if quote_every_ms:
        restless.play(season, ids[1:3], tick.at + timedelta(milliseconds=77_777))
        clean(season, file)
    acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None
    clean(season, file)
    with altered("accounts_account", "cash", "cash + 1", "name = 'eve'"), pytest.raises(BrokenBooks, match="cash"):
        proving.check_database()


def test_who_is_silent_and_what_is_missed_or_skipped_is_part_of_the_record(market, tmp_path):
    season, file = open_restless(market, "gaps", 90, quote_every_ms=60_000), tmp_path / "season.zip"
    restless.drive(season, seed=1, ticks_max=5)
    # Somebody does not answer: the tick's deadline passes.
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)
    acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids[:3])
    Season.objects.filter(pk=season.pk).update(clock_at=tick.deadline_at + timedelta(seconds=1), speed=1e-6)
    Season.objects.filter(pk=season.pk).update(anchored_at=None)
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None
    clean(season, file)
    # Nobody runs two ticks, so they are missed.
    Season.objects.filter(pk=season.pk).update(clock_at=tick.at + timedelta(minutes=15, seconds=1))
    tick = claim(season)
    for chunk in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
        acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=chunk)
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None
    Season.objects.filter(pk=season.pk).update(speed=0.0, clock_at=tick.at)
    clean(season, file)
    # Somebody is halted.
    Entry.objects.filter(season=season, name="cyd").update(state=Entry.State.HALTED)
    restless.drive(season, seed=2)
    clean(season, file)
    books = archive.read_season(file)
    states = books.tables["ticks"]["state"]
    assert {states.words[code] for code in states.values.tolist()} == {"CLOSED", "MISSED"}
    said = books.tables["arrivals"]["state"]
    assert "MISSED" in {said.words[code] for code in said.values.tolist()}
    assert DayRoot.objects.filter(season=season, entry_count=5).count() == 2


def test_a_root_waits_until_everybody_is_marked(market, monkeypatch, tmp_path):
    """Midnight falls on a tick that is skipped because the market's data are late."""
    season = open_restless(market, "late", 80, quote_every_ms=60_000)
    restless.drive(season, seed=1, ticks_max=72)
    tick = claim(season)
    assert tick.at.hour == 0
    monkeypatch.setattr(acting.markets, "collect", lambda market, until: Market.objects.get(pk=market.pk))
    assert acting.open_tick(tick_id=tick.pk, epoch=tick.epoch) == []
    closed = closing.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    assert closed is not None
    assert closed.state == Tick.State.SKIPPED
    assert not DayRoot.objects.filter(season=season).exists()
    monkeypatch.undo()
    monkeypatch.setattr(acting, "decide", restless.decide)
    restless.drive(season, seed=2)
    assert list(DayRoot.objects.filter(season=season).values_list("entry_count", flat=True)) == [5, 5]
    clean(season, tmp_path / "season.zip")


def test_a_check_reads_one_moment_while_others_write(market):
    season = open_restless(market, "busy", 60, quote_every_ms=60_000)
    restless.drive(season, seed=1, ticks_max=3)
    done = threading.Event()

    def run() -> None:
        try:
            restless.drive(season, seed=2)
        finally:
            connections.close_all()
            done.set()

    writer = threading.Thread(target=run)
    writer.start()
    checks = 0
    try:
        while not done.is_set():
            proving.check_database(slug="busy")
            checks += 1
    finally:
        writer.join()
    season.refresh_from_db()
    assert season.state == Season.State.FINAL
    assert checks > 3
    proving.check_database(slug="busy")
