"""Accounts that are put down after every tick, in chunks of any size, have the books of accounts that never were."""

from dataclasses import replace

import numpy as np
import pytest

from bitnerve.adapters.simulated.market import simulate
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.catalog import list_agents
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, parse_instant
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.units import SCALE
from bitnerve.engine.desk import Desk
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import AgentView, _compute_signals, make_history, replay
from bitnerve.engine.tables import make_tables
from tests.engine.shelf import Shelf

BAR_MS = 5 * MINUTE_MS
START = parse_instant("2026-01-01", field="start")
CAPITAL = 10_000 * SCALE


def put_down(recording, agents, *, first, last, step, seed, chunk):
    """Play as `replay` does, but take every account up anew at every tick."""
    tables = make_tables(recording)
    signals = _compute_signals(make_history(recording), agents)
    shelf = Shelf(len(agents), CAPITAL, first, int(tables.at[first]))
    bars = list(range(first, last + 1, step))
    for bar in bars:
        for begin in range(0, len(agents), chunk):
            accounts = list(range(begin, min(begin + chunk, len(agents))))
            carried = shelf.take(accounts)
            desk = Desk(
                market=tables,
                agents=[agents[a] for a in accounts],
                capital=CAPITAL,
                rules=Rules(),
                limits=Limits(),
                seed=seed,
                step=step,
                carried=carried,
                played_until=[shelf.played_until[a] for a in accounts],
            )
            desk.play_until(int(tables.at[bar]))
            if bar < last:
                for i, a in enumerate(accounts):
                    decision = agents[a].strategy.decide(AgentView(desk, i), signals[a])
                    if decision.orders:
                        desk.submit(i, decision)
            shelf.put(accounts, carried, desk.changes(), desk.played_until)
    return shelf, bars


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_an_account_put_down_at_every_tick_has_the_same_books(chunk):
    days, warm = 2, 14
    recording = simulate(
        seed=5, symbol_count=6, start_at=START - warm * DAY_MS, bar_count=(warm + days) * DAY_MS // BAR_MS
    )
    agents, first = list_agents(), warm * DAY_MS // BAR_MS
    run = replay(recording=recording, agents=agents, capital=CAPITAL, tick_ms=BAR_MS, start_at=START, seed=5)

    shelf, bars = put_down(recording, agents, first=first, last=recording.bar_count, step=1, seed=5, chunk=chunk)

    rebuilt = replace(run, exchange=shelf.exchange(run.exchange), marks=shelf.marks(bars))
    books, wanted = make_books(run=rebuilt), make_books(run=run)
    assert len(wanted.tables["fills"]["fill_id"]) > 40
    assert books.season["books_sha256"] == wanted.season["books_sha256"]
    assert check_books(books).books_sha256 == wanted.season["books_sha256"]
    assert np.array_equal(rebuilt.marks.equity, run.marks.equity)
