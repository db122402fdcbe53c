"""Instruments, accounts and orders before the governor, in round numbers."""

from decimal import Decimal

from bitnerve.domain.decisions.decision import BUY, Decision, OrderRequest
from bitnerve.domain.market.instrument import make_instrument, make_tier
from bitnerve.domain.risk.governor import AccountState, SymbolState, review_decision
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.units import SCALE

COIN = 1000
"""Lots in one coin."""
PRICE = 100 * SCALE


def instrument(symbol="ETHUSDT", *, leverage_max=50, min_quantity="0.001", taker_fee_rate="0.0005"):
    tier = make_tier(
        notional_until=None,
        maintenance_rate=Decimal("0.005"),
        deduction=Decimal(0),
        leverage_max=leverage_max,
        field="tier",
    )
    return make_instrument(
        symbol=symbol,
        tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
        min_quantity=Decimal(min_quantity),
        min_notional=Decimal(5),
        tiers=[tier],
        taker_fee_rate=Decimal(taker_fee_rate),
    )


def symbol_state(name="ETHUSDT", **changes):
    base = {
        "instrument": changes.pop("instrument", None) or instrument(name),
        "mark": PRICE,
        "last": PRICE,
        "previous": PRICE,
        "bars_silent": 0,
        "quantity": 0,
        "leverage": 1,
        "resting_lots": 0,
    }
    return SymbolState(**base | changes)


def account_state(**changes):
    """An account of 10 000, all of it available."""
    money = 10_000 * SCALE
    base = {"equity": money, "available": money, "equity_peak": money, "equity_at_midnight": money}
    return AccountState(**base | changes)


def buy(coins=1.0, symbol="ETHUSDT", side=BUY, **terms):
    return OrderRequest(symbol=symbol, side=side, quantity=round(coins * COIN), **terms)


def review(*orders, symbols=None, limits=None, **account):
    states = symbols if symbols is not None else {"ETHUSDT": symbol_state()}
    return review_decision(
        decision=Decision("BUY", "because", tuple(orders)),
        account=account_state(**account),
        symbols=states,
        limits=limits or Limits(),
    )


def quantities(reviewed):
    """Coins that passed, in the order of the decision."""
    return [order.quantity / COIN for _, order in reviewed.orders]


def only(reviewed):
    """The one ruling as (outcome, rule, asked, allowed)."""
    (ruling,) = reviewed.rulings
    return ruling.outcome, ruling.rule, ruling.asked, ruling.allowed
