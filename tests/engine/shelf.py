"""A store of accounts in memory: what a database keeps between two desks, and a finished run made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bitnerve.domain.trading import account, events, marking, orders
from bitnerve.engine import carry
from bitnerve.engine.carry import Carried, Changes


@dataclass
class Shelf:
    """Accounts 0 to `count` − 1, all with the same capital, started at a bar."""

    count: int
    capital: int
    bar: int
    started_at: int
    orders: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    """By (account, sequence); PARENT is the sequence of the entry, −1 without one."""
    events: list[np.ndarray] = field(default_factory=list)
    """CAUSE is the sequence of the order, or of the fill."""
    equity: list[np.ndarray] = field(default_factory=list)
    positions_at: list[np.ndarray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.figures = [self._figures(self.capital, 1, self.bar, 0) for _ in range(self.count)]
        self.equities = [(self.capital, self.capital, self.capital)] * self.count
        self.played_until = [self.started_at - 1] * self.count
        self.positions: dict[tuple[int, int], list[int]] = {}
        for a in range(self.count):
            self.equity.append(np.array([a, self.bar, self.capital, 0, self.capital, 0, 0]))

    @staticmethod
    def _figures(cash: int, sequence: int, tick: int, ordinal: int) -> dict[str, int]:
        return {"cash": cash, "sequence": sequence, "tick": tick, "ordinal": ordinal}

    def take(self, accounts: Sequence[int]) -> Carried:
        """Return accounts as a desk takes them over."""
        index = {a: i for i, a in enumerate(accounts)}
        wanted = {key for key, row in self.orders.items() if key[0] in index and row[orders.STATUS] == orders.WORKING}
        wanted |= {
            (a, int(self.orders[a, s][orders.PARENT])) for a, s in wanted if self.orders[a, s][orders.PARENT] >= 0
        }
        keys = sorted(wanted, key=lambda key: (index[key[0]], key[1]))
        row_of = {key: row for row, key in enumerate(keys)}
        log = np.zeros((len(keys), orders.COLUMNS), dtype=np.int64)
        for row, key in enumerate(keys):
            log[row] = self.orders[key]
            log[row, orders.ACCOUNT] = index[key[0]]
            parent = int(log[row, orders.PARENT])
            log[row, orders.PARENT] = row_of.get((key[0], parent), 0) if parent >= 0 else -1
        held = [[index[a], symbol, *cells] for (a, symbol), cells in sorted(self.positions.items()) if a in index]
        return Carried(
            cash=[self.figures[a]["cash"] for a in accounts],
            sequence=[self.figures[a]["sequence"] for a in accounts],
            tick=[self.figures[a]["tick"] for a in accounts],
            ordinal=[self.figures[a]["ordinal"] for a in accounts],
            equity=[self.equities[a][0] for a in accounts],
            equity_peak=[self.equities[a][1] for a in accounts],
            equity_at_midnight=[self.equities[a][2] for a in accounts],
            positions=np.array(held, dtype=np.int64).reshape(-1, carry.POSITION_COLUMNS),
            orders=log,
        )

    def put(self, accounts: Sequence[int], carried: Carried, changes: Changes, played_until: Sequence[int]) -> None:
        """Store what a desk has made of accounts."""
        now = changes.carried
        sequence_of = {row: int(carried.orders[row, orders.SEQUENCE]) for row in range(len(carried.orders))}
        sequence_of |= {
            int(row): int(order[orders.SEQUENCE]) for row, order in zip(changes.order_rows, changes.orders, strict=True)
        }
        for order in changes.orders:
            kept = order.copy()
            a = accounts[order[orders.ACCOUNT]]
            kept[orders.ACCOUNT] = a
            kept[orders.PARENT] = sequence_of[int(order[orders.PARENT])] if order[orders.PARENT] >= 0 else -1
            self.orders[a, int(order[orders.SEQUENCE])] = kept
        fills = {}
        for row, event in enumerate(changes.events):
            kept = event.copy()
            kept[events.ACCOUNT] = accounts[event[events.ACCOUNT]]
            if event[events.KIND] == events.FILL:
                fills[row] = int(event[events.SEQUENCE])
                kept[events.CAUSE] = sequence_of[int(event[events.CAUSE])]
            elif event[events.KIND] != events.FUNDING:
                kept[events.CAUSE] = fills[int(event[events.CAUSE])]
            self.events.append(kept)
        for i, a in enumerate(accounts):
            self.figures[a] = self._figures(now.cash[i], now.sequence[i], now.tick[i], now.ordinal[i])
            self.equities[a] = (now.equity[i], now.equity_peak[i], now.equity_at_midnight[i])
            self.played_until[a] = played_until[i]
        for owner, symbol, *cells in now.positions.tolist():
            self.positions[accounts[owner], symbol] = cells
        for row in changes.equity:
            self.equity.append(np.concatenate([[accounts[row[0]]], row[1:]]))
        for row in changes.positions_at:
            kept = row.copy()
            kept[marking.ROW_ACCOUNT] = accounts[row[marking.ROW_ACCOUNT]]
            self.positions_at.append(kept)

    def exchange(self, like: account.Exchange) -> account.Exchange:
        """Return an exchange whose logs hold everything, as one that was never put down would."""
        keys = sorted(self.orders)
        row_of = {key: row for row, key in enumerate(keys)}
        log = np.array([self.orders[key] for key in keys], dtype=np.int64).reshape(-1, orders.COLUMNS)
        parents = log[:, orders.PARENT]
        log[:, orders.PARENT] = [
            row_of[int(a), int(p)] if p >= 0 else -1 for a, p in zip(log[:, orders.ACCOUNT], parents, strict=True)
        ]
        happened = sorted(self.events, key=lambda event: (event[events.ACCOUNT], event[events.SEQUENCE]))
        rows = np.array(happened, dtype=np.int64).reshape(-1, account.EVENT_COLUMNS)
        fill_at = {
            (int(event[events.ACCOUNT]), int(event[events.SEQUENCE])): row
            for row, event in enumerate(rows)
            if event[events.KIND] == events.FILL
        }
        for event in rows:
            key = int(event[events.ACCOUNT]), int(event[events.CAUSE])
            if event[events.KIND] == events.FILL:
                event[events.CAUSE] = row_of[key]
            elif event[events.KIND] != events.FUNDING:
                event[events.CAUSE] = fill_at[key]
        cursors = like.cursors.copy()
        cursors[account.ORDER_COUNT], cursors[account.EVENT_COUNT] = len(log), len(rows)
        return like._replace(orders=log, events=rows, cursors=cursors)

    def marks(self, bars: Sequence[int]) -> marking.Marks:
        """Return the equity and position rows at ticks, as a run has them."""
        number = {bar: tick for tick, bar in enumerate(bars)}
        equity = np.zeros((len(bars), self.count, marking.EQUITY_COLUMNS), dtype=np.int64)
        for row in self.equity:
            equity[number[int(row[1])], row[0]] = row[2:]
        held = sorted(
            self.positions_at,
            key=lambda row: (row[marking.ROW_TICK], row[marking.ROW_ACCOUNT], row[marking.ROW_SYMBOL]),
        )
        rows = np.array(held, dtype=np.int64).reshape(-1, marking.ROW_COLUMNS)
        rows[:, marking.ROW_TICK] = [number[int(bar)] for bar in rows[:, marking.ROW_TICK]]
        return marking.Marks(equity=equity, positions=rows, used=np.array([len(rows)]))
