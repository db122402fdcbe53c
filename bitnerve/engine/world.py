"""What is the state of one arena at one instant, and how do orders enter it?"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bitnerve.domain.decisions.decision import CancelRequest, Decision, OrderRequest
from bitnerve.domain.kernel import zeros
from bitnerve.domain.market.instrument import Instrument, instrument_arrays
from bitnerve.domain.risk import governor
from bitnerve.domain.risk.governor import AccountState, Review, SymbolState
from bitnerve.domain.risk.limits import Limits, tightest
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import DAY_MS
from bitnerve.domain.trading import acceptance, account, margin, marking, orders, path, positions, session
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.domain.units import decimal_text
from bitnerve.engine.tables import MarketTables

_spell = json.JSONEncoder(separators=(",", ":")).encode


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
        market: MarketTables,
        agents: Sequence[Agent],
        capital: int,
        rules: Rules,
        limits: Limits,
        seed: int,
        tick_count: int,
    ) -> None:
        """Open one account per agent; `tick_count` is the number of equity rows to come."""
        recording = market.recording
        self.recording = recording
        self.symbols = recording.symbols
        self.instruments: tuple[Instrument, ...] = recording.instruments
        self.agents = tuple(agents)
        self.limits = limits
        self.capital = capital
        self.seed = seed
        self.column = {symbol: column for column, symbol in enumerate(self.symbols)}
        self.bars, self.mark, self.at, self.funding = market.bars, market.mark, market.at, market.funding
        self.exchange: Exchange = account.open_exchange(
            instruments=instrument_arrays(self.instruments),
            rules=rules,
            account_count=len(self.agents),
            capital=capital,
            has_mark=recording.mark_path is not None,
        )
        self.marks = marking.blank_marks(tick_count, len(self.agents), 4096)
        self._due: list[int] = self.funding[:, session.DUE].tolist()
        self.bar = 0
        """The bar that opens, or is being traded, now; those before it are closed."""
        self.now = 0
        """Milliseconds: when an order that is handed in now is accepted."""
        self.tick = 0
        self.flaws: Mapping[str, str] = {}
        """What is wrong with what is seen of a symbol: nobody may take new risk in it."""
        self._facts = zeros(2)
        self._funding_cursor = 0
        self._peak = [capital] * len(self.agents)
        self._midnight = [capital] * len(self.agents)
        universes = [agent.strategy.universe(self.symbols) for agent in self.agents]
        bounds = {one: tightest(limits, replace(limits, symbols=one)) for one in set(universes)}
        self._limits = [bounds[one] for one in universes]
        self._day = -1
        self._working = 0
        self._most_working = 0
        self.quantities = [[0] * len(self.symbols) for _ in self.agents]
        """Positions at the last tick, [account][symbol], in lots."""
        self.held: list[tuple[int, ...]] = [()] * len(self.agents)
        """The columns of the symbols with an open position at the last tick, by account."""
        self.equities: list[int] = []
        """Equity at the last tick, by account."""
        self._events_seen = 0

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
        self.now = int(self.at[until])
        self._read_positions()
        self._remember(self.marks.equity[self.tick, :, marking.EQUITY].tolist())
        self.tick += 1

    def _remember(self, equities: list[int]) -> None:
        """Take note of everybody's equity at a tick: what the governor measures losses by."""
        self.equities = equities
        self._peak = list(map(max, self._peak, equities))
        day = self.now // DAY_MS
        if day != self._day:
            self._day = day
            self._midnight = equities

    def _read_positions(self) -> None:
        """Take note of what everybody holds."""
        event_count = int(self.exchange.cursors[account.EVENT_COUNT])
        # A position changes by a fill, and every fill is an event.
        if event_count == self._events_seen:
            return
        self._events_seen = event_count
        quantities = self.exchange.positions[:, :, positions.QUANTITY]
        self.quantities = quantities.tolist()
        held: list[list[int]] = [[] for _ in self.agents]
        for a, column in zip(*(places.tolist() for places in np.nonzero(quantities)), strict=True):
            held[a].append(column)
        self.held = [tuple(columns) for columns in held]

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
        return bisect_right(self._due, bar, lo=self._funding_cursor) - self._funding_cursor

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
                acceptance.cancel_orders_of(self.exchange, a, self.column[request.symbol], self.now)
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
        return Outcome(accepted, _spell(rulings) if rulings else "ACCEPTED")

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
        bars, bar = self.bars, self.bar
        seen = min(bar, 64)
        return SymbolState(
            instrument=self.instruments[column],
            mark=int(self.exchange.prices[account.MARK, column]),
            last=int(self.exchange.prices[account.LAST, column]),
            previous=int(bars[path.CLOSE, bar - 2, column]) if bar > 1 else 0,
            bars_silent=next((back for back in range(seen) if bars[path.VOLUME, bar - 1 - back, column] > 0), seen),
            quantity=int(self.exchange.positions[a, column, positions.QUANTITY]),
            leverage=int(self.exchange.positions[a, column, positions.LEVERAGE]),
            resting_lots=self.resting_lots(a, column),
            flaw=self.flaws.get(self.symbols[column], ""),
        )

    def pending(self, a: int) -> tuple[int, ...]:
        """Return the columns of the symbols for which an account has an order at work that could open or add."""
        exchange = self.exchange
        count = int(exchange.accounts[a, account.WORKING_COUNT])
        if not count:
            return ()
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
        return int(acceptance.accept(self.exchange, a, row, self._facts, self.now))

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
