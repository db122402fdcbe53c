"""A market of three symbols, and orders thrown with dice in terms of it: what random tests place.

Levels are steps of a hundredth of the last price, so that they often coincide.
"""

from fractions import Fraction

from bitnerve.domain.trading.account import Rules
from tests.engine.driver import instruments_of

ONE = 10**8
CAPITAL = 10_000 * ONE
RULES = Rules()._asdict()
# A liquid one with a maker rebate, a coarse one, and one whose price is a few ticks and whose lots are thousands.
SPECS = [
    {
        "symbol": "AAA",
        "tick": "0.01",
        "lot": "0.001",
        "min_notional": "5",
        "maker": "-0.00005",
        "tiers": [("20000", "0.005", "0", 100), ("400000", "0.008", "60", 100), (None, "0.025", "6860", 20)],
    },
    {
        "symbol": "BBB",
        "tick": "0.5",
        "lot": "0.02",
        "min_quantity": "0.1",
        "tiers": [("30000", "0.01", "0", 50), ("300000", "0.015", "150", 50), ("1500000", "0.05", "10650", 10)],
    },
    {
        "symbol": "CCC",
        "tick": "0.000001",
        "lot": "1000",
        "min_notional": "1",
        "maker": "0",
        "taker": "0.001",
        "tiers": [("5000", "0.02", "0", 25), ("150000", "0.03", "50", 25), (None, "0.1", "10550", 5)],
    },
]
FIRST = {"AAA": 100 * ONE, "BBB": 30_000 * ONE, "CCC": 12_000}
SYMBOLS = sorted(FIRST)
INSTRUMENTS = {instrument.symbol: instrument for instrument in instruments_of(SPECS)}
KINDS = ["MARKET", "MARKET", "LIMIT", "LIMIT", "LIMIT", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP"]


def reference_instrument(instrument):
    return {
        "symbol": instrument.symbol,
        "tick": instrument.tick_size,
        "lot": Fraction(instrument.lot_size),
        "min_quantity": instrument.min_quantity,
        "min_notional": instrument.min_notional,
        "maker": instrument.maker_fee_rate,
        "taker": instrument.taker_fee_rate,
        "tiers": [(t.notional_until, t.maintenance_rate, t.deduction, t.leverage_max) for t in instrument.tiers],
    }


def throw_order(dice):
    """An order in terms of the market: what the machine makes of it depends on price and position."""
    return {
        "symbol": dice.choice(SYMBOLS),
        "type": dice.choice(KINDS),
        "side": dice.choice(["BUY", "SELL"]),
        "basis": dice.choice(["CAPITAL", "CAPITAL", "POSITION"]),
        "size": dice.choice([0, 1, 20, 20, 50, 50, 95, 95, 98, 100, 130]),
        "away": dice.choice([0, 1, -1, 2, -2, dice.randint(-6, 6)]),
        "off_tick": dice.random() < 0.05,
        "leverage": dice.choice([None, None, None, 1, 3, 10, 20, 25, 50, 100, 200]),
        "isolated": dice.random() < 0.5,
        "obedient": dice.random() < 0.85,
        "force": dice.choice(["GTC"] * 6 + ["IOC", "FOK", "POST_ONLY", "POST_ONLY"]),
        "reduce_only": dice.random() < 0.25,
        "close_position": dice.random() < 0.1,
        "stop": dice.choice([0, 0, 1, 2, 5, 12]),
        "target": dice.choice([0, 0, 1, 2, 5]),
        "trailing": dice.choice([0, 0, 0, 1, 3]),
    }


def order_of(wish, model, last, marks):
    """What a wish becomes for an account whose model stands at these prices."""
    symbol, kind = wish["symbol"], wish["type"]
    sign = 1 if wish["side"] == "BUY" else -1
    price = last.get(symbol, FIRST[symbol])
    order = {"symbol": symbol, "side": wish["side"], "type": kind}
    held = abs(model.position(symbol)[0])
    leverage = wish["leverage"] or model.leverage[symbol]
    if wish["basis"] == "CAPITAL" or (not held and wish["obedient"]):
        money = max(0, model.available(marks)) * min(leverage, 100) * wish["size"] // 100
        order["quantity"] = int(Fraction(money, price) / Fraction(INSTRUMENTS[symbol].lot_size))
    else:
        order["quantity"] = held * wish["size"] // 50
    at = level(symbol, price, wish["away"]) + wish["off_tick"]
    if kind == "LIMIT":
        order["limit_price"] = at
        order["time_in_force"] = wish["force"]
        if wish["force"] == "POST_ONLY":
            order |= {"post_only": True, "time_in_force": "GTC"}
    elif kind == "TRAILING_STOP":
        order["callback_rate"] = (abs(wish["away"]) + 1) * ONE // 100
    elif kind in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        rising = (sign > 0) == (kind == "STOP_MARKET")
        away = abs(wish["away"]) if wish["obedient"] else wish["away"]
        order["trigger_price"] = level(symbol, price, away if rising else -away) + wish["off_tick"]
    if kind != "LIMIT" and wish["force"] in ("IOC", "FOK"):
        order["time_in_force"] = wish["force"]
    order["margin_mode"] = "ISOLATED" if wish["isolated"] else "CROSS"
    if wish["obedient"] and (held or model._resting(symbol)):
        order["margin_mode"] = model.mode[symbol]
    if (wish["reduce_only"] or wish["close_position"]) and (held or not wish["obedient"]):
        order["close_position" if wish["close_position"] else "reduce_only"] = True
        return order
    order["leverage"] = wish["leverage"]
    if wish["obedient"] and wish["leverage"]:
        order["leverage"] = min(wish["leverage"], 25 if symbol == "CCC" else 50)
    entry = order.get("limit_price") or order.get("trigger_price") or price
    if wish["stop"]:
        order["stop_loss"] = level(symbol, entry, -sign * wish["stop"])
    if wish["target"]:
        order["take_profit"] = level(symbol, entry, sign * wish["target"])
    if wish["trailing"]:
        order["trailing_rate"] = wish["trailing"] * ONE // 100
    return order


def level(symbol, price, percent):
    tick = INSTRUMENTS[symbol].tick_size
    return max(tick, price * (100 + percent) // 100 // tick * tick)
