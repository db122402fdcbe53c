"""What does an agent want at a tick?"""

from __future__ import annotations

from dataclasses import dataclass

from bitnerve.domain.trading import orders

BUY = 1
SELL = -1


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as an agent asks for it; prices in price units, quantity in lots, rates in rate units.

    `type`, `time_in_force`, `trigger_by` and `reason` are the constants of `trading.orders`. Zero means "without":
    no limit, no attached stop, the leverage that the symbol has.
    """

    symbol: str
    side: int
    quantity: int
    type: int = orders.MARKET
    limit_price: int = 0
    trigger_price: int = 0
    trigger_by: int = orders.LAST
    callback_rate: int = 0
    time_in_force: int = orders.GTC
    reduce_only: bool = False
    close_position: bool = False
    isolated: bool = False
    leverage: int = 0
    stop_loss: int = 0
    take_profit: int = 0
    trailing_rate: int = 0
    reason: int = orders.ENTRY

    @property
    def only_reduces(self) -> bool:
        """Whether the order can only take risk away; a trailing stop protects and never opens."""
        return self.reduce_only or self.close_position or self.type == orders.TRAILING_STOP


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The wish to cancel every resting order of a symbol."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What an agent does at a tick, in one word, with its orders, its stated confidence (0..1) and why."""

    action: str
    reason: str
    orders: tuple[OrderRequest | CancelRequest, ...] = ()
    confidence: float | None = None


def hold(reason: str, confidence: float | None = None) -> Decision:
    """Return the decision to do nothing, with the reason: a hesitation is a datum too."""
    return Decision(action="HOLD", reason=reason, confidence=confidence)


def close(symbol: str, side: int, *, reason: int = orders.EXIT) -> OrderRequest:
    """Return the order that closes a whole position at the market; `side` is the closing side."""
    return OrderRequest(symbol=symbol, side=side, quantity=0, reduce_only=True, close_position=True, reason=reason)
