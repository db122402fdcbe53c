"""Are round trips cut where the position is flat or flips, and is no unit of money lost between them?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitnerve.domain.metrics.trades import Fills, FundingPayments, no_fills, profit_factor, round_trips, win_ratio


def make_fills(rows: list[tuple[int, int, int, int]], *, liquidated: tuple[int, ...] = ()) -> Fills:
    """Return fills of rows (symbol, lots, realized, fee) with the sequence 10, 20, 30, …"""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    sequence = 10 * np.arange(1, len(rows) + 1)
    return Fills(sequence, *columns, np.isin(np.arange(len(rows)), liquidated))


def test_a_trade_runs_from_flat_to_flat() -> None:
    fills = make_fills([(0, 5, 0, 2), (1, -3, 0, 1), (0, 5, 0, 2), (0, -4, 70, 1), (0, -6, 50, 3), (1, 3, -20, 1)])
    trades = round_trips(fills=fills)
    assert trades.symbol.tolist() == [0, 1]
    assert trades.side.tolist() == [1, -1]
    assert trades.opened.tolist() == [0, 1]
    assert trades.closed.tolist() == [4, 5]
    assert trades.realized_pnl.tolist() == [120, -20]
    assert trades.fees.tolist() == [8, 2]
    assert trades.net.tolist() == [112, -22]
    assert win_ratio(trades) == 0.5
    assert profit_factor(trades) == 112 / 22


def test_a_flip_closes_one_trade_and_opens_another_and_splits_its_fee_by_lots() -> None:
    trades = round_trips(fills=make_fills([(0, 4, 0, 4), (0, -10, 30, 11), (0, 6, -8, 6)]))
    assert trades.side.tolist() == [1, -1]
    assert trades.opened.tolist() == [0, 1]
    assert trades.closed.tolist() == [1, 2]
    assert trades.realized_pnl.tolist() == [30, -8]
    assert trades.fees.tolist() == [4 + 4, 7 + 6]  # 11 × 4 ÷ 10 = 4.4


def test_funding_stands_beside_the_trade_it_fell_into() -> None:
    fills = make_fills([(0, 4, 0, 0), (0, -4, 9, 0), (0, -2, 0, 0), (0, 2, 1, 0)])
    funding = FundingPayments(np.array([5, 15, 25, 35, 45]), np.zeros(5, dtype=np.int64), np.array([1, -2, 4, -8, 16]))
    trades = round_trips(fills=fills, funding=funding)
    assert trades.funding.tolist() == [-2, -8]
    assert trades.net.tolist() == [9, 1]


def test_an_open_position_is_no_trade_and_fees_can_turn_a_gain_into_a_loss() -> None:
    trades = round_trips(fills=make_fills([(0, 4, 0, 5), (0, -4, 9, 5), (0, 1, 0, 0)]))
    assert trades.net.tolist() == [-1]
    assert win_ratio(trades) == 0.0
    assert profit_factor(trades) == 0.0


def test_a_liquidation_marks_its_trade() -> None:
    fills = make_fills([(0, 4, 0, 0), (0, -4, -9, 0), (0, 4, 0, 0), (0, -4, 9, 0)], liquidated=(1,))
    assert round_trips(fills=fills).liquidated.tolist() == [1, 0]


def test_no_fills_make_no_trades_and_nothing_is_known_of_them() -> None:
    trades = round_trips(fills=no_fills())
    assert len(trades.symbol) == 0
    assert math.isnan(win_ratio(trades))
    assert math.isnan(profit_factor(trades))
    winners = round_trips(fills=make_fills([(0, 4, 0, 0), (0, -4, 9, 0)]))
    assert math.isnan(profit_factor(winners))


def test_money_that_could_leave_64_bits_is_refused() -> None:
    with pytest.raises(OverflowError):
        round_trips(fills=make_fills([(0, 1, 2**62, 0), (0, 1, 2**62, 0), (0, -2, -(2**62), 0)]))


def slow_round_trips(fills: Fills, funding: FundingPayments) -> list[tuple[int, ...]]:
    """Return (symbol, side, realized, fees, funding) of each trade, told once more, symbol by symbol."""
    found = []
    for symbol in sorted(set(fills.symbol.tolist())):
        held, start, trade = 0, 0, [0, 0, 0]
        for index in np.flatnonzero(fills.symbol == symbol).tolist():
            lots, fee = int(fills.lots[index]), int(fills.fee[index])
            here = (funding.symbol == symbol) & (funding.sequence > start) & (funding.sequence < fills.sequence[index])
            trade[2] += int(funding.amount[here].sum()) if held else 0
            start = int(fills.sequence[index])
            after = held + lots
            trade[0] += int(fills.realized_pnl[index])
            if held and after and (held > 0) != (after > 0):
                kept = round(fee * abs(held) / abs(lots))
                found.append((index, symbol, 1 if held > 0 else -1, trade[0], trade[1] + kept, trade[2]))
                trade = [0, fee - kept, 0]
            else:
                trade[1] += fee
                if after == 0:
                    found.append((index, symbol, 1 if held > 0 else -1, *trade))
                    trade = [0, 0, 0]
            held = after
    return [row[1:] for row in sorted(found)]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(-6, 6).filter(bool),
            st.integers(-1000, 1000),
            st.integers(-9, 60),
        ),
        max_size=60,
    ),
    st.lists(st.tuples(st.integers(0, 620), st.integers(0, 2), st.integers(-50, 50)), max_size=20),
)
def test_round_trips_equal_the_slow_way_and_lose_nothing(
    rows: list[tuple[int, int, int, int]], payments: list[tuple[int, int, int]]
) -> None:
    fills = make_fills(rows)
    ordered = np.array(sorted(p for p in payments if p[0] % 10), dtype=np.int64).reshape(-1, 3)
    funding = FundingPayments(*ordered.T)
    trades = round_trips(fills=fills, funding=funding)
    columns = (trades.symbol, trades.side, trades.realized_pnl, trades.fees, trades.funding)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == slow_round_trips(fills, funding)
    flat = [s for s in range(3) if sum(row[1] for row in rows if row[0] == s) == 0]
    for symbol in flat:
        mine = trades.symbol == symbol
        assert trades.fees[mine].sum() == sum(row[3] for row in rows if row[0] == symbol)
        assert trades.realized_pnl[mine].sum() == sum(row[2] for row in rows if row[0] == symbol)
