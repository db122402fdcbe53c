"""What becomes of a handful of accounts between two instants, and what must be stored of it?

A desk is a world whose accounts come out of storage and go back. It plays bars as a replay does, or, in a season with
quotes, every quote between two bar ends; what happens at a bar end (funding, and at a tick the marks) is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from bitnerve.domain.errors import BrokenInvariant
from bitnerve.domain.kernel import zeros
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import DAY_MS
from bitnerve.domain.trading import account, marking, offers, orders, path, session, tape
from bitnerve.domain.trading.account import Integers, Rules
from bitnerve.engine import carry
from bitnerve.engine.carry import Carried, Changes
from bitnerve.engine.tables import MarketTables
from bitnerve.engine.world import World

TapeOf = Callable[[int], Integers]
"""Returns the quotes of a bar, as `domain.trading.tape` lays them out."""

STEPS_OF_A_BAR = 1_000_000
"""Quotes are numbered through the season: a bar's own numbers begin at its index times this."""


class Desk(World):
    """Accounts that stand at the same bar, for as long as somebody works on them."""

    def __init__(
        self,
        *,
        market: MarketTables,
        agents: Sequence[Agent],
        capital: int,
        rules: Rules,
        limits: Limits,
        seed: int,
        step: int,
        carried: Carried,
        played_until: Sequence[int],
        tape_of: TapeOf | None = None,
    ) -> None:
        """Take over accounts, one per agent, that have met everything up to `played_until` (milliseconds).

        `step` is the number of bars in a tick; `tape_of` is given in a season with quotes. All `played_until` lie in
        the same bar, whose predecessors are closed and part of the market; the last millisecond before a bar belongs to
        it, for whoever has met that has crossed the bar's beginning, funding and marks included.
        """
        super().__init__(
            market=market,
            agents=agents,
            capital=capital,
            rules=rules,
            limits=limits,
            seed=seed,
            tick_count=1,
        )
        self._carried, self._step, self._tape_of = carried, step, tape_of
        self._ticks: list[int] = []
        start, interval = market.recording.candles.start_at, market.recording.candles.interval_ms
        bars = {(until + 1 - start) // interval for until in played_until}
        if len(bars) != 1 or len(carried) != len(self.agents):
            raise BrokenInvariant(f"{len(carried)} accounts of {len(self.agents)} agents stand at bars {sorted(bars)}")
        self.bar = bars.pop()
        self.now = max(int(self.at[self.bar]), *played_until)
        self.exchange = carry.load(self.exchange, carried)
        self._funding_cursor = self._settlements_before(self.bar)
        # Whatever was carried in has not been read yet.
        self._events_seen = -1
        self.equities = list(carried.equity)
        self._peak, self._midnight = list(carried.equity_peak), list(carried.equity_at_midnight)
        self._day = int(self.at[max(carried.tick)]) // DAY_MS
        self._count_orders()
        self._read_positions()
        self._played_until = list(played_until)
        self._touch = zeros(offers.TOUCH_ROWS, len(self.symbols))
        self._tape: Integers = zeros(0, tape.COLUMNS)
        self._met = 0
        self._place = zeros(len(self.agents))
        session.stand_at_tick(self.exchange, self.bars, self.mark, self.bar)
        self._last = self.exchange.prices[account.LAST, : len(self.symbols)].copy()
        if tape_of:
            self._open_bar(seen=True)

    def play_until(self, at: int) -> None:
        """Let the accounts meet everything up to and including an instant in milliseconds, ticks on the way marked.

        Without quotes nothing happens inside a bar, so only whole bars are played.
        """
        while self.bar + 1 < len(self.at) and at >= self.at[self.bar + 1]:
            self._cross()
        if self._tape_of:
            # A bar that is not closed yet has no marks at its end, so nobody is played across it, nor to its last
            # millisecond: who has met that has crossed.
            at = min(at, int(self.at[0]) + (self.bar + 1) * self.recording.candles.interval_ms - 2)
            self._meet(int(np.searchsorted(self._tape[:, tape.AT], at, side="right")))
            tape.stand_at_touch(self.exchange, self._touch, self._last)
            self.now = max(self.now, at)
            self._played_until = [max(until, at) for until in self._played_until]
            self._read_positions()

    @property
    def has_changed(self) -> bool:
        """Whether anything has happened that must be stored, beyond time that has passed."""
        cursors = self.exchange.cursors
        return bool(
            self._ticks
            or cursors[account.EVENT_COUNT] > 0
            or len(carry.changed_orders(self.exchange, self._carried)) > 0
        )

    def appraise(self) -> list[list[int]]:
        """Return what every account is worth at the prices of the moment: equity, Σ |notional|, Σ notional."""
        out = zeros(len(self.agents), marking.APPRAISAL_COLUMNS)
        marking.appraise(self.exchange, out)
        return list(out.tolist())

    def marks_now(self) -> dict[str, int]:
        """Return the mark prices of the moment by symbol, in price units."""
        prices = self.exchange.prices[account.MARK, : len(self.symbols)].tolist()
        return dict(zip(self.symbols, map(int, prices), strict=True))

    @property
    def order_count(self) -> int:
        """The number of orders in the log: the next one's row."""
        return int(self.exchange.cursors[account.ORDER_COUNT])

    @property
    def played_until(self) -> list[int]:
        """Up to when each account has met the market, in milliseconds."""
        return list(self._played_until)

    def _cross(self) -> None:
        """Play the bar to its end; there funding is due, and at a tick everybody is marked."""
        until = self.bar + 1
        self.marks = marking.with_room(self.marks, len(self.agents) * len(self.symbols))
        self._make_room(1)
        if self._tape_of:
            self._meet(len(self._tape))
            self._make_room(1)
            self._funding_cursor = session.settle_funding(
                self.exchange, self.mark, self.funding, self._funding_cursor, until
            )
        else:
            self._funding_cursor = session.play_bars(
                self.exchange, self.bars, self.mark, self.funding, self._funding_cursor, self.bar, until, self.at
            )
        self.bar = until
        self.now = int(self.at[until])
        self._played_until = [self.now - 1] * len(self.agents)
        self._count_orders()
        if self._is_tick(until):
            self._mark()
        else:
            session.stand_at_tick(self.exchange, self.bars, self.mark, until)
        self._read_positions()
        if self._tape_of:
            self._open_bar(seen=False)

    def _is_tick(self, bar: int) -> bool:
        return (int(self.at[bar]) // self.recording.candles.interval_ms) % self._step == 0

    def _mark(self) -> None:
        row = len(self._ticks)
        self.marks = self.marks._replace(equity=account.grown(self.marks.equity, row, 1))
        session.mark_tick(self.exchange, self.bars, self.mark, self.marks, self.bar, row)
        self._ticks.append(self.bar)
        self._remember([int(value) for value in self.marks.equity[row, :, marking.EQUITY]])

    def _count_orders(self) -> None:
        counts = self.exchange.accounts[:, account.WORKING_COUNT]
        self._working, self._most_working = int(counts.sum()), int(counts.max(initial=0))

    def _open_bar(self, *, seen: bool) -> None:
        """Take the tape of the bar that is being traded; `seen` accounts have met part of it."""
        assert self._tape_of is not None
        self._tape = self._tape_of(self.bar)
        self._met = 0
        times = self._tape[:, tape.AT]
        self._place[:] = (
            [int(np.searchsorted(times, until, side="right")) for until in self._played_until] if seen else 0
        )
        # A bar opens with the quotes of the one before and no older ones, whether the accounts were carried into it or
        # stood here: what happens must not depend on when somebody put them down. Without a quote the mark counts.
        self._touch[:] = 0
        self._touch[offers.MARK] = self.mark[self.bar]
        self._last[:] = self.bars[path.CLOSE, self.bar - 1] if self.bar > 0 else 0
        if self.bar > 0:
            before = self._tape_of(self.bar - 1)
            tape.read_tape(self._touch, self._last, before, 0, len(before))
        if seen:
            self._met = int(min(self._place))
            tape.read_tape(self._touch, self._last, self._tape, 0, self._met)

    def _meet(self, until: int) -> None:
        """Let everybody meet the quotes of the tape before `until`."""
        no_books = zeros(len(self.symbols), 0, 4)
        while self._met < until:
            self._count_orders()
            # Enough for any one account at a quote; where others need more, they are let in at the next round.
            room = 16 * (self._most_working + len(self.symbols) + 1)
            self.exchange = account.with_room(
                self.exchange, orders=room, events=room, working=8 * self._most_working + 4 * len(self.symbols) + 8
            )
            self._met = tape.play_tape(
                self.exchange, self._touch, self._last, self._tape, no_books, self._place, self._met, until,
                self.bar * STEPS_OF_A_BAR,
            )  # fmt: skip

    def changes(self) -> Changes:
        """Return all that must be stored since the accounts were taken over."""
        exchange, carried = self.exchange, self._carried
        rows = carry.changed_orders(exchange, carried)
        log = np.asarray(exchange.orders[: int(exchange.cursors[account.ORDER_COUNT])], dtype=np.int64)
        order = np.lexsort((log[rows, orders.SEQUENCE], log[rows, orders.ACCOUNT]))
        accounts = exchange.accounts
        held = np.array(self.marks.positions[: int(self.marks.used[0])], dtype=np.int64)
        held[:, marking.ROW_TICK] = np.array(self._ticks, dtype=np.int64)[held[:, marking.ROW_TICK]] if len(held) else 0
        return Changes(
            carried=replace(
                carried,
                cash=[int(value) for value in accounts[:, account.CASH]],
                sequence=[int(value) for value in accounts[:, account.SEQUENCE]],
                tick=[int(value) for value in accounts[:, account.TICK]],
                ordinal=[int(value) for value in accounts[:, account.ORDINAL]],
                equity=list(self.equities),
                equity_peak=list(self._peak),
                equity_at_midnight=list(self._midnight),
                positions=carry.changed_positions(exchange, carried),
                orders=carried.orders[:0],
            ),
            orders=log[rows[order]],
            order_rows=rows[order],
            known=len(carried.orders),
            events=np.asarray(exchange.events[: int(exchange.cursors[account.EVENT_COUNT])], dtype=np.int64),
            equity=carry.equity_rows(self.marks, self._ticks),
            positions_at=held,
        )
