"""Which few calls use every kernel of the house? Whoever makes them all has compiled them all.

`everything` is a short season, its books and their check. The parts need nothing of each other, not even a market, so
that several processes can compile at once; what a part forgets is compiled by `everything`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from apps.arenas.services.racing import (
    BAR_MS,
    CAPITAL,
    SEASON_START,
    WARM_UP_DAYS,
    SimulatedSeason,
    make_market,
    run_season,
)
from bitnerve.adapters.feeds.simulated import SimulatedFeed
from bitnerve.domain.kernel import zeros
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.market.instrument import make_instrument, make_tier
from bitnerve.domain.market.recording import Candles, Recording, mark_from_closes, no_funding
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.catalog import Agent, list_agents
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, SECOND_MS, parse_instant
from bitnerve.domain.trading import acceptance, liquidation, margin, tape
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.units import SCALE
from bitnerve.engine import carry
from bitnerve.engine.desk import Desk, TapeOf
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import AgentView, make_history
from bitnerve.engine.run import AgentCard, DecisionLog, Run
from bitnerve.engine.tables import MarketTables, make_tables
from bitnerve.engine.world import World

SEASON = SimulatedSeason(symbol_count=3, days=1, seed=1)
START = parse_instant(SEASON_START, field="start") - WARM_UP_DAYS * DAY_MS


def everything() -> None:
    """Race for a day, make the books and check them, and meet quotes between bars."""
    check_books(make_books(run=run_season(season=SEASON, recording=make_market(SEASON))))
    feed = SimulatedFeed(seed=SEASON.seed, start_at=START, symbol_count=SEASON.symbol_count)
    market = make_tables(make_market(SEASON))
    first = WARM_UP_DAYS * DAY_MS // BAR_MS
    agents = list_agents()
    signals = [agent.strategy.signals(make_history(market.recording)) for agent in agents]
    desk = _open_desk(market, agents, first, lambda bar: feed.tape(bar, MINUTE_MS))
    for bar in range(first, first + 36):
        desk.play_until(int(market.at[bar]) + SECOND_MS)
        for a, agent in enumerate(agents):
            desk.submit(a, agent.strategy.decide(AgentView(desk, a), signals[a]))
    desk.appraise()
    desk.changes()
    _enter_orders()


def _play_bars() -> None:
    world = World(
        market=_still_market(),
        agents=list_agents(),
        capital=CAPITAL,
        rules=Rules(),
        limits=Limits(),
        seed=SEASON.seed,
        tick_count=2,
    )
    world.start_at(0)
    world.advance(1)


def _make_quotes() -> None:
    SimulatedFeed(seed=SEASON.seed, start_at=START, symbol_count=SEASON.symbol_count).tape(0, MINUTE_MS)


def _read_signals() -> None:
    history = make_history(_still_market().recording)
    for agent in list_agents():
        agent.strategy.signals(history)


def _keep_books() -> None:
    market, agents = _still_market(), list_agents()[:1]
    desk = _open_desk(market, agents, 0)
    none = np.zeros((0, 1), dtype=np.int64)
    run = Run(
        recording=market.recording,
        rules=Rules(),
        capital=CAPITAL,
        tick_ms=BAR_MS,
        seed=SEASON.seed,
        agents=tuple(AgentCard(one.name, one.strategy.name, one.strategy.parameters) for one in agents),
        exchange=desk.exchange,
        marks=desk.marks,
        ticks=market.at[:1],
        decisions=DecisionLog(none, none, none, none, texts=(), snapshots=()),
    )
    # Nobody has marked the account, so it is found to hold less than its capital; by then all has been used.
    with contextlib.suppress(BrokenBooks):
        check_books(make_books(run=run))


def _meet_quotes() -> None:
    quote = zeros(1, tape.COLUMNS)
    quote[0, tape.AT] = START
    desk = _open_desk(_still_market(), list_agents(), 0, lambda bar: quote)
    desk.play_until(START + SECOND_MS)
    desk.appraise()


def _enter_orders() -> None:
    desk = _open_desk(_still_market(), list_agents(), 0)
    acceptance.accept(desk.exchange, 0, 0, zeros(2), desk.now)
    acceptance.cancel_orders_of(desk.exchange, 0, 0, desk.now)
    margin.available(desk.exchange, 0, -1)
    liquidation.revalue(desk.exchange, 0, 1, desk.mark[0], zeros(1), zeros(1))


PARTS = (_play_bars, _make_quotes, _meet_quotes, _read_signals, _keep_books, _enter_orders)
"""The longest first: whoever begins with it is done when the others have shared the rest."""


def _still_market() -> MarketTables:
    """Return a market that takes no kernel to make, since nothing happens on it."""
    bars = WARM_UP_DAYS * DAY_MS // BAR_MS
    prices = np.full((bars, 1), 100 * SCALE, dtype=np.int64)
    volume = np.full((bars, 1), 1_000, dtype=np.int64)
    tier = make_tier(
        notional_until=None, maintenance_rate=Decimal("0.004"), deduction=Decimal(0), leverage_max=125, field="tier"
    )
    instrument = make_instrument(
        symbol="BTCUSDT",
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        min_notional=Decimal(0),
        tiers=[tier],
    )
    recording = Recording(
        instruments=(instrument,),
        candles=Candles(
            start_at=START,
            interval_ms=BAR_MS,
            open=prices,
            high=prices,
            low=prices,
            close=prices,
            volume=volume,
            quote_volume=volume * 100 * SCALE,
        ),
        mark=mark_from_closes(prices, prices[0]),
        mark_path=None,
        funding=no_funding(),
    )
    return make_tables(recording)


def _open_desk(market: MarketTables, agents: Sequence[Agent], first: int, tape_of: TapeOf | None = None) -> Desk:
    return Desk(
        market=market,
        agents=agents,
        capital=CAPITAL,
        rules=Rules(),
        limits=Limits(),
        seed=SEASON.seed,
        step=1,
        carried=carry.fresh(count=len(agents), capital=CAPITAL, bar=first),
        played_until=[int(market.at[first]) - 1] * len(agents),
        tape_of=tape_of,
    )
