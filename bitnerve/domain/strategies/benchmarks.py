"""What would have happened without any skill? The four agents that everybody is compared with."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from bitnerve.domain.decisions.decision import BUY, SELL, Decision, OrderRequest, close, hold
from bitnerve.domain.market.instrument import bitcoin_column
from bitnerve.domain.risk.sizing import lots_for_share
from bitnerve.domain.strategies.base import Strategy, View
from bitnerve.domain.units import SCALE

# What is decided at almost every tick is made once; a decision never changes.
HOLDING = hold("holding")
CASH = hold("cash is a position")
TAILS = hold("the coin says wait")


def buy_share(view: View, column: int, share: int) -> OrderRequest | None:
    """Return a market buy worth a share of equity, or None when that is below the venue's minimum."""
    instrument = view.instruments[column]
    mark = view.mark(column)
    lots = lots_for_share(equity=view.equity, share=share, price=mark, instrument=instrument)
    notional = lots * instrument.lot_numerator * mark // instrument.lot_denominator
    if lots < instrument.min_quantity or notional < instrument.min_notional:
        return None
    return OrderRequest(symbol=view.symbols[column], side=BUY, quantity=lots)


class BuyAndHold(Strategy):
    """Bitcoin bought once with everything, and held."""

    name = "buy-and-hold"
    summary = "Buys Bitcoin at the first tick with all its capital, without leverage, and holds."
    defaults: ClassVar[dict[str, str]] = {"share": "0.97"}

    def decide(self, view: View, signals: Any) -> Decision:
        """Buy while flat with nothing on its way."""
        column = bitcoin_column(view.symbols)
        if column < 0:
            return hold("no Bitcoin in this market")
        if view.quantity(column) or view.has_orders(column) or view.mark(column) <= 0:
            return HOLDING
        order = buy_share(view, column, self.rates["share"])
        return Decision("BUY", "buying once", (order,)) if order else hold("too small for the venue's minimum")


class EqualWeight(Strategy):
    """Every symbol bought once in equal parts, and held."""

    name = "equal-weight"
    summary = "Splits its capital equally over all symbols as each gets a price, without leverage, and holds."
    defaults: ClassVar[dict[str, str]] = {"share": "0.97"}

    def decide(self, view: View, signals: Any) -> Decision:
        """Buy the share of every symbol not held yet; a symbol listed later gets its share of what equity is then."""
        share = self.rates["share"] // len(view.symbols)
        held = view.held
        wanted = [
            column
            for column in range(len(view.symbols))
            if column not in held and view.mark(column) > 0 and not view.has_orders(column)
        ]
        orders = tuple(order for column in wanted if (order := buy_share(view, column, share)))
        if not orders:
            return HOLDING
        return Decision("BUY", f"buying {len(orders)} of {len(view.symbols)} symbols in equal parts", orders)


class Cash(Strategy):
    """Nothing, for ever."""

    name = "cash"
    summary = "Never trades."

    def decide(self, view: View, signals: Any) -> Decision:
        """Hold."""
        return CASH


class RandomTrader(Strategy):
    """Coin flips under the same limits as everybody: what luck alone looks like."""

    name = "random"
    summary = "Opens long or short by the toss of a keyed coin, and closes after a while by another."
    defaults: ClassVar[dict[str, str]] = {
        "open_rate": "0.01",
        "close_rate": "0.02",
        "share": "0.25",
        "leverage": "2",
        "positions_max": "3",
    }

    def decide(self, view: View, signals: Any) -> Decision:
        """Toss for closing first, then for opening."""
        coin = _Coin(view.seed, view.agent, view.at)
        held = view.held
        closing = [column for column in held if coin.toss(self.rates["close_rate"])]
        if closing:
            orders = tuple(
                close(view.symbols[column], SELL if view.quantity(column) > 0 else BUY) for column in closing
            )
            return Decision("CLOSE", "the coin says close", orders)
        if len(held) >= self.counts["positions_max"] or not coin.toss(self.rates["open_rate"]):
            return TAILS
        column = coin.choose(len(view.symbols))
        if view.mark(column) <= 0 or view.quantity(column) or view.has_orders(column):
            return hold("the coin chose a symbol that is taken")
        order = buy_share(view, column, self.rates["share"])
        if order is None:
            return hold("too small for the venue's minimum")
        side = BUY if coin.toss(SCALE // 2) else SELL
        request = OrderRequest(
            symbol=order.symbol, side=side, quantity=order.quantity, leverage=self.counts["leverage"]
        )
        return Decision("BUY" if side == BUY else "SELL", f"the coin says {order.symbol}", (request,))


class _Coin:
    """Random numbers keyed by (seed, agent, tick): the same in every run, on every machine."""

    def __init__(self, seed: int, agent: str, at: int) -> None:
        self._key = f"{seed}/{agent}/{at}".encode()
        self._drawn = 0

    def _draw(self) -> int:
        digest = hashlib.blake2b(self._key, digest_size=8, salt=self._drawn.to_bytes(4, "little")).digest()
        self._drawn += 1
        return int.from_bytes(digest, "little")

    def toss(self, rate: int) -> bool:
        """Return True with a probability in rate units."""
        return self._draw() % SCALE < rate

    def choose(self, count: int) -> int:
        """Return one of `count` numbers from 0, each as likely as the others."""
        return self._draw() % count
