"""Is what a strategy returned a decision that can be reviewed and written down?"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bitnerve.domain.decisions.decision import CancelRequest, Decision, OrderRequest
from bitnerve.domain.risk.governor import NUMBERS
from bitnerve.domain.trading import orders

REASON_MAX = 500
"""Characters of a reason that are kept."""
ACTION_MAX = 32
SYMBOL_MAX = 64
ORDERS_MAX = 1000
"""Orders that are looked at; the governor's own limit is far below."""
BITS_MAX = 256
"""A number above the governor's 63 bits is refused there, with a word; one above these is not worth a word."""
_WORDS: dict[str, Sequence[str]] = {
    # The last one, a liquidation, is nobody's to ask for.
    "type": orders.TYPES[: orders.LIQUIDATION],
    "trigger_by": orders.TRIGGERS_BY,
    "time_in_force": orders.TIMES_IN_FORCE,
    "reason": orders.REASONS,
}
_FLAGS = ("reduce_only", "close_position", "isolated")


class NotADecision(TypeError):
    """What a strategy returned is no decision, or asks for what is no order."""


def clean_text(text: str) -> str:
    """Return a reason as it can be stored: valid Unicode without NUL, and no longer than is kept."""
    return text[:REASON_MAX].replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def checked(decision: Any) -> Decision:
    """Return a strategy's answer if it is a decision that can be written down, else raise `NotADecision`."""
    if not isinstance(decision, Decision):
        raise NotADecision(f"{type(decision).__name__} is not a decision")
    action = decision.action
    if not isinstance(action, str) or not 0 < len(action) <= ACTION_MAX or clean_text(action) != action:
        raise NotADecision(f"the action {action!r} is not a word of at most {ACTION_MAX} letters")
    if not isinstance(decision.reason, str):
        raise NotADecision(f"the reason is {type(decision.reason).__name__}, not text")
    stated = decision.confidence
    if stated is not None and not (isinstance(stated, int | float) and 0.0 <= stated <= 1.0):
        raise NotADecision(f"the confidence {stated!r} does not lie in 0..1")
    if not isinstance(decision.orders, tuple | list) or len(decision.orders) > ORDERS_MAX:
        raise NotADecision(f"the orders are not a sequence of at most {ORDERS_MAX}")
    requests = tuple(map(_checked_request, decision.orders))
    reason = clean_text(decision.reason)
    if reason == decision.reason and requests == decision.orders:
        return decision
    return Decision(action, reason, requests, stated)


def _checked_request(request: Any) -> OrderRequest | CancelRequest:
    if not isinstance(request, OrderRequest | CancelRequest):
        raise NotADecision(f"{type(request).__name__} is not an order")
    symbol = request.symbol
    if not isinstance(symbol, str) or not 0 < len(symbol) <= SYMBOL_MAX or clean_text(symbol) != symbol:
        raise NotADecision(f"the symbol {symbol!r:.80} is not a name of at most {SYMBOL_MAX} letters")
    if isinstance(request, CancelRequest):
        return request
    if request.side not in (-1, 1):
        raise NotADecision(f"the side {request.side!r:.80} is neither buy nor sell")
    for name, words in _WORDS.items():
        if not 0 <= _whole(name, getattr(request, name)) < len(words):
            raise NotADecision(f"the {name} {getattr(request, name)} is none of {len(words)}")
    if request.reason == orders.LIQUIDATED:
        raise NotADecision("a liquidation is nobody's to ask for")
    for name in _FLAGS:
        if not isinstance(getattr(request, name), bool):
            raise NotADecision(f"{name} is neither true nor false")
    numbers = {name: _whole(name, getattr(request, name)) for name in (*NUMBERS, "side", *_WORDS)}
    for name in NUMBERS:
        if numbers[name] < 0 or numbers[name].bit_length() > BITS_MAX:
            raise NotADecision(f"the {name} is below zero, or of more than {BITS_MAX} bits")
    # Integers of numpy overflow where Python's do not.
    return request if all(type(getattr(request, name)) is int for name in numbers) else replace(request, **numbers)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool):
        raise NotADecision(f"the {name} is a truth, not a number")
    try:
        return operator.index(value)
    except TypeError:
        raise NotADecision(f"the {name} {value!r:.80} is not a whole number") from None
