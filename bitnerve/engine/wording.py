"""In which words is a decision's order written down, and how is it read again?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from bitnerve.domain.decisions.decision import CancelRequest, OrderRequest
from bitnerve.domain.market.instrument import Instrument
from bitnerve.domain.trading import orders
from bitnerve.domain.units import decimal_text, parse_decimal, price_units, rate_units

_WORDS: Mapping[str, Sequence[str]] = {
    "type": orders.TYPES,
    "trigger_by": orders.TRIGGERS_BY,
    "time_in_force": orders.TIMES_IN_FORCE,
    "reason": orders.REASONS,
}
_PRICES = ("limit_price", "trigger_price", "stop_loss", "take_profit")
_RATES = ("callback_rate", "trailing_rate")
_DEFAULTS = {one.name: one.default for one in fields(OrderRequest)}
CANCEL = "cancel"


def spell_request(request: OrderRequest | CancelRequest, instrument: Instrument | None) -> dict[str, Any]:
    """Return a request in the words of the books: decimals as text, and nothing that it leaves at its default.

    An instrument that is not known cannot give a quantity; it is then told in lots.
    """
    if isinstance(request, CancelRequest):
        return {CANCEL: request.symbol}
    lot = None if instrument is None else instrument.lot_size
    quantity = f"{request.quantity} lots" if lot is None else f"{(request.quantity * lot).normalize():f}"
    spelled: dict[str, Any] = {
        "symbol": request.symbol,
        "side": "BUY" if request.side > 0 else "SELL",
        "quantity": quantity,
    }
    for name, default in _DEFAULTS.items():
        value = getattr(request, name)
        if name in spelled or value == default:
            continue
        if name in _WORDS:
            spelled[name] = _WORDS[name][value]
        elif name in _PRICES or name in _RATES:
            spelled[name] = decimal_text(value)
        else:
            spelled[name] = value
    return spelled


def read_request(spelled: Mapping[str, Any], instruments: Mapping[str, Instrument]) -> OrderRequest | CancelRequest:
    """Return the request that was spelled; raise `BadNumber` or `KeyError` for what nobody spelled."""
    if CANCEL in spelled:
        return CancelRequest(spelled[CANCEL])
    values: dict[str, Any] = {"symbol": spelled["symbol"], "side": 1 if spelled["side"] == "BUY" else -1}
    text = spelled["quantity"]
    if text.endswith(" lots"):
        values["quantity"] = int(text.removesuffix(" lots"))
    else:
        lot = instruments[spelled["symbol"]].lot_size
        values["quantity"] = int(parse_decimal(text, field="quantity") / lot)
    for name in spelled.keys() - values.keys():
        if name in _WORDS:
            values[name] = list(_WORDS[name]).index(spelled[name])
        elif name in _PRICES:
            values[name] = price_units(parse_decimal(spelled[name], field=name), field=name)
        elif name in _RATES:
            values[name] = rate_units(parse_decimal(spelled[name], field=name), field=name)
        else:
            values[name] = spelled[name]
    return OrderRequest(**values)
