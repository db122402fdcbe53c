"""The compiled kernels against the reference model, and against themselves uncompiled, order after bar after order.

Every step compares refusals, orders, fills, money and positions to the last unit. `--hypothesis-show-statistics`
tells how often each kind of event occurred.
"""

import random
from collections import Counter
from fractions import Fraction

from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.engine.compare import agree, balance
from tests.engine.driver import Venue
from tests.engine.profiles import STATEFUL
from tests.engine.reference import Reference
from tests.engine.wishes import (
    CAPITAL,
    FIRST,
    INSTRUMENTS,
    RULES,
    SPECS,
    SYMBOLS,
    order_of,
    reference_instrument,
    throw_order,
)
from tests.engine.worker import Worker

# What is drawn: a seed, from which orders and bars are thrown with plain dice. Hypothesis would rather repeat itself
# than try as many combinations.

VOLUMES = [0, 5, 30, 300, 300, 3_000, 100_000, 100_000]
"""Of a bar, as a percentage of what the capital buys: a tenth of it is the cap."""
NOISES = [0, 0, 0, 1, 7, 12_345]
"""Off the tick grid: what recorded candles and marks may be."""


def thrown(throw):
    return st.integers(0, 2**32 - 1).map(lambda seed: throw(random.Random(seed)))


def throw_bar(dice):
    """A candle in percent: (missing, gap, how far below, how far above, where it closes between them, ...)"""
    gap, reach = dice.choice([(0, 12), (0, 3), (dice.randint(-4, 4), 6), (dice.choice([-30, -12, 12, 30]), 3), (0, 60)])
    below, above = dice.choice([0, dice.randint(0, reach)]), dice.choice([0, dice.randint(0, reach)])
    shape = {"missing": dice.random() < 0.1, "gap": gap, "below": below, "above": above}
    return shape | {"close": dice.randint(0, 100), "volume": dice.choice(VOLUMES), "noise": dice.choice(NOISES)}


def throw_bars(dice):
    """A few bars of all symbols, each with the funding rates due at its end."""
    rates = [None, None, 10_000, -10_000, 750_000]
    return [
        ([throw_bar(dice) for _ in SYMBOLS], [dice.choice(rates) for _ in range(dice.choice([0, 0, 3]))])
        for _ in range(dice.randint(1, 3))
    ]


wishes = thrown(throw_order)


class Engine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.venue = Venue(SPECS, CAPITAL, RULES)
        self.model = Reference([reference_instrument(i) for i in INSTRUMENTS.values()], RULES, CAPITAL)
        self.deposits = CAPITAL
        self.last, self.marks, self.steps = {}, {}, []
        self.compared = 0
        self.seen = Counter()
        """How often each kind of event occurred."""

    def do(self, verb, *arguments):
        self.steps.append([verb, *arguments])
        return getattr(self.venue, verb)(*arguments)

    def order(self, wish):
        return order_of(wish, self.model, self.last, self.marks)

    def note(self, *kinds):
        for kind in kinds:
            self.seen[kind] += 1
            if currently_in_test_context():
                event(kind)

    # Rules

    @initialize(late=st.booleans(), leverage=st.sampled_from([1, 10, 50]))
    def first_bar(self, late, leverage):
        """All symbols trade from the first bar, but for CCC now and then."""
        bars = {}
        for symbol, price in FIRST.items():
            if not (late and symbol == "CCC"):
                bars[symbol] = self.flat(price)
        self.run_bar(bars, [], {symbol: bar["close"] for symbol, bar in bars.items()})

    def flat(self, price):
        return dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": 10**6, "quote_volume": 10**14}

    @rule(batch=st.lists(wishes, min_size=1, max_size=3))
    def place(self, batch):
        batch = [self.order(wish) for wish in batch]
        batch.sort(key=lambda order: not order.get("reduce_only") and not order.get("close_position"))
        for order in batch:
            self.place_one(order)

    def place_one(self, order):
        codes = self.do("accept", [order], self.marks)
        expected = [code for _, code in self.model.accept([order], self.marks, self.last)]
        assert codes == expected, (order, codes, expected, self.venue.facts)
        self.note(f"order {order['type']}", *(f"refused {code}" for code in codes if code))

    @rule(wish=wishes, side=st.sampled_from([1, -1]), leverage=st.sampled_from([10, 20, 25, 50]))
    def enter_with_all(self, wish, side, leverage):
        """A market order of nearly everything at a high leverage: what is liquidated later."""
        wish = wish | {"type": "MARKET", "side": "BUY" if side > 0 else "SELL", "basis": "CAPITAL", "size": 95}
        wish |= {"leverage": leverage, "reduce_only": False, "close_position": False, "force": "GTC"}
        self.place_one(self.order(wish))

    @precondition(lambda self: any(self.model.position(s)[0] for s in SYMBOLS))
    @rule(number=st.integers(0, 2), wish=wishes)
    def guard(self, number, wish):
        """A reducing order of a position that there is."""
        held = [s for s in SYMBOLS if self.model.position(s)[0]]
        symbol = held[number % len(held)]
        side = "SELL" if self.model.position(symbol)[0] > 0 else "BUY"
        self.place_one(self.order(wish | {"symbol": symbol, "side": side, "basis": "POSITION", "reduce_only": True}))

    @precondition(lambda self: any(self.model.position(s)[0] for s in SYMBOLS))
    @rule(number=st.integers(0, 2), wish=wishes, size=st.sampled_from([60, 80, 100, 300]))
    def turn(self, number, wish, size):
        """An order that closes a position and opens the opposite one."""
        held = [s for s in SYMBOLS if self.model.position(s)[0]]
        symbol = held[number % len(held)]
        side = "SELL" if self.model.position(symbol)[0] > 0 else "BUY"
        wish = wish | {"symbol": symbol, "side": side, "basis": "POSITION", "size": size, "obedient": True}
        self.place_one(self.order(wish | {"reduce_only": False, "close_position": False}))

    @precondition(lambda self: self.model._resting())
    @rule(number=st.integers(0, 30))
    def cancel(self, number):
        resting = self.model._resting()
        order = resting[number % len(resting)]
        numbers = [o["id"] for o in self.model.orders.values()]
        self.model._end([order])
        self.do("cancel", numbers.index(order["id"]))
        self.note("cancel")

    @rule(bars=thrown(throw_bars))
    def bars(self, bars):
        for drawn, rates in bars:
            candles, marks = {}, {}
            for symbol, drawing in zip(SYMBOLS, drawn, strict=True):
                candle = self.candle(symbol, **drawing)
                candles[symbol] = candle
                if candle:
                    marks[symbol] = max(1, candle["close"] + drawing["noise"] * (-1) ** drawing["close"])
            pairs = [(symbol, rate) for symbol, rate in zip(SYMBOLS, rates, strict=False) if symbol in self.last]
            self.run_bar(candles, pairs, marks)

    @precondition(lambda self: any(self.model.position(s)[0] for s in SYMBOLS))
    @rule(drop=st.sampled_from([5, 15, 30, 60]), gap=st.booleans(), back=st.booleans(), volume=st.sampled_from(VOLUMES))
    def crash(self, drop, gap, back, volume):
        """Everything goes against its position at once."""
        bars = {}
        for symbol in self.last:
            sign = -1 if self.model.position(symbol)[0] >= 0 else 1
            price = self.last[symbol]
            worst = max(INSTRUMENTS[symbol].tick_size, price * (100 + sign * drop) // 100)
            opened = worst if gap else price
            closed = price if back else worst
            shape = {"open": opened, "high": max(price, worst), "low": min(price, worst), "close": closed}
            bars[symbol] = shape | self.volume(symbol, volume, closed)
        self.run_bar(bars, [], {symbol: bar["close"] for symbol, bar in bars.items()})

    @rule(count=st.integers(2, 6), volume=st.sampled_from([0, 5, 30]))
    def thin_bars(self, count, volume):
        """Bars in which hardly anything trades: slices, and what expires in the end."""
        for _ in range(count):
            bars = {}
            for symbol, price in self.last.items():
                bars[symbol] = self.flat(price) | self.volume(symbol, volume, price)
            self.run_bar(bars, [], dict(self.last))

    def candle(self, symbol, missing, gap, below, above, close, volume, noise):
        before = self.last.get(symbol, FIRST[symbol])
        if missing:
            return None
        # Nobody's price runs away for ever: far from home it turns back.
        if not FIRST[symbol] // 8 < before < FIRST[symbol] * 8:
            before, gap = FIRST[symbol], 0
        opened = max(2, before * (100 + gap) // 100 + noise)
        low = max(1, opened * (100 - below) // 100)
        high = opened * (100 + above) // 100
        closed = low + (high - low) * close // 100
        return {"open": opened, "high": high, "low": low, "close": closed} | self.volume(symbol, volume, closed)

    def volume(self, symbol, percent, close):
        lots = int(Fraction(CAPITAL * percent, 100 * FIRST[symbol]) / Fraction(INSTRUMENTS[symbol].lot_size))
        money = int(lots * Fraction(INSTRUMENTS[symbol].lot_size) * close)
        return {"volume": lots if money else 0, "quote_volume": money}

    def run_bar(self, bars, funding, marks):
        fills_before, orders_before = len(self.model.fills), len(self.model.orders)
        held = {s: self.model.position(s)[0] for s in SYMBOLS}
        log_before = len(self.model.log)
        before = {o["id"]: (o["status"], o["filled"]) for o in self.model.orders.values()}
        self.model.bar(bars)
        for symbol, bar in bars.items():
            if bar and bar["volume"]:
                self.last[symbol] = bar["close"]
        self.model.price.update(self.last)
        self.marks = self.marks | {symbol: mark for symbol, mark in marks.items() if symbol in self.last}
        for symbol, rate in funding:
            if rate is not None:
                self.model.fund(symbol, self.marks[symbol], rate)
        self.do("bar", bars, funding, self.marks)
        self.count_events(fills_before, orders_before, held, log_before, before)

    @rule()
    def tick(self):
        """Trailing stops follow the mark, and the account is marked."""
        levels = {o["id"]: o["trigger_price"] for o in self.model._resting()}
        self.model.trail(self.marks)
        self.do("tick", self.marks)
        if any(levels[o["id"]] != o["trigger_price"] for o in self.model._resting()):
            self.note("trailed")
        cash, unrealized, equity, _, _ = self.venue.equity_row
        assert cash == self.model.cash
        assert cash + unrealized == equity == self.model.equity(self.marks)
        assert self.venue.equity_row[4] == self.model.maintenance(self.marks)

    @rule(seed=st.integers(0, 2**32 - 1))
    def session(self, seed):
        """Many things at once: what is rare becomes frequent when a run is long."""
        dice = random.Random(seed)
        for _ in range(dice.randint(10, 40)):
            if self.model.cash < CAPITAL // 10:
                self.deposit()
            kind = dice.choice(["place", "place", "enter", "guard", "guard", "turn", "bars", "bars", "crash", "thin"])
            held = any(self.model.position(symbol)[0] for symbol in SYMBOLS)
            wish, number = throw_order(dice), dice.randint(0, 2)
            if kind == "enter" or (kind in ("guard", "turn", "crash") and not held):
                self.enter_with_all(wish, dice.choice([1, -1]), dice.choice([10, 20, 25, 50]))
                self.bars(throw_bars(dice)[:1])
            elif kind == "place":
                self.place([wish])
            elif kind == "guard":
                self.guard(number, wish)
            elif kind == "turn":
                self.turn(number, wish, dice.choice([60, 80, 100, 300]))
            elif kind == "bars":
                self.bars(throw_bars(dice))
            elif kind == "crash":
                self.crash(dice.choice([5, 15, 30]), dice.random() < 0.5, dice.random() < 0.5, dice.choice(VOLUMES))
            else:
                self.thin_bars(dice.randint(1, 3), dice.choice([5, 30]))
            if dice.random() < 0.3:
                self.tick()
            self.both_agree()

    @precondition(lambda self: self.model.cash < CAPITAL // 10)
    @rule()
    def deposit(self):
        """Money from outside, so that a ruined account plays on."""
        self.model.cash += CAPITAL
        self.deposits += CAPITAL
        self.do("deposit", CAPITAL)
        self.note("ruined")

    # What must hold after every step

    @invariant()
    def both_agree(self):
        if self.last:
            self.compared = agree(self.venue, self.model, self.marks, self.compared)

    @invariant()
    def books_balance(self):
        balance(self.venue, self.deposits)

    def count_events(self, fills_before, orders_before, held, log_before, before):
        model = self.model
        fills = model.fills[fills_before:]
        for fill in fills:
            order = model.orders[fill["order"]]
            symbol, size = fill["symbol"], held[fill["symbol"]]
            if order["type"] == "LIMIT":
                self.note(f"limit {fill['liquidity']}")
            if order["type"] == "MARKET" and fill["quantity"] < order["quantity"]:
                self.note("slice")
            if fill["reason"] in ("STOP", "TAKE_PROFIT", "TRAILING", "LIQUIDATION"):
                self.note(fill["reason"])
            if fill["reason"] == "LIQUIDATION":
                self.note(f"liquidation {model.mode[symbol]}")
            if order["type"] in ("STOP_MARKET", "TRAILING_STOP") and fill["base_price"] != order["trigger_price"]:
                self.note("gap stop")
            if not order["reduce_only"] and size * fill["position_after"] < 0:
                self.note(f"flip {model.mode[symbol]}")
        families = {model.orders[f["order"]]["parent"] for f in fills if model.orders[f["order"]]["parent"]}
        for order in model.orders.values():
            was = before.get(order["id"], ("OPEN", 0))[0]
            if was != order["status"]:
                if order["code"]:
                    self.note(f"ended {order['code']}")
                if order["status"] == "EXPIRED":
                    self.note(f"expired {order['time_in_force']} {order['type']}")
                sibling = order["parent"] in families and order["type"] == "TAKE_PROFIT_MARKET"
                price = order["trigger_price"]
                if sibling and order["status"] == "CANCELED" and order["symbol"] in model.live:
                    bar = model.live[order["symbol"]]
                    if bar["low"] <= price <= bar["high"]:
                        self.note("stop and target in one bar")
            grown = order["status"] == "OPEN" and order["filled"] > before.get(order["id"], (None, 0))[1]
            if grown and not order["reduce_only"] and model._cap_left(order["symbol"]) > 0:
                self.note("cut by margin")
        self.note(*(kind for kind, _ in model.log[log_before:] if kind != "FILL"))

    def teardown(self):
        if self.steps:
            scenario = {"specs": SPECS, "capital": CAPITAL, "rules": RULES, "steps": self.steps}
            uncompiled, compiled = Worker.shared().play(scenario), self.venue.dump()
            for name, table in compiled.items():
                assert uncompiled[name] == table, name


EXPECTED = {
    "slice",
    "cut by margin",
    "limit MAKER",
    "limit TAKER",
    "gap stop",
    "STOP",
    "TAKE_PROFIT",
    "TRAILING",
    "trailed",
    "stop and target in one bar",
    "flip CROSS",
    "flip ISOLATED",
    "liquidation CROSS",
    "liquidation ISOLATED",
    "LIQUIDATION_FEE",
    "SHORTFALL",
    "FUNDING",
    "ended FOK",
    "ended MARGIN",
    "expired IOC MARKET",
    "expired IOC LIMIT",
    "expired GTC MARKET",
    *(f"refused {code}" for code in ("MARGIN", "LEVERAGE_MARGIN", "MAX_LEVERAGE", "MARGIN_MODE", "WOULD_TRIGGER")),
    *(f"refused {code}" for code in ("MIN_NOTIONAL", "OFF_TICK", "BAD_PROTECTION", "NOT_REDUCING", "NO_PRICE")),
}


class TestEngine(Engine.TestCase):
    settings = STATEFUL


def test_fixed_sessions_meet_every_kind_of_event():
    """A comparison proves nothing about what never happened: these sessions, always the same, bring all of it."""
    seen = Counter()
    for seed in range(100):
        engine = Engine()
        engine.first_bar(late=seed % 2 == 0, leverage=1)
        engine.session(seed)
        engine.books_balance()
        seen += engine.seen
    assert {kind for kind in EXPECTED if not seen[kind]} == set()
