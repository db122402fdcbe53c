"""Which tables and documents does a finished run leave behind, so that anybody can recompute every balance?

Pure assembling: the books come out as columns of exact integers, and an adapter writes them into files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.ledger import ids, postings
from bitnerve.domain.ledger.canonical import books_sha256
from bitnerve.domain.ledger.postings import Lines
from bitnerve.domain.ledger.tables import (
    BOOLEAN,
    INTEGER,
    TIME,
    Books,
    Column,
    Table,
    decimals,
    distinct_texts,
    make_column,
    quantities,
    texts,
)
from bitnerve.domain.market.instrument import Instrument, bitcoin_column
from bitnerve.domain.timeframe import SECOND_MS
from bitnerve.domain.trading import account, events, marking, orders
from bitnerve.domain.units import SCALE, decimal_text
from bitnerve.engine.leaderboard import Benchmark, make_leaderboard
from bitnerve.engine.run import UNSTATED, Run

QUOTE_ASSET = "USDT"

SIDES = ("BUY", "SELL")
MARGIN_MODES = ("CROSS", "ISOLATED")
LIQUIDITIES = ("TAKER", "MAKER")
_STATUSES = (*orders.STATUSES, orders.PARTIAL)

Integers = npt.NDArray[np.int64]


def make_books(*, run: Run, asset: str = QUOTE_ASSET) -> Books:
    """Return the books of a finished run: seven tables, `season.json` and `leaderboard.json`."""
    tables = {**book_tables(run=run, asset=asset), "equity": _equity(run), "decisions": _decisions(run)}
    season = season_document(run=run, asset=asset, sha256=books_sha256(tables))
    leaderboard = make_leaderboard(
        tables=tables, agents=_agent_names(run), step_ms=run.tick_ms, benchmark=find_benchmark(run)
    )
    return Books(tables=tables, season=season, leaderboard=leaderboard)


def book_tables(*, run: Run, asset: str) -> dict[str, Table]:
    """Return the tables that follow from a run's logs and its position rows; its equity and decisions are missing."""
    log = EventLog(run)
    order_ids = _order_ids(run, log)
    fill_ids = _fill_ids(log, order_ids)
    return {
        "orders": _orders(run, log, order_ids),
        "fills": _fills(run, log, order_ids, fill_ids),
        "funding": _funding(run, log),
        "positions": _positions(run),
        "postings": _postings(run, log, fill_ids, asset),
    }


def find_benchmark(run: Run) -> Benchmark | None:
    """Return Bitcoin's marks at the first and the last equity row, or None where it does not trade."""
    column = bitcoin_column(run.symbols)
    if column < 0:
        return None
    candles = run.recording.candles
    first, last = (int(run.ticks[row]) - candles.start_at for row in (0, -1))
    prices = run.recording.mark[:, column]
    return Benchmark(
        symbol=run.symbols[column],
        first_price=int(prices[first // candles.interval_ms]),
        last_price=int(prices[last // candles.interval_ms]),
    )


def season_document(*, run: Run, asset: str, sha256: str) -> dict[str, Any]:
    """Return what `season.json` holds; decimals as text."""
    rates = ("half_spread_rate", "impact_rate", "volume_cap_rate", "liquidation_fee_rate")
    return {
        "season": run.season,
        "rules": {
            "capital": decimal_text(run.capital),
            "asset": asset,
            "tick": run.tick_ms // SECOND_MS,
            "bar": run.recording.candles.interval_ms // SECOND_MS,
            **{name: decimal_text(int(getattr(run.rules, name))) for name in rates},
            "market_order_max_bars": int(run.rules.market_order_max_bars),
        },
        "instruments": [instrument_document(one) for one in run.recording.instruments],
        "agents": [
            {"name": card.name, "strategy": card.strategy, "parameters": dict(card.parameters)} for card in run.agents
        ],
        "inputs": [{"name": source.name, "sha256": source.sha256} for source in run.recording.sources],
        "seed": run.seed,
        "books_sha256": sha256,
    }


def instrument_document(instrument: Instrument) -> dict[str, Any]:
    """Return an instrument as `season.json` has it; decimals as text."""
    lot = lot_step(instrument)
    return {
        "symbol": instrument.symbol,
        "tick_size": decimal_text(instrument.tick_size),
        "lot_size": decimal_text(lot),
        "min_quantity": decimal_text(instrument.min_quantity * lot),
        "min_notional": decimal_text(instrument.min_notional),
        "maker_fee_rate": decimal_text(instrument.maker_fee_rate),
        "taker_fee_rate": decimal_text(instrument.taker_fee_rate),
        "tiers": [
            {
                "notional_until": None if tier.notional_until is None else decimal_text(tier.notional_until),
                "maintenance_rate": decimal_text(tier.maintenance_rate),
                "deduction": decimal_text(tier.deduction),
                "leverage_max": tier.leverage_max,
            }
            for tier in instrument.tiers
        ],
        "inferred": instrument.inferred,
    }


def lot_step(instrument: Instrument) -> int:
    """Return a lot in 10⁻⁸ of the base asset."""
    return instrument.lot_numerator * (SCALE // instrument.lot_denominator)


class EventLog:
    """The two logs of a run as `int64`, in the order of the export: by agent, then sequence."""

    def __init__(self, run: Run) -> None:
        cursors = run.exchange.cursors
        log = np.asarray(run.exchange.orders[: int(cursors[account.ORDER_COUNT])], dtype=np.int64)
        self.order_row = np.lexsort((log[:, orders.SEQUENCE], log[:, orders.ACCOUNT]))
        self.orders: Integers = log[self.order_row]
        place = np.empty(len(log), dtype=np.int64)
        place[self.order_row] = np.arange(len(log))

        rows = np.asarray(run.exchange.events[: int(cursors[account.EVENT_COUNT])], dtype=np.int64)
        fill_rows, self.fills = _of_kind(rows, rows[:, events.KIND] == events.FILL)
        self.fill_order: Integers = place[self.fills[:, events.CAUSE]]
        """For each fill the place of its order."""
        _, self.funding = _of_kind(rows, rows[:, events.KIND] == events.FUNDING)
        _, self.transfers = _of_kind(rows, rows[:, events.KIND] > events.FUNDING)
        place = np.empty(len(rows), dtype=np.int64)
        place[fill_rows] = np.arange(len(fill_rows))
        self.transfer_fill: Integers = place[self.transfers[:, events.CAUSE]]
        """For each transfer the place of the fill that caused it."""


def _of_kind(rows: Integers, chosen: npt.NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Return the indices of the chosen rows by (agent, sequence), and the rows."""
    index = np.flatnonzero(chosen)
    index = index[np.lexsort((rows[index, events.SEQUENCE], rows[index, events.ACCOUNT]))]
    return index, rows[index]


def _agent_names(run: Run) -> tuple[str, ...]:
    return tuple(card.name for card in run.agents)


def _lots(run: Run, lots: Integers, symbol: Integers) -> Column:
    steps = np.array([lot_step(instrument) for instrument in run.recording.instruments], dtype=np.int64)
    return quantities(lots, steps[symbol])


def _sides(side: Integers) -> Column:
    return texts(side < 0, SIDES)


def _tick_times(run: Run, bars: Integers) -> Integers:
    return run.recording.candles.start_at + bars * run.recording.candles.interval_ms


def _order_ids(run: Run, log: EventLog) -> list[str]:
    names = _agent_names(run)
    ticks = _tick_times(run, log.orders[:, orders.TICK])
    columns = zip(
        log.orders[:, orders.ACCOUNT].tolist(), ticks.tolist(), log.orders[:, orders.ORDINAL].tolist(), strict=True
    )
    return ids.order_ids(seed=run.seed, keys=((names[agent], tick, ordinal) for agent, tick, ordinal in columns))


def _orders(run: Run, log: EventLog, order_ids: Sequence[str]) -> Table:
    rows = log.orders
    symbol, limit, trigger = (rows[:, number] for number in (orders.SYMBOL, orders.LIMIT_PRICE, orders.TRIGGER_PRICE))
    working = rows[:, orders.STATUS] == orders.WORKING
    status = np.where(working & (rows[:, orders.FILLED] > 0), len(orders.STATUSES), rows[:, orders.STATUS])
    # Code 0 stands for none.
    code = rows[:, orders.CODE]
    return {
        "agent": texts(rows[:, orders.ACCOUNT], _agent_names(run)),
        "sequence": make_column(INTEGER, rows[:, orders.SEQUENCE]),
        "order_id": distinct_texts(order_ids),
        "tick_at": make_column(TIME, _tick_times(run, rows[:, orders.TICK])),
        "accepted_at": make_column(TIME, rows[:, orders.ACCEPTED_AT]),
        "ended_at": make_column(TIME, rows[:, orders.ENDED_AT], present=~working),
        "symbol": texts(symbol, run.symbols),
        "side": _sides(rows[:, orders.SIDE]),
        "type": texts(rows[:, orders.TYPE], orders.TYPES),
        "reduce_only": make_column(BOOLEAN, rows[:, orders.REDUCE_ONLY]),
        "margin_mode": texts(rows[:, orders.ISOLATED], MARGIN_MODES),
        "quantity": _lots(run, rows[:, orders.QUANTITY], symbol),
        "limit_price": decimals(limit, present=limit != 0),
        "trigger_price": decimals(trigger, present=trigger != 0),
        "leverage": make_column(INTEGER, _leverages(log.orders)),
        "status": texts(status, _STATUSES),
        "refusal_code": texts(code - 1, [str(word) for word in orders.CODES[1:]], null_below=True),
        "reason": texts(rows[:, orders.REASON], orders.REASONS),
    }


def _leverages(rows: Integers) -> Integers:
    """Return the leverage of each order: the one it asked for, else the one its symbol had when it was placed.

    A symbol begins at 1×; an accepted order that may open changes it (a FOK is refused only after acceptance).
    """
    refused = (rows[:, orders.STATUS] == orders.REJECTED) & (rows[:, orders.CODE] != orders.FOK_UNFILLED)
    asks = (rows[:, orders.LEVERAGE] > 0) & (rows[:, orders.REDUCE_ONLY] == 0)
    by_symbol = np.lexsort((np.arange(len(rows)), rows[:, orders.SYMBOL], rows[:, orders.ACCOUNT]))
    owner, symbol = rows[by_symbol, orders.ACCOUNT], rows[by_symbol, orders.SYMBOL]
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (owner[1:] != owner[:-1]) | (symbol[1:] != symbol[:-1])
    sets = (asks & ~refused)[by_symbol]
    # The place of the last order that set the leverage; of a group's first order, its own place at least.
    source = np.maximum.accumulate(np.where(sets | begins, np.arange(len(rows)), 0))
    kept = np.where(sets[source], rows[by_symbol, orders.LEVERAGE][source], 1) if len(rows) else source
    leverage = np.empty(len(rows), dtype=np.int64)
    leverage[by_symbol] = kept
    return np.where(asks, rows[:, orders.LEVERAGE], leverage)


def _fill_ids(log: EventLog, order_ids: Sequence[str]) -> list[str]:
    numbers = log.fills[:, events.NUMBER].tolist()
    return [
        ids.fill_id(order_ids[order], number) for order, number in zip(log.fill_order.tolist(), numbers, strict=True)
    ]


def _fills(run: Run, log: EventLog, order_ids: Sequence[str], fill_ids: Sequence[str]) -> Table:
    rows = log.fills
    symbol = rows[:, events.SYMBOL]
    return {
        "agent": texts(rows[:, events.ACCOUNT], _agent_names(run)),
        "sequence": make_column(INTEGER, rows[:, events.SEQUENCE]),
        "fill_id": distinct_texts(fill_ids),
        "order_id": texts(log.fill_order, order_ids),
        "filled_at": make_column(TIME, rows[:, events.AT]),
        "symbol": texts(symbol, run.symbols),
        "side": _sides(rows[:, events.SIDE]),
        "quantity": _lots(run, rows[:, events.QUANTITY], symbol),
        "price": decimals(rows[:, events.PRICE]),
        "base_price": decimals(rows[:, events.BASE_PRICE]),
        "liquidity": texts(rows[:, events.MAKER], LIQUIDITIES),
        "fee": decimals(rows[:, events.FEE]),
        "realized_pnl": decimals(rows[:, events.AMOUNT]),
        "position_after": _lots(run, rows[:, events.POSITION_AFTER], symbol),
        "reason": texts(rows[:, events.REASON], orders.REASONS),
    }


def _funding(run: Run, log: EventLog) -> Table:
    rows = log.funding
    known = rows[:, events.KNOWN] == 1
    symbol = rows[:, events.SYMBOL]
    return {
        "agent": texts(rows[:, events.ACCOUNT], _agent_names(run)),
        "sequence": make_column(INTEGER, rows[:, events.SEQUENCE]),
        "funded_at": make_column(TIME, rows[:, events.AT]),
        "symbol": texts(symbol, run.symbols),
        "position_quantity": _lots(run, rows[:, events.QUANTITY], symbol),
        "mark_price": decimals(rows[:, events.PRICE]),
        "rate": decimals(rows[:, events.RATE], present=known),
        "amount": decimals(rows[:, events.AMOUNT], present=known),
    }


def _positions(run: Run) -> Table:
    rows = np.asarray(run.marks.positions[: int(run.marks.used[0])])
    # The rows are by tick, account, symbol already, so a stable sort by account is all that is missing.
    order = np.argsort(rows[:, marking.ROW_ACCOUNT].astype(np.int32), kind="stable")

    def column(number: int) -> Integers:
        return rows[:, number].astype(np.int64)[order]

    symbol = column(marking.ROW_SYMBOL)
    return {
        "agent": texts(column(marking.ROW_ACCOUNT), _agent_names(run)),
        "at": make_column(TIME, run.ticks[column(marking.ROW_TICK)]),
        "symbol": texts(symbol, run.symbols),
        "quantity": _lots(run, column(marking.ROW_QUANTITY), symbol),
        "cost_basis": decimals(column(marking.ROW_COST)),
        "mark_price": decimals(column(marking.ROW_MARK)),
        "unrealized_pnl": decimals(column(marking.ROW_UNREALIZED)),
        "leverage": make_column(INTEGER, column(marking.ROW_LEVERAGE)),
        "margin_mode": texts(column(marking.ROW_ISOLATED), MARGIN_MODES),
        "margin": decimals(column(marking.ROW_MARGIN)),
        "maintenance_margin": decimals(column(marking.ROW_MAINTENANCE)),
    }


def _equity(run: Run) -> Table:
    ticks, agents = run.marks.equity.shape[:2]
    return equity_table(
        names=_agent_names(run),
        agent=np.repeat(np.arange(agents), ticks),
        at=np.tile(run.ticks, agents),
        figures=run.marks.equity.transpose(1, 0, 2).reshape(-1, marking.EQUITY_COLUMNS),
    )


def equity_table(*, names: Sequence[str], agent: Integers, at: Integers, figures: Integers) -> Table:
    """Return the table of equity rows; `figures` are [row, marking.EQUITY_COLUMNS] in money units."""
    return {
        "agent": texts(agent, names),
        "at": make_column(TIME, at),
        "cash": decimals(figures[:, marking.CASH]),
        "unrealized_pnl": decimals(figures[:, marking.UNREALIZED]),
        "equity": decimals(figures[:, marking.EQUITY]),
        "margin_used": decimals(figures[:, marking.MARGIN_USED]),
        "maintenance_margin": decimals(figures[:, marking.MAINTENANCE]),
    }


def _postings(run: Run, log: EventLog, fill_ids: Sequence[str], asset: str) -> Table:
    names = _agent_names(run)
    lines = postings.make_lines(
        capital=run.capital,
        agent_count=len(names),
        started_at=int(run.ticks[0]),
        fills=postings.Fills(*_common(log.fills), fee=log.fills[:, events.FEE]),
        funding=postings.Settlements(*_common(log.funding)),
        transfers=postings.Transfers(
            *_common(log.transfers), kind=_transfer_kinds(log.transfers[:, events.KIND]), fill=log.transfer_fill
        ),
    )
    first, posting = _posting_of(lines)
    keys = zip(lines.agent[first].tolist(), lines.sequence[first].tolist(), strict=True)
    posting_ids = ids.posting_ids(seed=run.seed, keys=((names[agent], sequence) for agent, sequence in keys))
    return {
        "agent": texts(lines.agent, names),
        "sequence": make_column(INTEGER, lines.sequence),
        "posting_id": texts(posting, posting_ids),
        "posted_at": make_column(TIME, lines.at),
        "kind": texts(lines.kind, postings.KINDS),
        "source_id": texts(posting, _source_ids(run, log, lines, first, fill_ids)),
        "account": texts(postings.account_codes(lines), postings.account_names(entries=names, season=run.season)),
        "asset": texts(np.zeros(len(posting)), (asset,)),
        "amount": decimals(lines.amount),
    }


def _common(rows: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    """Return agent, sequence, time and amount of events."""
    return rows[:, events.ACCOUNT], rows[:, events.SEQUENCE], rows[:, events.AT], rows[:, events.AMOUNT]


def _transfer_kinds(kinds: Integers) -> Integers:
    return np.where(kinds == events.SHORTFALL, postings.SHORTFALL, postings.LIQUIDATION_FEE)


def _posting_of(lines: Lines) -> tuple[Integers, Integers]:
    """Return the first line of each posting, and the posting of each line."""
    begins = np.ones(len(lines.agent), dtype=np.bool_)
    begins[1:] = (lines.agent[1:] != lines.agent[:-1]) | (lines.sequence[1:] != lines.sequence[:-1])
    return np.flatnonzero(begins), np.cumsum(begins) - 1


def _source_ids(run: Run, log: EventLog, lines: Lines, first: Integers, fill_ids: Sequence[str]) -> list[str]:
    """Return what caused each posting: START the agent's beginning, FUNDING a settlement, all others a fill."""
    names, symbols = _agent_names(run), run.symbols
    settled = log.funding[:, [events.ACCOUNT, events.SYMBOL, events.AT]].tolist()
    funded = [ids.funding_source(agent=names[agent], symbol=symbols[symbol], at_ms=at) for agent, symbol, at in settled]
    started = [ids.start_source(agent=name, at_ms=int(run.ticks[0])) for name in names]
    causes: dict[int, Sequence[str]] = {postings.START: started, postings.FUNDING: funded}
    kinds, rows = lines.kind[first].tolist(), lines.cause[first].tolist()
    return [causes.get(kind, fill_ids)[row] for kind, row in zip(kinds, rows, strict=True)]


def _decisions(run: Run) -> Table:
    log = run.decisions
    ticks, agents = log.action.shape
    confidence = log.confidence.T.reshape(-1)

    def words(indices: npt.NDArray[np.int32]) -> Column:
        codes = indices.T.reshape(-1).astype(np.int64)
        said = np.array([bool(word) for word in log.texts] or [False])
        return texts(np.where(said[codes], codes, -1), log.texts, null_below=True)

    return {
        "agent": texts(np.repeat(np.arange(agents), ticks), _agent_names(run)),
        "tick_at": make_column(TIME, np.tile(run.ticks[:ticks], agents)),
        "snapshot_sha256": texts(np.tile(np.arange(ticks), agents), log.snapshots),
        "action": texts(log.action.T.reshape(-1), log.texts),
        "confidence": decimals(confidence, present=confidence != UNSTATED),
        "reason": words(log.reason),
        "verdict": words(log.verdict),
    }
