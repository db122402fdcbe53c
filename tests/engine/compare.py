"""What must hold after every step of a random session: kernel and reference model agree, and the books balance."""

from collections import Counter

from tests.engine.wishes import SYMBOLS


def agree(venue, model, marks, compared):
    """Compare all that both hold to the last unit; fills before the `compared`-th are the same already."""
    assert venue.money == model.log[1:]
    fills = venue.fills
    ids = list(model.orders)
    for ours, theirs in zip(fills[compared:], model.fills[compared:], strict=True):
        for field in ("symbol", "side", "quantity", "price", "base_price", "liquidity", "fee"):
            assert ours[field] == theirs[field], (field, ours, theirs)
        for field in ("realized_pnl", "position_after"):
            assert ours[field] == theirs[field], (field, ours, theirs)
        assert ids[ours["order"]] == theirs["order"]
        if model.orders[theirs["order"]]["reduce_only"]:
            assert ours["reason"] == theirs["reason"]
    for ours, theirs in zip(venue.orders, model.orders.values(), strict=True):
        for field in ("symbol", "side", "type", "status", "filled", "reduce_only"):
            assert ours[field] == theirs[field], (field, ours, theirs)
        if theirs["status"] == "OPEN":
            assert ours["trigger_price"] == (theirs["trigger_price"] or 0), (ours, theirs)
            assert ours["quantity"] == theirs["quantity"] or theirs["close_position"], (ours, theirs)
        if theirs["code"]:
            assert ours["code"] == theirs["code"], (ours, theirs)
    for symbol in SYMBOLS:
        assert venue.position(symbol) == model.position(symbol), symbol
        assert (venue.leverage(symbol), venue.mode(symbol)) == (model.leverage[symbol], model.mode[symbol]), symbol
    assert venue.cash == model.cash
    assert venue.insurance == model.insurance
    assert venue.available(marks) == model.available(marks)
    return len(fills)


def balance(venue, deposits):
    """L4, L5, L6 and L7 on the kernel's own books."""
    assert venue.cash == deposits + sum(amount for _, amount in venue.money)
    signed = dict.fromkeys(SYMBOLS, 0)
    filled = Counter()
    for fill in venue.fills:
        signed[fill["symbol"]] += fill["quantity"] if fill["side"] == "BUY" else -fill["quantity"]
        assert fill["position_after"] == signed[fill["symbol"]]
        filled[fill["order"]] += fill["quantity"]
    orders = venue.orders
    for row, lots in filled.items():
        assert orders[row]["filled"] == lots <= orders[row]["quantity"]
    for symbol in SYMBOLS:
        quantity, cost, margin = venue.position(symbol)
        assert quantity == signed[symbol]
        assert quantity != 0 or (cost, margin) == (0, 0)
        assert margin == 0 or venue.mode(symbol) == "ISOLATED"
    assert venue.locked == sum(venue.position(symbol)[2] for symbol in SYMBOLS)
    if not any(signed.values()):
        assert venue.cash >= 0
