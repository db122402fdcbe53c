"""A-04, A-21: the same call gives the same books, whoever else trades and whatever comes later.

Rules are those of sections 2, 9 and 10 of the engine's page; F1 and F5 are safety rules.
"""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from bitnerve.adapters.simulated import simulate
from bitnerve.domain.decisions.decision import BUY, CancelRequest, Decision, OrderRequest, close, hold
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.market.recording import FundingSchedule
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.amplification import Amplification
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent, choose_agents, list_agents
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from bitnerve.domain.trading import positions
from bitnerve.domain.units import SCALE
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import BadWindow, choose_window, replay

BAR = 5 * MINUTE_MS
DAYS = 2
START = parse_instant("2025-06-01", field="start")
END = START + DAYS * DAY_MS
CAPITAL = 10_000 * SCALE


@pytest.fixture(scope="module")
def market():
    """15 days behind the first tick, 2 days of ticks, and a day that nobody may know of."""
    return simulate(seed=11, start_at=START - 15 * DAY_MS, bar_count=(15 + DAYS + 1) * 288, symbol_count=6)


def race(market, agents=None, **terms):
    base = {"capital": CAPITAL, "tick_ms": BAR, "start_at": START, "until": END, "seed": 3}
    return replay(recording=market, agents=list_agents() if agents is None else agents, **base | terms)


@pytest.fixture(scope="module")
def run(market):
    return race(market)


@pytest.fixture(scope="module")
def books(run):
    return make_books(run=run)


def cut(market, bars):
    """The recording as it was when only this many bars had been."""
    candles = market.candles
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    due = market.funding.at <= market.bar_at(bars)
    funding = (getattr(market.funding, name)[due] for name in ("at", "symbol", "rate", "known"))
    return replace(
        market,
        candles=replace(candles, **{name: getattr(candles, name)[:bars] for name in names}),
        mark=market.mark[: bars + 1],
        funding=FundingSchedule(*funding),
    )


def cells(table, name):
    return table[name].values


def assert_same(one, other, *, but=()):
    """Every cell of every table is the same."""
    for name, table in one.tables.items():
        if name in but:
            continue
        for field, column in table.items():
            assert list(texts_of(column)) == list(texts_of(other.tables[name][field])), (name, field)


def texts_of(column):
    words = getattr(column, "words", None)
    return column.values.tolist() if not words else [words[code] if code >= 0 else None for code in column.values]


def rows_of_agent(books, agent):
    """The rows of an agent, without its name, of every table that belongs to the books."""
    found = {}
    for name, table in books.tables.items():
        mine = [row for row, owner in enumerate(texts_of(table["agent"])) if owner == agent]
        for field, column in table.items():
            values = texts_of(column)
            found[name, field] = [values[row] for row in mine]
    return found


def test_the_race_has_something_to_compare(books):
    owners = set(texts_of(books.tables["fills"]["agent"]))
    assert {"buy-and-hold", "equal-weight", "random", "mean-reversion"} <= owners
    assert len(books.tables["funding"]["agent"].values) > 20


def test_F5_the_same_call_gives_the_same_books(market, books):
    again = make_books(run=race(market))
    assert again.season == books.season
    assert again.leaderboard == books.leaderboard
    assert_same(books, again)


def test_the_order_of_the_agents_changes_nothing(market, books):
    again = make_books(run=race(market, agents=list(reversed(list_agents()))))
    assert again.season["books_sha256"] == books.season["books_sha256"]


@pytest.mark.parametrize("name", ["amplification-aggressive", "equal-weight", "mean-reversion", "random"])
def test_an_agent_alone_has_the_books_that_it_has_among_others(market, books, name):
    """A-01, A-02: accounts share nothing; nobody's equity moves with another's trade."""
    alone = make_books(run=race(market, agents=choose_agents(name)))
    assert rows_of_agent(alone, name) == rows_of_agent(books, name)


def test_F1_what_comes_after_the_end_changes_nothing(market, books):
    short = cut(market, (15 + DAYS) * 288)
    assert short.bar_at(short.bar_count) == END
    again = make_books(run=race(short))
    assert again.season["books_sha256"] == books.season["books_sha256"]
    assert_same(books, again)


def test_F1_what_comes_after_a_tick_changes_nothing_at_or_before_it(market, books, run):
    half = START + DAY_MS
    again = make_books(run=race(cut(market, 16 * 288), until=half))
    at = texts_of(books.tables["equity"]["at"])
    early = [row for row, instant in enumerate(at) if instant <= half]
    assert len(early) == len(again.tables["equity"]["at"].values)
    for field in ("agent", "at", "cash", "unrealized_pnl", "equity", "margin_used"):
        before = texts_of(books.tables["equity"][field])
        assert [before[row] for row in early] == texts_of(again.tables["equity"][field]), field


def test_another_seed_changes_the_random_agent_alone(market, books):
    other = make_books(run=race(market, seed=4))
    assert other.season["books_sha256"] != books.season["books_sha256"]
    for field in ("quantity", "price", "filled_at"):
        assert rows_of_agent(other, "random")["fills", field] != rows_of_agent(books, "random")["fills", field]
        mine = rows_of_agent(books, "mean-reversion")["fills", field]
        assert rows_of_agent(other, "mean-reversion")["fills", field] == mine


def test_the_first_row_is_the_capital_before_any_fill(run, books):
    equity = books.tables["equity"]
    first = cells(equity, "at") == START
    assert first.sum() == len(run.agents)
    assert (cells(equity, "equity")[first] == CAPITAL).all()
    assert (cells(equity, "cash")[first] == CAPITAL).all()
    assert (cells(books.tables["positions"], "at") > START).all()


def test_the_last_row_is_without_decisions(run, books):
    ticks = DAYS * 288
    assert cells(books.tables["equity"], "at").max() == END == run.ticks[-1]
    assert len(cells(books.tables["equity"], "at")) == (ticks + 1) * len(run.agents)
    decided = cells(books.tables["decisions"], "tick_at")
    assert (decided.min(), decided.max()) == (START, END - BAR)
    assert len(decided) == ticks * len(run.agents)
    accepted = cells(books.tables["orders"], "accepted_at")
    assert accepted.min() >= START
    assert accepted.max() < END


def test_F5_one_snapshot_per_tick_for_everybody(books):
    decisions = books.tables["decisions"]
    seen = {}
    for at, snapshot in zip(texts_of(decisions["tick_at"]), texts_of(decisions["snapshot_sha256"]), strict=True):
        assert seen.setdefault(at, snapshot) == snapshot
    assert len(set(seen.values())) == len(seen) == DAYS * 288


@pytest.mark.parametrize("name", ["close", "quote_volume"])
def test_F5_a_snapshot_tells_one_past_from_another(market, run, name):
    """What changed in bar 100 of the race shows from the tick at its end on, and not before."""
    values = getattr(market.candles, name).copy()
    values[15 * 288 + 100, 2] += 1
    changed = replace(market, candles=replace(market.candles, **{name: values}))
    snapshots = race(changed, agents=choose_agents("cash")).decisions.snapshots
    assert snapshots[:101] == run.decisions.snapshots[:101]
    assert not set(snapshots[101:]) & set(run.decisions.snapshots)


@pytest.mark.parametrize("tick_ms", [BAR, 3 * BAR])
def test_a_snapshot_hashes_the_one_before_the_bars_since_and_the_marks(market, tick_ms):
    run = race(market, agents=choose_agents("cash"), tick_ms=tick_ms, until=START + 6 * BAR)
    names = ("open", "high", "low", "close", "volume", "quote_volume")
    digest, seen = sha256("\n".join(market.symbols).encode()).digest(), 0
    for at, snapshot in zip(run.ticks.tolist(), run.decisions.snapshots, strict=False):
        bar = (at - market.bar_at(0)) // BAR
        told = [int(cell) for name in names for cell in getattr(market.candles, name)[seen:bar].ravel()]
        told += [int(cell) for cell in market.mark[bar]]
        digest, seen = sha256(digest + b"".join(cell.to_bytes(8, "little") for cell in told)).digest(), bar
        assert snapshot == digest.hex()


def test_what_the_world_says_of_positions_is_what_the_exchange_holds(market):
    """Also at ticks at which nothing was filled, and at which it did not look again."""
    told = []

    def compare(world, done, total):
        held = world.exchange.positions[:, :, positions.QUANTITY].tolist()
        assert world.quantities == held
        assert world.held == [tuple(np.flatnonzero(row).tolist()) for row in held]
        told.append(world.held)

    race(market, progress=compare)
    assert len(told) == DAYS * 288
    assert len({tuple(held) for held in told}) > 10


def test_F1_fills_follow_acceptance_and_start_inside_their_bar(market, books):
    fills, orders = books.tables["fills"], books.tables["orders"]
    accepted = dict(zip(texts_of(orders["order_id"]), texts_of(orders["accepted_at"]), strict=True))
    filled_at = cells(fills, "filled_at")
    assert all(at >= accepted[one] for at, one in zip(filled_at, texts_of(fills["order_id"]), strict=True))
    assert (filled_at >= START).all()
    assert (filled_at < END).all()
    assert (filled_at % BAR == 0).all()
    bar = (filled_at - market.bar_at(0)) // BAR
    column = [market.symbols.index(symbol) for symbol in texts_of(fills["symbol"])]
    base, price = cells(fills, "base_price"), cells(fills, "price")
    assert (base >= market.candles.low[bar, column]).all()
    assert (base <= market.candles.high[bar, column]).all()
    buys = np.array([side == "BUY" for side in texts_of(fills["side"])])
    takers = np.array([liquidity == "TAKER" for liquidity in texts_of(fills["liquidity"])])
    assert takers.any()
    assert (np.where(buys, price - base, base - price)[takers] > 0).all(), "a taker pays spread and impact"


def test_market_orders_meet_the_bar_that_opens_at_their_tick(market, books):
    fills, orders = books.tables["fills"], books.tables["orders"]
    accepted = dict(zip(texts_of(orders["order_id"]), texts_of(orders["accepted_at"]), strict=True))
    kinds = dict(zip(texts_of(orders["order_id"]), texts_of(orders["type"]), strict=True))
    seen = 0
    rows = (texts_of(fills[name]) for name in ("order_id", "filled_at", "symbol", "base_price"))
    for order, at, symbol, base in zip(*rows, strict=True):
        if kinds[order] == "MARKET" and at == accepted[order]:
            bar = (at - market.bar_at(0)) // BAR
            assert base == market.candles.open[bar, market.symbols.index(symbol)]
            seen += 1
    assert seen > 20


def test_funding_is_paid_at_the_times_of_the_schedule(market, books):
    funding = books.tables["funding"]
    schedule = market.funding
    due = {
        (int(at), market.symbols[symbol]): int(rate)
        for at, symbol, rate in zip(schedule.at, schedule.symbol, schedule.rate, strict=True)
    }
    keys = list(zip(texts_of(funding["funded_at"]), texts_of(funding["symbol"]), strict=True))
    assert keys
    assert all(START < at <= END for at, _ in keys)
    assert [due[key] for key in keys] == texts_of(funding["rate"])


def test_buy_and_hold_pays_all_of_the_schedule_once(market, books):
    mine = rows_of_agent(books, "buy-and-hold")
    bitcoin = market.symbols.index("BTCUSDT")
    own = market.funding.symbol == bitcoin
    wanted = [int(at) for at in market.funding.at[own] if START < at <= END]
    assert mine["funding", "funded_at"] == wanted


def test_the_books_hold(books):
    report = check_books(books)
    assert report.books_sha256 == books.season["books_sha256"]


def test_a_tick_longer_than_the_bar(market):
    run = race(market, tick_ms=15 * MINUTE_MS)
    books = make_books(run=run)
    check_books(books)
    assert len(run.ticks) == DAYS * 96 + 1
    assert set(np.diff(run.ticks)) == {15 * MINUTE_MS}
    accepted, filled = cells(books.tables["orders"], "accepted_at"), cells(books.tables["fills"], "filled_at")
    kinds = np.array(texts_of(books.tables["orders"]["type"]), dtype=object)
    assert (accepted[kinds == "MARKET"] % (15 * MINUTE_MS) == 0).all()
    assert (filled % BAR == 0).all()
    assert books.season["rules"]["tick"] == 900
    assert books.season["rules"]["bar"] == 300


def test_without_bounds_the_run_takes_all_bars(market):
    run = race(market, agents=choose_agents("cash"), tick_ms=HOUR_MS, start_at=None, until=None)
    assert (run.ticks[0], run.ticks[-1]) == (market.bar_at(0), market.bar_at(market.bar_count))


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({"tick_ms": 7 * MINUTE_MS}, "tick: 7m is not a multiple of the bars' 5m"),
        ({"tick_ms": MINUTE_MS}, "tick: 1m is not a multiple of the bars' 5m"),
        (
            {"start_at": START + 1},
            "from: 2025-06-01T00:00:00Z is not on the 5m tick grid",
        ),
        (
            {"start_at": START + BAR, "tick_ms": HOUR_MS},
            "from: 2025-06-01T00:05:00Z is not on the 1h tick grid",
        ),
        ({"until": END - MINUTE_MS}, "to: 2025-06-02T23:59:00Z is not on the 5m tick grid"),
        ({"until": START}, "from: 2025-06-01T00:00:00Z is not before to: 2025-06-01T00:00:00Z"),
        ({"start_at": END}, "from: 2025-06-03T00:00:00Z is not before to: 2025-06-03T00:00:00Z"),
        (
            {"start_at": START - 20 * DAY_MS},
            "from: 2025-05-12T00:00:00Z lies outside the bars, 2025-05-17T00:00:00Z to 2025-06-04T00:00:00Z",
        ),
        (
            {"until": END + 2 * DAY_MS},
            "to: 2025-06-05T00:00:00Z lies outside the bars, 2025-05-17T00:00:00Z to 2025-06-04T00:00:00Z",
        ),
    ],
)
def test_a_window_that_does_not_fit_is_refused(market, terms, words):
    base = {"tick_ms": BAR, "start_at": START, "until": END}
    with pytest.raises(BadWindow) as refused:
        choose_window(market, **base | terms)
    assert str(refused.value) == words


class Scripted(Strategy):
    """Says at each tick what a test wrote down for it."""

    name = "scripted"
    summary = "Reads from a sheet."

    def __init__(self, sheet):
        super().__init__()
        self.sheet = sheet

    @property
    def signals_key(self):
        return (id(self),)

    def decide(self, view, signals):
        orders = self.sheet.get((view.at - START) // BAR)
        return Decision("ACT", "it is written", tuple(orders)) if orders else hold("nothing is written")


def play(market, sheet, **terms):
    run = race(market, agents=[Agent("ada", Scripted(sheet))], until=START + 12 * BAR, **terms)
    books = make_books(run=run)
    check_books(books)
    return books


def verdicts(books):
    return texts_of(books.tables["decisions"]["verdict"])


def test_an_order_for_bitcoin_of_an_amplifier_is_refused_and_recorded(market):
    """M-01: even a strategy that turned against its own rule."""

    class Turncoat(Amplification):
        name = "turncoat"

        def decide(self, view, signals):
            return Decision("BUY", "against the rule", (OrderRequest("BTCUSDT", BUY, 100),))

    books = make_books(run=race(market, agents=[Agent("ada", Turncoat())], until=START + 3 * BAR))
    Turncoat.__module__ = "elsewhere"
    assert len(books.tables["orders"]["agent"].values) == 0
    for verdict in verdicts(books):
        assert verdict.startswith('[{"order":0,"outcome":"REFUSED","rule":"SYMBOL_NOT_ALLOWED","asked":"BTCUSDT"')
        assert verdict.count("USDT") == 6, "the symbol asked for and the five that are allowed"


def test_an_agent_bound_to_symbols_is_refused_any_other(market):
    """A-02"""
    symbol, other = market.symbols[2], market.symbols[3]
    sheet = {0: [OrderRequest(symbol, BUY, 10_000_000), OrderRequest(other, BUY, 10_000_000)]}
    books = play(market, sheet, limits=Limits(symbols=frozenset({symbol})))
    assert set(texts_of(books.tables["orders"]["symbol"])) == {symbol}
    assert '"rule":"SYMBOL_NOT_ALLOWED"' in verdicts(books)[0]


@pytest.mark.parametrize("request_", [CancelRequest("NOPE"), close("NOPE", BUY), OrderRequest("NOPE", BUY, 5)])
def test_a_symbol_that_is_not_there_is_refused_and_the_run_goes_on(market, request_):
    books = play(market, {1: [request_]})
    assert verdicts(books)[1] == (
        '[{"order":0,"outcome":"REFUSED","rule":"UNKNOWN_SYMBOL","asked":"NOPE","allowed":"a symbol of this market"}]'
    )
    assert len(books.tables["equity"]["at"].values) == 13


@pytest.mark.parametrize("lots", [0, -5, 2**62, 10**30])
def test_an_absurd_quantity_never_ends_the_run(market, lots):
    books = play(market, {0: [OrderRequest(market.symbols[1], BUY, lots)]})
    rule = verdicts(books)[0]
    assert ('"outcome":"REJECTED"' in rule) or ('"outcome":"REFUSED"' in rule) or ('"outcome":"TRIMMED"' in rule)
    assert all(value >= 0 for value in cells(books.tables["equity"], "equity"))


def test_a_venues_refusal_is_recorded_with_its_facts(market):
    off_tick = 5 * (market.mark[15 * 288, 1] // 5) + 1
    order = OrderRequest(market.symbols[1], BUY, 10_000_000, type=1, limit_price=int(off_tick))
    books = play(market, {0: [order]})
    assert '"outcome":"REJECTED","rule":"OFF_TICK"' in verdicts(books)[0]
