"""What would a rule with known signals have earned? The kernels' full mechanics at the kernels' speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import zeros
from bitnerve.domain.market.instrument import Instruments
from bitnerve.domain.trading import account
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.domain.trading.signals import SignalRule, play_signals


def backtest_signals(
    *,
    instruments: Instruments,
    bars: npt.NDArray[Any],
    at: npt.NDArray[Any],
    signals: npt.NDArray[np.int8],
    rule: SignalRule,
    capital: int,
    rules: Rules | None = None,
) -> Exchange:
    """Return the exchange after one account has traded `signals` [bar, symbol] over all `bars` [row, bar, symbol].

    `at` holds the opening instants in milliseconds, `capital` money units. Funding is left to `replay`: signals
    research compares rules, a replay compares agents.
    """
    symbol_count, bar_count = int(instruments.table.shape[0]), int(bars.shape[1])
    # Kernels are compiled for contiguous arrays; a part of a table would have them compiled anew.
    bars = np.ascontiguousarray(bars)
    exchange = account.open_exchange(
        instruments=instruments, rules=rules or Rules(), account_count=1, capital=capital, has_mark=False
    )
    # In one bar every symbol may exit, enter, be protected and be closed.
    room = 8 * symbol_count + 8
    bar, facts = 0, zeros(2)
    while bar < bar_count:
        exchange = account.with_room(exchange, orders=64 * room, events=128 * room, working=room)
        bar = play_signals(exchange, bars, at, signals, rule, facts, bar, bar_count, room)
    return exchange
