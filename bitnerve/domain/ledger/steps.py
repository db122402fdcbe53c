"""Which steps did every account take, one after another, and where does what it holds differ from its rows?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.ledger import postings, walk
from bitnerve.domain.ledger.difference import BrokenBooks, differ, expect, value_text
from bitnerve.domain.ledger.ledger import LIQUIDATION_TYPE, REFUSED_AFTER_ACCEPTANCE, Ledger
from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.units import decimal_text

Integers = npt.NDArray[np.int64]


def check_accounts(ledger: Ledger) -> None:
    """Walk every account from its capital to its last equity row; raise `BrokenBooks` for the first difference."""
    season = ledger.season
    instruments = instrument_arrays(season.instruments)
    agents, steps = make_steps(ledger)
    equity, rows = _equity(ledger), _rows(ledger)
    bounds = [
        np.searchsorted(agent, np.arange(len(season.agents) + 1))
        for agent in (agents, ledger["equity"].agent, ledger["positions"].agent)
    ]
    for number in range(len(season.agents)):
        state, scalars = zeros(max(1, len(season.symbols)), walk.STATE_COLUMNS), zeros(walk.SCALARS)
        state[:, walk.LEVERAGE_NOW] = 1
        scalars[walk.CASH_NOW] = season.capital
        scalars[walk.PENDING] = -1
        (step, step_until), (point, point_until), (row, row_until) = (
            (int(bound[number]), int(bound[number + 1])) for bound in bounds
        )
        wrong, where, value = walk.walk(
            instruments,
            season.liquidation_fee_rate,
            steps,
            step,
            step_until,
            equity,
            point,
            point_until,
            rows,
            row,
            row_until,
            state,
            scalars,
        )
        if wrong != walk.FINE:
            _raise(ledger, wrong, where, value)
        if ledger.is_arena:
            _check_cached(ledger, number, state, scalars)


def _check_cached(ledger: Ledger, number: int, state: Any, scalars: Any) -> None:
    """Rules L4 and L5: what is kept of an account beside its journal is what the journal and the fills say."""
    tables, accounts, held = ledger.tables, ledger["accounts"], ledger["holdings"]
    own = accounts.agent == number
    expect(tables, "accounts", "cash", int(scalars[walk.CASH_NOW]), where=own)
    expect(tables, "accounts", "locked", int(scalars[walk.LOCKED]), where=own)
    fields = {
        "quantity": (held.lots, walk.HELD),
        "cost_basis": (held.cost, walk.COST),
        "margin": (held.margin, walk.MARGIN),
    }
    rows = np.flatnonzero(held.agent == number)
    kept = np.asarray(state, dtype=np.int64)
    for field, (stored, column) in fields.items():
        for row in rows.tolist():
            symbol = int(held.symbol[row])
            value = int(kept[symbol, column])
            if int(stored[row]) != value:
                amount = value * ledger.season.steps[symbol] if field == "quantity" else value
                raise differ(tables, "holdings", row, field, decimal_text(amount))
    missing = set(np.flatnonzero(kept[:, walk.HELD]).tolist()) - set(held.symbol[rows].tolist())
    if missing:
        symbol = min(missing)
        raise BrokenBooks(
            file="holdings.parquet",
            where={"agent": ledger.season.agents[number], "symbol": ledger.season.symbols[symbol]},
            field="row",
            stored="missing",
            recomputed=decimal_text(int(kept[symbol, walk.HELD]) * ledger.season.steps[symbol]),
        )


def _raise(ledger: Ledger, wrong: int, where: int, value: int) -> None:
    name, field = walk.PLACES[wrong]
    table = ledger.tables[name]
    if wrong in (walk.POSITION_MODE, walk.ORDER_MODE):
        text = ("CROSS", "ISOLATED")[value]
    elif wrong == walk.TRANSFER_CAUSE:
        text = "the fill just before it, and a liquidation's for a fee"
    elif wrong in (walk.FILL_AFTER, walk.FUNDING_LOTS, walk.POSITION_LOTS, walk.FILL_REDUCES):
        text = decimal_text(value * ledger.season.steps[int(ledger[name].symbol[where])])
    elif field in table:
        text = value_text(table[field], value)
    else:
        text = str(value) if wrong == walk.POSITION_MISSING else decimal_text(value)
    raise differ(ledger.tables, name, where, field, text)


def make_steps(ledger: Ledger) -> tuple[Integers, Integers]:
    """Return the agent of every step and the steps, by (agent, sequence)."""
    orders, fills, funding, transfers = (ledger[name] for name in ("orders", "fills", "funding", "transfers"))
    counts = [len(part.agent) for part in (orders, fills, funding, transfers)]
    steps = np.zeros((sum(counts), walk.STEP_COLUMNS), dtype=np.int64)
    ends = np.cumsum(counts)
    parts = np.split(steps, ends[:-1])
    for part in parts:
        part[:, walk.ROW] = np.arange(len(part))
    own = parts[0]
    status, code = ledger.word("orders", "status"), ledger.word("orders", "refusal_code")
    own[:, walk.KIND] = walk.ORDER
    own[:, walk.TIME] = orders.at + 1
    own[:, walk.SYMBOL] = orders.symbol
    own[:, walk.REDUCE_ONLY] = orders.reduce_only
    own[:, walk.LEVERAGE] = orders.leverage
    own[:, walk.ISOLATED] = orders.isolated
    own[:, walk.ACCEPTED] = (status != "REJECTED") | (code == REFUSED_AFTER_ACCEPTANCE)
    own = parts[1]
    own[:, walk.KIND] = walk.FILL
    own[:, walk.TIME] = fills.at + 1
    own[:, walk.SYMBOL] = fills.symbol
    own[:, walk.LOTS] = fills.side * fills.lots
    own[:, walk.PRICE] = fills.price
    own[:, walk.FEE] = fills.fee
    own[:, walk.AMOUNT] = fills.realized
    own[:, walk.AFTER] = fills.after
    own[:, walk.MAKER] = fills.maker
    own[:, walk.LIQUIDATED] = orders.is_type[fills.order] == LIQUIDATION_TYPE
    own[:, walk.REDUCE_ONLY] = orders.reduce_only[fills.order]
    own = parts[2]
    own[:, walk.KIND] = walk.FUNDING
    own[:, walk.TIME] = funding.at
    own[:, walk.SYMBOL] = funding.symbol
    own[:, walk.LOTS] = funding.lots
    own[:, walk.PRICE] = funding.mark
    own[:, walk.RATE] = funding.rate
    own[:, walk.KNOWN] = funding.known
    own[:, walk.AMOUNT] = funding.amount
    own = parts[3]
    own[:, walk.KIND] = np.where(transfers.kind == postings.SHORTFALL, walk.SHORTFALL, walk.LIQUIDATION_FEE)
    own[:, walk.TIME] = transfers.at + 1
    own[:, walk.ROW] = ledger.transfer_rows
    own[:, walk.AMOUNT] = transfers.amount
    own[:, walk.CAUSE] = transfers.fill
    agent = np.concatenate([part.agent for part in (orders, fills, funding, transfers)])
    sequence = np.concatenate([part.sequence for part in (orders, fills, funding, transfers)])
    order = np.lexsort((sequence, agent))
    return agent[order], integers(steps[order])


def _equity(ledger: Ledger) -> Integers:
    points = ledger["equity"]
    columns = (points.at, points.cash, points.unrealized, points.equity, points.used, points.maintenance)
    return integers(np.stack(columns, axis=1))


def _rows(ledger: Ledger) -> Integers:
    """Return the position rows; each names the place of its equity row, -1 for none."""
    rows, points = ledger["positions"], ledger["equity"]
    span = 1 + int(max(points.at.max(initial=0), rows.at.max(initial=0)))
    keys, wanted = points.agent * span + points.at, rows.agent * span + rows.at
    place = np.minimum(np.searchsorted(keys, wanted), max(0, len(keys) - 1))
    if len(keys):
        strange = np.flatnonzero(keys[place] != wanted)
        if len(strange):
            raise differ(ledger.tables, "positions", int(strange[0]), "at", "the time of an equity row")
    columns = (
        place,
        rows.symbol,
        rows.lots,
        rows.cost,
        rows.mark,
        rows.unrealized,
        rows.leverage,
        rows.isolated,
        rows.margin,
        rows.maintenance,
    )
    return integers(np.stack(columns, axis=1))
