"""Races on the built-in market, run once and remembered, and their books as rows of plain Python values."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bitnerve.adapters.simulated.market import simulate
from bitnerve.domain.ledger.tables import BOOLEAN, DECIMAL, TEXT, TIME, Books, Column, Table
from bitnerve.domain.strategies.benchmarks import RandomTrader
from bitnerve.domain.strategies.catalog import Agent, list_agents
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, parse_instant
from bitnerve.domain.units import SCALE
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import replay
from bitnerve.engine.run import Run

TICK_MS = 5 * MINUTE_MS
START = "2026-01-01"
WARM_UP_BARS = 14 * DAY_MS // TICK_MS
CAPITAL = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Race:
    """A finished race and the books that it left."""

    run: Run
    books: Books


@functools.lru_cache(maxsize=4)
def run_race(*, agents: int, ticks: int, symbols: int, seed: int) -> Race:
    """Let the roster, and as many coin-flippers as are missing, race for a number of ticks."""
    start_at = parse_instant(START, field="start")
    run = replay(
        recording=simulate(
            seed=seed,
            symbol_count=symbols,
            start_at=start_at - WARM_UP_BARS * TICK_MS,
            bar_count=WARM_UP_BARS + ticks,
        ),
        agents=_roster(agents),
        capital=CAPITAL * SCALE,
        tick_ms=TICK_MS,
        start_at=start_at,
        seed=seed,
    )
    return Race(run=run, books=make_books(run=run))


def _roster(count: int) -> tuple[Agent, ...]:
    roster = sorted(list_agents(), key=lambda agent: agent.name != "random")[:count]
    for number in range(len(roster), count):
        rates = {"open_rate": f"0.{5 + number % 40:02}", "close_rate": f"0.{3 + number % 17:02}"}
        wild = {"leverage": str(1 + number % 5), "share": f"0.{15 + number % 70:02}"}
        roster.append(Agent(f"coin-{number:03}", RandomTrader({**rates, **wild})))
    return tuple(sorted(roster, key=lambda agent: agent.name))


def rows(table: Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table: decimals, texts, instants, and None where nothing is known."""
    columns = {name: _values(column) for name, column in table.items()}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def instant(at_ms: int) -> datetime:
    """Return an instant of the market."""
    return EPOCH + timedelta(milliseconds=int(at_ms))


def decimal(units: int, step: int = 1) -> Decimal:
    """Return units of 10⁻⁸, in steps, as a decimal."""
    return Decimal(int(units) * int(step)).scaleb(-8)


def _values(column: Column) -> list[Any]:
    plain = column.values.tolist()
    steps = [1] * len(plain) if column.step is None else column.step.tolist()
    present = [True] * len(plain) if column.present is None else column.present.tolist()
    return [
        _value(column, value, step) if known else None for value, step, known in zip(plain, steps, present, strict=True)
    ]


def _value(column: Column, value: int, step: int) -> Any:
    if column.kind == TEXT:
        return column.words[value]
    if column.kind == DECIMAL:
        return decimal(value, step)
    if column.kind == TIME:
        return instant(value)
    return bool(value) if column.kind == BOOLEAN else value
