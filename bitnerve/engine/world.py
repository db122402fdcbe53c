"""What is the state of one arena at one instant, and how do orders enter it?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitnerve.domain.decisions.decision import CancelRequest, Decision, OrderRequest
from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market.instrument import Instrument, instrument_arrays
from bitnerve.domain.market.recording import FundingSchedule, Recording
from bitnerve.domain.risk import governor
from bitnerve.domain.risk.governor import AccountState, Review, SymbolState
from bitnerve.domain.risk.limits import Limits, tightest
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import DAY_MS
from bitnerve.domain.trading import acceptance, account, margin, marking, orders, path, positions, session
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.domain.units import decimal_text


def bar_table(recording: Recording) -> account.Integers:
    """Return the bars as kernels read them: [row, bar, symbol]."""
    candles = recording.candles
    rows = [candles.open, candles.high, candles.low, candles.close, candles.volume, candles.quote_volume]
    if recording.mark_path:
        marks = recording.mark_path
        rows += [marks.open, marks.high, marks.low, marks.close]
    return integers(np.stack(rows))


def funding_table(schedule: FundingSchedule, *, start_at: int, interval_ms: int) -> account.Integers:
    """Return the settlements as kernels read them: due at the first bar end at or after each funding time."""
    table = zeros(len(schedule.at), session.SCHEDULE_COLUMNS)
    table[:, session.DUE] = integers(-((start_at - schedule.at) // interval_ms))
    table[:, session.FUNDED_AT] = integers(schedule.at)
    table[:, session.SYMBOL] = integers(schedule.symbol)
    table[:, session.RATE] = integers(schedule.rate)
    table[:, session.KNOWN] = integers(schedule.known.astype(np.int64))
    return table


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a decision's orders: how many rest with the venue, and every ruling as JSON text."""

    accepted: int
    verdict: str


class World:
    """Every account of an arena on one exchange, and the market up to now."""

    def __init__(
        self,
        *,
        recording: Recording,
        agents: Sequence[Agent],
        capital: int,
        rules: Rules,
        limits: Limits,
        seed: int,
        tick_count: int,
    ) -> None:
        """Open one account per agent; `tick_count` is the number of equity rows to come."""
        self.recording = recording
        self.symbols = recording.symbols
        self.instruments: tuple[Instrument, ...] = recording.instruments
        self.agents = tuple(agents)
        self.limits = limits
        self.capital = capital
        self.seed = seed
        self.column = {symbol: column for column, symbol in enumerate(self.symbols)}
        self.bars = bar_table(recording)
        self.mark = integers(recording.mark)
        self.at = integers(
            recording.candles.start_at + np.arange(recording.bar_count + 1) * recording.candles.interval_ms
        )
        self.funding = funding_table(
            recording.funding, start_at=recording.candles.start_at, interval_ms=recording.candles.interval_ms
        )
        self.exchange: Exchange = account.open_exchange(
            instruments=instrument_arrays(self.instruments),
            rules=rules,
            account_count=len(self.agents),
            capital=capital,
            has_mark=recording.mark_path is not None,
        )
        self.marks = marking.blank_marks(tick_count, len(self.agents), 4096)
        self.bar = 0
        self.tick = 0
        self._facts = zeros(2)
        self._funding_cursor = 0
        self._peak = [capital] * len(self.agents)
        self._midnight = [capital] * len(self.agents)
        self._limits = [
            tightest(limits, Limits(symbols=agent.strategy.universe(self.symbols))) for agent in self.agents
        ]
        self._day = -1
        self._working = 0
        self._most_working = 0
        self.quantities: list[list[int]] = []
        """Positions at the last tick, [account][symbol], in lots."""
        self.equities: list[int] = []
        """Equity at the last tick, by account."""

    def start_at(self, bar: int) -> None:
        """Stand at the start of a bar without having traded, and mark: what came before is warm-up."""
        self.bar = bar
        self._funding_cursor = self._settlements_before(bar)
        self.advance(bar)

    def advance(self, until: int) -> None:
        """Play the bars up to `until`, funding included, and mark every account there."""
        self._make_room(until - self.bar)
        self._funding_cursor, self._most_working, self._working = session.play_tick(
            self.exchange,
            self.bars,
            self.mark,
            self.funding,
            self._funding_cursor,
            self.bar,
            until,
            self.at,
            self.marks,
            self.tick,
        )
        self.bar = until
        self.quantities = self.exchange.positions[:, :, positions.QUANTITY].tolist()
        self.equities = self.marks.equity[self.tick, :, marking.EQUITY].tolist()
        self.tick += 1
        self._peak = list(map(max, self._peak, self.equities))
        day = (self.recording.bar_at(until)) // DAY_MS
        if day != self._day:
            self._day = day
            self._midnight = self.equities

    def _make_room(self, bars: int) -> None:
        """Grow the logs before they could run full: what a run of bars can write has a bound."""
        symbols, agents = len(self.symbols), len(self.agents)
        settlements = agents * self._settlements_before(self.bar + bars)
        turns = bars * (4 * self._working + agents * symbols + 1)
        self.exchange = account.with_room(
            self.exchange,
            orders=2 * turns,
            events=3 * turns + settlements,
            working=4 * self._most_working + symbols,
        )
        self.marks = marking.with_room(self.marks, agents * symbols)

    def _settlements_before(self, bar: int) -> int:
        due = self.funding[self._funding_cursor :, session.DUE]
        return int(np.searchsorted(due, bar, side="right")) if len(due) and due[0] <= bar else 0

    def equity(self, a: int) -> int:
        """Return an account's equity at the last tick, in money units."""
        return self.equities[a]

    def submit(self, a: int, decision: Decision) -> Outcome:
        """Review a decision and hand what passes to the venue: cancels, then what reduces, then what opens."""
        review = self.review(a, decision)
        accepted = 0
        rulings = [
            {"order": one.order, "outcome": one.outcome, "rule": one.rule, "asked": one.asked, "allowed": one.allowed}
            for one in review.rulings
        ]
        added = len(review.orders)
        self._working += added
        self._most_working += added
        self.exchange = account.with_room(self.exchange, orders=added, events=0, working=self._most_working)
        for number, request in sorted(review.orders, key=lambda pair: _turn(pair[1])):
            if isinstance(request, CancelRequest):
                acceptance.cancel_orders_of(self.exchange, a, self.column[request.symbol], int(self.at[self.bar]))
                continue
            code = self._accept(a, request)
            if code:
                rulings.append(
                    {
                        "order": number,
                        "outcome": "REJECTED",
                        "rule": orders.CODES[code],
                        "asked": self._fact(request, code, 0),
                        "allowed": self._fact(request, code, 1),
                    }
                )
            else:
                accepted += 1
        return Outcome(accepted, json.dumps(rulings, separators=(",", ":")) if rulings else "ACCEPTED")

    def review(self, a: int, decision: Decision) -> Review:
        """Return the governor's review of a decision at this instant."""
        names = {one.symbol for one in decision.orders if one.symbol in self.column}
        state = AccountState(
            equity=self.equity(a),
            available=int(margin.available(self.exchange, a, -1)),
            equity_peak=self._peak[a],
            equity_at_midnight=self._midnight[a],
        )
        symbols = {name: self._symbol_state(a, self.column[name]) for name in names}
        return governor.review_decision(decision=decision, account=state, symbols=symbols, limits=self._limits[a])

    def _symbol_state(self, a: int, column: int) -> SymbolState:
        closes = self.bars[path.CLOSE, max(0, self.bar - 2) : self.bar, column]
        traded = np.flatnonzero(self.bars[path.VOLUME, max(0, self.bar - 64) : self.bar, column] > 0)
        seen = min(self.bar, 64)
        return SymbolState(
            instrument=self.instruments[column],
            mark=int(self.mark[self.bar, column]),
            last=int(closes[-1]) if len(closes) else 0,
            previous=int(closes[-2]) if len(closes) > 1 else 0,
            bars_silent=seen - 1 - int(traded[-1]) if len(traded) else seen,
            quantity=int(self.exchange.positions[a, column, positions.QUANTITY]),
            leverage=int(self.exchange.positions[a, column, positions.LEVERAGE]),
            resting_lots=self.resting_lots(a, column),
        )

    def pending(self, a: int) -> tuple[int, ...]:
        """Return the columns of the symbols for which an account has an order at work that could open or add."""
        exchange = self.exchange
        count = int(exchange.accounts[a, account.WORKING_COUNT])
        rows = (exchange.orders[exchange.working[a, k]] for k in range(count))
        return tuple(sorted({int(row[orders.SYMBOL]) for row in rows if _may_open(row)}))

    def resting_lots(self, a: int, column: int) -> int:
        """Return the lots of an account's resting orders that could open or add to a position in a symbol."""
        exchange = self.exchange
        total = 0
        for k in range(int(exchange.accounts[a, account.WORKING_COUNT])):
            row = exchange.orders[exchange.working[a, k]]
            if row[orders.SYMBOL] == column and _may_open(row):
                total += int(row[orders.QUANTITY] - row[orders.FILLED])
        return total

    def _accept(self, a: int, request: OrderRequest) -> int:
        row = int(self.exchange.cursors[account.ORDER_COUNT])
        order = self.exchange.orders[row]
        order[orders.SYMBOL] = self.column[request.symbol]
        order[orders.SIDE] = request.side
        order[orders.TYPE] = request.type
        order[orders.TRIGGER_PRICE] = request.trigger_price
        order[orders.LIMIT_PRICE] = request.limit_price
        order[orders.REDUCE_ONLY] = int(request.only_reduces)
        order[orders.QUANTITY] = request.quantity
        order[orders.TRIGGER_BY] = request.trigger_by
        order[orders.CALLBACK_RATE] = request.callback_rate
        order[orders.TIME_IN_FORCE] = request.time_in_force
        order[orders.CLOSE_POSITION] = int(request.close_position)
        order[orders.ISOLATED] = int(request.isolated)
        order[orders.LEVERAGE] = request.leverage
        order[orders.STOP_LOSS] = request.stop_loss
        order[orders.TAKE_PROFIT] = request.take_profit
        order[orders.TRAILING_RATE] = request.trailing_rate
        order[orders.PARENT] = -1
        order[orders.REASON] = request.reason
        return int(acceptance.accept(self.exchange, a, row, self._facts, int(self.at[self.bar])))

    def _fact(self, request: OrderRequest, code: int, index: int) -> str:
        value = int(self._facts[index])
        if code in (orders.BAD_QUANTITY, orders.NOT_REDUCING):
            lots = value * self.instruments[self.column[request.symbol]].lot_size
            return f"{lots.normalize():f}"
        if code in (orders.MAX_LEVERAGE, orders.MARGIN_MODE):
            return str(value)
        return decimal_text(value)


def _may_open(row: Any) -> bool:
    return bool(row[orders.STATUS] == orders.WORKING and not row[orders.REDUCE_ONLY])


def _turn(request: OrderRequest | CancelRequest) -> int:
    if isinstance(request, CancelRequest):
        return 0
    return 1 if request.only_reduces else 2
