"""The trading kernels behind the words of the reference model: orders and bars as dicts, one account.

A scenario is plain data (instruments as text, steps as lists), so the same one can be played here and, through
`worker.py`, in a process whose kernels run uncompiled.
"""

from decimal import Decimal

import numpy as np

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market.instrument import instrument_arrays, make_instrument, make_tier
from bitnerve.domain.trading import acceptance, account, events, margin, marking, orders, path, positions, session
from bitnerve.domain.trading.account import Rules

SIDES = {"BUY": 1, "SELL": -1}
PRICES = {
    "limit_price": orders.LIMIT_PRICE,
    "trigger_price": orders.TRIGGER_PRICE,
    "callback_rate": orders.CALLBACK_RATE,
    "stop_loss": orders.STOP_LOSS,
    "take_profit": orders.TAKE_PROFIT,
    "trailing_rate": orders.TRAILING_RATE,
    "leverage": orders.LEVERAGE,
    "quantity": orders.QUANTITY,
}
CANDLE = {
    "open": path.OPEN,
    "high": path.HIGH,
    "low": path.LOW,
    "close": path.CLOSE,
    "volume": path.VOLUME,
    "quote_volume": path.QUOTE_VOLUME,
}
MARK_ROWS = (path.MARK_OPEN, path.MARK_HIGH, path.MARK_LOW, path.MARK_CLOSE)
FUNDED = {"STOP_MARKET": orders.STOP, "TAKE_PROFIT_MARKET": orders.TAKE, "TRAILING_STOP": orders.TRAIL}
BAR_MS = 60_000


def instruments_of(specs):
    """Instruments from text: what a test writes down and what crosses the pipe to the worker."""
    return [
        make_instrument(
            symbol=spec["symbol"],
            tick_size=Decimal(spec["tick"]),
            lot_size=Decimal(spec["lot"]),
            min_quantity=Decimal(spec.get("min_quantity", spec["lot"])),
            min_notional=Decimal(spec.get("min_notional", "0")),
            maker_fee_rate=Decimal(spec.get("maker", "0.0002")),
            taker_fee_rate=Decimal(spec.get("taker", "0.00055")),
            tiers=[
                make_tier(
                    notional_until=None if until is None else Decimal(until),
                    maintenance_rate=Decimal(rate),
                    deduction=Decimal(deduction),
                    leverage_max=leverage,
                    field="tiers",
                )
                for until, rate, deduction, leverage in spec["tiers"]
            ],
        )
        for spec in sorted(specs, key=lambda spec: spec["symbol"])
    ]


class Venue:
    """One account on the kernels; prices and money in units, quantities in lots."""

    def __init__(self, specs, capital, rules=None, has_mark=False):
        self.instruments = instruments_of(specs)
        self.symbols = [instrument.symbol for instrument in self.instruments]
        self.column = {symbol: column for column, symbol in enumerate(self.symbols)}
        self.exchange = account.open_exchange(
            instruments=instrument_arrays(self.instruments),
            rules=Rules(**(rules or {})),
            account_count=1,
            capital=capital,
            has_mark=has_mark,
        )
        self.facts = zeros(2)
        self.bar_count = 0
        self.ticks = 0
        self._bars = zeros(path.BAR_ROWS, 64, len(self.symbols))
        self._mark = zeros(65, len(self.symbols))
        self.equity_row = None

    # What a scenario may ask for

    def accept(self, new, marks):
        """Hand over orders in their order of acceptance; return the refusal codes."""
        self._stand(marks)
        self.exchange = account.with_room(self.exchange, orders=1024, events=2048, working=512)
        return [self._accept(order) for order in new]

    def _accept(self, order):
        row = int(self.exchange.cursors[account.ORDER_COUNT])
        cells = self.exchange.orders[row]
        cells[orders.SYMBOL] = self.column[order["symbol"]]
        cells[orders.SIDE] = SIDES[order["side"]]
        cells[orders.TYPE] = orders.TYPES.index(order["type"])
        for name, column in PRICES.items():
            cells[column] = order.get(name) or 0
        closing = bool(order.get("close_position"))
        reducing = closing or bool(order.get("reduce_only"))
        cells[orders.CLOSE_POSITION] = int(closing)
        cells[orders.REDUCE_ONLY] = int(reducing)
        force = "POST_ONLY" if order.get("post_only") else order.get("time_in_force", "GTC")
        cells[orders.TIME_IN_FORCE] = orders.TIMES_IN_FORCE.index(force)
        cells[orders.TRIGGER_BY] = orders.TRIGGERS_BY.index(order.get("trigger_by", "LAST"))
        cells[orders.ISOLATED] = int(order.get("margin_mode", "CROSS") == "ISOLATED")
        cells[orders.PARENT] = -1
        cells[orders.REASON] = FUNDED.get(order["type"], orders.EXIT) if reducing else orders.ENTRY
        code = acceptance.accept(self.exchange, 0, row, self.facts, self._now())
        return orders.CODES[int(code)]

    def cancel(self, number):
        """Cancel the order that was the `number`-th to come into being, from 0."""
        acceptance.cancel_order(self.exchange, 0, number, self._now())

    def tick(self, marks):
        """Mark the account and let trailing stops follow."""
        self._set_marks(marks)
        marks_out = marking.blank_marks(1, 1, len(self.symbols))
        session.mark_tick(self.exchange, self._bars, self._mark, marks_out, self.bar_count, 0)
        self.ticks += 1
        self.equity_row = [int(cell) for cell in marks_out.equity[0, 0]]

    def bar(self, bars, funding, marks, mark_bars=None):
        """Play one bar; `funding` lists (symbol, rate or None) due at its end, at `marks`."""
        bar = self.bar_count
        if bar + 1 >= self._bars.shape[1]:
            self._grow()
        for symbol, column in self.column.items():
            self._write(bar, column, bars.get(symbol), (mark_bars or {}).get(symbol))
        self.bar_count += 1
        self._set_marks(marks)
        schedule = [
            [bar + 1, BAR_MS * (bar + 1), self.column[symbol], rate or 0, int(rate is not None)]
            for symbol, rate in funding
        ]
        settlements = integers(schedule) if schedule else zeros(0, session.SCHEDULE_COLUMNS)
        self.exchange = account.with_room(self.exchange, orders=1024, events=2048, working=512)
        at = integers([BAR_MS * i for i in range(bar + 1)])
        session.play_bars(self.exchange, self._bars, self._mark, settlements, 0, bar, bar + 1, at)

    def deposit(self, amount):
        """Add to the wallet, as no rule of the domain does."""
        self.exchange.accounts[0, account.CASH] += amount

    def _now(self):
        return BAR_MS * self.bar_count

    def _set_marks(self, marks):
        for symbol, mark in marks.items():
            self._mark[self.bar_count, self.column[symbol]] = mark

    def _stand(self, marks):
        self._set_marks(marks)
        session.stand_at_tick(self.exchange, self._bars, self._mark, self.bar_count)

    def _grow(self):
        rows, bars, symbols = self._bars.shape
        grown = zeros(rows, 2 * bars, symbols)
        grown[:, :bars] = self._bars
        marks = zeros(2 * bars + 1, len(self.symbols))
        marks[: self._mark.shape[0]] = self._mark
        self._bars, self._mark = grown, marks

    def _write(self, bar, column, candle, mark):
        cells = self._bars[:, bar, column]
        if candle is None or candle["volume"] == 0:
            # It stands still at its last close, and so does its mark; that is how recordings are joined.
            before = self._bars[path.CLOSE, bar - 1, column] if bar else 0
            cells[[path.OPEN, path.HIGH, path.LOW, path.CLOSE]] = before
            mark_before = self._bars[path.MARK_CLOSE, bar - 1, column] if bar else 0
            cells[list(MARK_ROWS)] = mark_before
        else:
            for name, row in CANDLE.items():
                cells[row] = candle[name]
            source = mark or candle
            for row, name in zip(MARK_ROWS, ("open", "high", "low", "close"), strict=True):
                cells[row] = source[name]

    # What a test looks at

    @property
    def cash(self):
        return int(self.exchange.accounts[0, account.CASH])

    @property
    def locked(self):
        return int(self.exchange.accounts[0, account.LOCKED])

    def position(self, symbol):
        """(signed quantity, cost basis, isolated margin)"""
        cells = self.exchange.positions[0, self.column[symbol]]
        return tuple(int(cells[k]) for k in (positions.QUANTITY, positions.COST, positions.MARGIN))

    def leverage(self, symbol):
        return int(self.exchange.positions[0, self.column[symbol], positions.LEVERAGE])

    def mode(self, symbol):
        return "ISOLATED" if self.exchange.positions[0, self.column[symbol], positions.ISOLATED] else "CROSS"

    def available(self, marks):
        self._stand(marks)
        return int(margin.available(self.exchange, 0, -1))

    @property
    def orders(self):
        """Every order there ever was, in order of birth."""
        return [self._order(row) for row in self.exchange.orders[: int(self.exchange.cursors[account.ORDER_COUNT])]]

    def _order(self, row):
        status = orders.STATUSES[int(row[orders.STATUS])]
        return {
            "symbol": self.symbols[int(row[orders.SYMBOL])],
            "side": "BUY" if row[orders.SIDE] > 0 else "SELL",
            "type": orders.TYPES[int(row[orders.TYPE])],
            "status": "OPEN" if status == "ACKED" else status,
            "quantity": int(row[orders.QUANTITY]),
            "filled": int(row[orders.FILLED]),
            "trigger_price": int(row[orders.TRIGGER_PRICE]),
            "reduce_only": bool(row[orders.REDUCE_ONLY]),
            "parent": int(row[orders.PARENT]),
            "code": orders.CODES[int(row[orders.CODE])],
        }

    @property
    def event_rows(self):
        return self.exchange.events[: int(self.exchange.cursors[account.EVENT_COUNT])]

    @property
    def fills(self):
        return [self._fill(row) for row in self.event_rows if row[events.KIND] == events.FILL]

    def _fill(self, row):
        return {
            "symbol": self.symbols[int(row[events.SYMBOL])],
            "side": "BUY" if row[events.SIDE] > 0 else "SELL",
            "quantity": int(row[events.QUANTITY]),
            "price": int(row[events.PRICE]),
            "base_price": int(row[events.BASE_PRICE]),
            "liquidity": "MAKER" if row[events.MAKER] else "TAKER",
            "fee": int(row[events.FEE]),
            "realized_pnl": int(row[events.AMOUNT]),
            "position_after": int(row[events.POSITION_AFTER]),
            "reason": orders.REASONS[int(row[events.REASON])],
            "order": int(row[events.CAUSE]),
            "at": int(row[events.AT]),
        }

    @property
    def money(self):
        """(kind, what the account received) of everything that moved money, in order."""
        kinds = {events.FILL: "FILL", events.FUNDING: "FUNDING", events.LIQUIDATION_FEE: "LIQUIDATION_FEE"}
        rows = []
        for row in self.event_rows:
            kind = kinds.get(int(row[events.KIND]), "SHORTFALL")
            amount = int(row[events.AMOUNT]) - (int(row[events.FEE]) if kind == "FILL" else 0)
            if kind == "FILL" or amount:
                rows.append((kind, amount))
        return rows

    @property
    def insurance(self):
        return -sum(amount for kind, amount in self.money if kind in ("LIQUIDATION_FEE", "SHORTFALL"))

    def dump(self):
        """Everything the kernels hold, as plain lists."""
        used_orders, used_events = (int(cursor) for cursor in self.exchange.cursors)
        working = int(self.exchange.accounts[0, account.WORKING_COUNT])
        return {
            "accounts": plain(self.exchange.accounts),
            "positions": plain(self.exchange.positions),
            "working": plain(self.exchange.working[0, :working]),
            "orders": plain(self.exchange.orders[:used_orders]),
            "events": plain(self.exchange.events[:used_events]),
            "equity": self.equity_row,
        }


def plain(array):
    """Nested lists of Python integers, from either kind of array."""
    return np.vectorize(int, otypes=[object])(array).tolist() if array.size else []


def play(scenario):
    """Play a scenario and return the dump, or the name of what it raised and at which step."""
    from tests.engine.quoted_venue import QuotedVenue

    kind = QuotedVenue if scenario.get("quoted") else Venue
    venue = kind(scenario["specs"], scenario["capital"], scenario.get("rules"), scenario.get("has_mark", False))
    for number, (verb, *arguments) in enumerate(scenario["steps"]):
        try:
            getattr(venue, verb)(*arguments)
        except OverflowError:
            return {"raised": "OverflowError", "step": number}
    return venue.dump()
