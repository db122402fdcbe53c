"""D6: a market that prints what cannot be true gets no new risk, says so, and breaks nothing."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from apps.arenas.models import Season, Tick
from apps.arenas.services import ticks
from apps.leaderboard.services import closing
from apps.market import services as markets
from apps.market.models import Candle, Mark, Snapshot
from apps.market.services import make_instant
from apps.trades import selectors
from apps.trades.models import Decision, Order
from apps.trades.services import acting
from bitnerve.adapters.feeds.simulated import SimulatedFeed
from bitnerve.domain.decisions.decision import BUY, OrderRequest
from bitnerve.domain.decisions.decision import Decision as Wish
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, parse_instant
from bitnerve.domain.trading import tape
from tests.apps.trades.arena import BAR_MS, open_season, simulated_market
from tests.apps.trades.rows import check_rows

START = parse_instant("2026-01-01", field="start")
STARTS_AT = make_instant(START)
WARM = DAY_MS // BAR_MS
"""The bar that opens at the season's start; the one before it is what is broken."""
ROWS = ("open", "high", "low", "close", "volume", "quote_volume")


class BrokenFeed:
    """A market like any other, but for what a test breaks of it."""

    with_quotes = True
    bar_count = None

    def __init__(self, seed, start_at, symbol_count):
        self._sound = SimulatedFeed(seed=seed, start_at=start_at, symbol_count=symbol_count)
        recording = self._sound.recording(1)
        rows = {name: getattr(recording.candles, name).copy() for name in ROWS}
        self.candles = replace(recording.candles, **rows)
        self.mark = recording.mark.copy()
        self._recording = replace(recording, candles=self.candles, mark=self.mark)
        self.quote = lambda bar, row: row

    def recording(self, bars):
        return self._recording

    def tape(self, bar, every_ms):
        quotes = self._sound.tape(bar, every_ms).copy()
        for number in range(len(quotes)):
            quotes[number] = self.quote(bar, quotes[number])
        return quotes


class BuysAll(Strategy):
    name = "buys"
    summary = "Buys a little of everything at every tick."

    def decide(self, view, signals):
        orders = tuple(
            OrderRequest(symbol, BUY, view.instruments[column].min_quantity * 20, leverage=2)
            for column, symbol in enumerate(view.symbols)
        )
        return Wish("BUY", "all of it", orders)


@pytest.fixture
def broken(committed_db, monkeypatch):
    """Open a season of three symbols, after a hand has broken the second of them."""
    for module in (acting, selectors):
        monkeypatch.setattr(module, "agent_of", lambda entry: Agent(entry.name, BuysAll()))

    def open_broken(breaks, *, quotes=True):
        feed = BrokenFeed(3, START - DAY_MS, 3)
        breaks(feed)
        monkeypatch.setattr(markets, "_make_feed", lambda market: feed)
        market = simulated_market(seed=3, start_at=START - DAY_MS, symbol_count=3)
        return open_season(
            market,
            starts_at=STARTS_AT,
            ends_at=STARTS_AT + timedelta(minutes=30),
            seed=3,
            agents=[Agent("ada", BuysAll())],
            quote_every_ms=MINUTE_MS if quotes else 0,
        )

    return open_broken


def run(season: Season) -> Tick:
    (lease,) = ticks.hold_leases(holder="test", seconds=600)
    tick = ticks.claim_tick(lease)
    for ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
        acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    closing.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    tick.refresh_from_db()
    return tick


def set_bar(feed, **values):
    for name, value in values.items():
        getattr(feed.candles, name)[WARM - 1, 1] = value


def crossed(bar, row):
    if bar == WARM - 1 and row[tape.SYMBOL] == 1:
        row[tape.BID], row[tape.ASK] = row[tape.ASK], row[tape.BID]
    return row


def nothing_offered(bar, row):
    if bar == WARM - 1 and row[tape.SYMBOL] == 1:
        row[tape.MARK] = 0
    return row


BROKEN = {
    "zero": (lambda feed: set_bar(feed, close=0), "BAD_PRICE"),
    "negative": (lambda feed: set_bar(feed, open=-5, low=-9), "BAD_PRICE"),
    "endless": (lambda feed: set_bar(feed, high=2**62), "BAD_PRICE"),
    "upside_down": (lambda feed: set_bar(feed, high=1), "BAD_RANGE"),
    "below_itself": (lambda feed: set_bar(feed, low=2**55), "BAD_RANGE"),
    "less_than_no_volume": (lambda feed: set_bar(feed, volume=-1), "BAD_VOLUME"),
    "endless_volume": (lambda feed: set_bar(feed, volume=2**62), "BAD_VOLUME"),
    "volume_for_nothing": (lambda feed: set_bar(feed, quote_volume=0), "BAD_VOLUME"),
    "mark": (lambda feed: feed.mark.__setitem__((WARM, 1), 0), "BAD_MARK"),
    "negative_mark": (lambda feed: feed.mark.__setitem__((WARM, 1), -7), "BAD_MARK"),
    "crossed_book": (lambda feed: setattr(feed, "quote", crossed), "CROSSED_BOOK"),
    "no_mark_in_quote": (lambda feed: setattr(feed, "quote", nothing_offered), "BAD_QUOTE"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_D6_what_cannot_be_true_is_named_and_gets_no_new_risk(broken, name):
    breaks, rule = BROKEN[name]
    season = broken(breaks)
    tick = run(season)
    second = markets.open_feed(season.market).recording(1).symbols[1]
    assert tick.state == Tick.State.CLOSED
    assert tick.snapshot.flaws == [{"symbol": second, "rule": rule}]
    decision = Decision.objects.get()
    assert f'"rule":"BAD_DATA","asked":"{rule}"' in decision.verdict
    # The two others are bought: one symbol's trouble is its own.
    assert set(Order.objects.values_list("instrument__symbol", flat=True)) == {
        symbol for symbol in markets.open_feed(season.market).recording(1).symbols if symbol != second
    }
    assert not Candle.objects.filter(low__lte=0).exists()
    assert not Mark.objects.filter(price__lte=0).exists()
    # The bar after is sound, and nothing is left of it.
    tick = run(season)
    assert tick.snapshot.flaws == []
    assert Decision.objects.latest("pk").verdict == "ACCEPTED"
    check_rows()


def blank(feed, columns, bars):
    for name in ROWS:
        getattr(feed.candles, name)[np.ix_(bars, columns)] = 0


@pytest.mark.parametrize("quotes", [True, False], ids=["quotes", "bars"])
def test_D6_bars_that_do_not_come_make_a_symbol_stale(broken, quotes):
    """Two bars without a word: no new risk in that symbol, and its last price stands."""
    season = broken(lambda feed: blank(feed, [1], [WARM - 2, WARM - 1]), quotes=quotes)
    tick = run(season)
    second = markets.open_feed(season.market).recording(1).symbols[1]
    assert tick.snapshot.flaws == [{"symbol": second, "rule": "STALE"}]
    assert '"rule":"BAD_DATA","asked":"2 bars without a trade"' in Decision.objects.get().verdict
    assert run(season).snapshot.flaws == []
    check_rows()


def test_D6_a_tick_is_skipped_where_every_price_is_stale_and_the_last_one_marks_everybody(broken):
    """Nobody is asked while nothing moves; at the end accounts are marked at the last prices that could be true."""
    season = broken(lambda feed: blank(feed, [0, 1, 2], list(range(WARM + 1, WARM + 6))))
    states = []
    while Season.objects.get(pk=season.pk).state != Season.State.FINAL:
        tick = run(season)
        states.append((tick.number, tick.state, tick.reason))
    why = "no symbol has a price to trade on: STALE"
    assert states == [
        (0, "CLOSED", ""),
        (1, "CLOSED", ""),
        (2, "CLOSED", ""),
        (3, "SKIPPED", why),
        (4, "SKIPPED", why),
        (5, "SKIPPED", why),
        (6, "CLOSED", ""),
    ]
    assert Decision.objects.count() == 3
    check_rows()


def test_a_jump_of_price_is_named(broken):
    """The governor refuses it by itself; the snapshot says it to everybody."""

    def double(feed):
        for name in ("open", "high", "low", "close"):
            getattr(feed.candles, name)[WARM - 1 :, 1] *= 2

    season = broken(double, quotes=False)
    tick = run(season)
    assert [flaw["rule"] for flaw in tick.snapshot.flaws] == ["JUMP"]
    assert '"rule":"BAD_DATA","asked":"jump ' in Decision.objects.get().verdict


def test_a_sound_market_is_handed_out_as_it_is(broken):
    """Not one array is copied, so that whoever compares a season with a replay compares the same market."""
    season = broken(lambda feed: None)
    feed = markets.open_feed(season.market)
    assert feed.recording(1).candles.close is feed._feed.recording(1).candles.close
    assert feed.recording(1).mark is feed._feed.recording(1).mark
    run(season)
    assert Snapshot.objects.get().flaws == []
