"""Run a race on the built-in market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bitnerve.adapters.simulated.market import simulate
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.strategies.catalog import Agent, list_agents
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, parse_instant
from bitnerve.domain.trading import account, orders
from bitnerve.domain.units import SCALE
from bitnerve.engine.replay import Progress, replay
from bitnerve.engine.run import Run

BAR_MS = 5 * MINUTE_MS
WARM_UP_DAYS = 14
"""Days of candles before a race: the longest signal looks back eleven."""
SEASON_START = "2026-01-01"
CAPITAL = 10_000 * SCALE


@dataclass(frozen=True, slots=True)
class SimulatedSeason:
    """A race on the simulated market: how many symbols, for how many days, from which seed."""

    symbol_count: int
    days: int
    seed: int
    capital: int = CAPITAL


def make_market(season: SimulatedSeason) -> Recording:
    """Return the season's market, with the candles behind its first tick."""
    start_at = parse_instant(SEASON_START, field="start") - WARM_UP_DAYS * DAY_MS
    bars = (WARM_UP_DAYS + season.days) * DAY_MS // BAR_MS
    return simulate(seed=season.seed, symbol_count=season.symbol_count, start_at=start_at, bar_count=bars)


def run_season(
    *,
    season: SimulatedSeason,
    recording: Recording,
    agents: Sequence[Agent] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Let the roster, or `agents`, race over the season's market."""
    return replay(
        recording=recording,
        agents=list_agents() if agents is None else agents,
        capital=season.capital,
        tick_ms=BAR_MS,
        start_at=parse_instant(SEASON_START, field="start"),
        seed=season.seed,
        progress=progress,
    )


def _order_rows(run: Run) -> account.Integers:
    return run.exchange.orders[: int(run.exchange.cursors[account.ORDER_COUNT])]


def last_busy_tick(run: Run) -> int:
    """Return the last tick at which an agent asked for an order that was not refused, or the last of all."""
    rows = _order_rows(run)
    # What protects a position or liquidates it was born inside a bar, not at a tick.
    asked = (rows[:, orders.PARENT] < 0) & (rows[:, orders.REASON] != orders.LIQUIDATED)
    bars = rows[asked & (rows[:, orders.STATUS] != orders.REJECTED), orders.TICK]
    if not len(bars):
        return len(run.decisions.snapshots) - 1
    return (run.recording.bar_at(int(bars.max())) - int(run.ticks[0])) // run.tick_ms


def orders_at(run: Run, tick: int) -> list[tuple[str, str]]:
    """Return (agent, order in words) of every order accepted at a tick, with what became of it."""
    bar = (int(run.ticks[tick]) - run.recording.candles.start_at) // run.recording.candles.interval_ms
    found = []
    for row in _order_rows(run):
        if row[orders.TICK] == bar and row[orders.ACCEPTED_AT] == run.ticks[tick]:
            side = "BUY" if row[orders.SIDE] > 0 else "SELL"
            instrument = run.recording.instruments[row[orders.SYMBOL]]
            quantity = f"{(int(row[orders.QUANTITY]) * instrument.lot_size).normalize():f}"
            kind, status = orders.TYPES[row[orders.TYPE]], orders.STATUSES[row[orders.STATUS]]
            agent = run.agents[row[orders.ACCOUNT]].name
            found.append((agent, f"{side} {quantity} {instrument.symbol} {kind} {status}"))
    return found
