"""Random sessions of quotes and books: the compiled kernels against the reference model, and against themselves
uncompiled, to the last unit after every step.
"""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.compare import agree, balance
from tests.engine.profiles import PROPERTY
from tests.engine.quoted_reference import QuotedReference
from tests.engine.quoted_venue import DEPTH, QuotedVenue
from tests.engine.wishes import (
    CAPITAL,
    FIRST,
    INSTRUMENTS,
    RULES,
    SPECS,
    SYMBOLS,
    level,
    order_of,
    reference_instrument,
    throw_order,
)
from tests.engine.worker import Worker

SIZES = [1, 2, 20, 100, 100, 1_000, 100_000]
"""Of a level, in thousandths of what the capital buys."""


class Session:
    """One account from its first quotes on; every step is thrown with dice and compared."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.venue = QuotedVenue(SPECS, CAPITAL, RULES)
        self.model = QuotedReference([reference_instrument(i) for i in INSTRUMENTS.values()], RULES, CAPITAL)
        self.deposits, self.compared = CAPITAL, 0
        self.middle, self.marks, self.steps = dict(FIRST), {}, []
        self.seen = Counter()
        for symbol in SYMBOLS:
            self.show(symbol, FIRST[symbol])

    def do(self, verb, *arguments):
        self.steps.append([verb, *arguments])
        return getattr(self.venue, verb)(*arguments)

    @property
    def lasts(self):
        """What acceptance takes for the last price: the bid, or the ask where nobody bids."""
        return {s: (q["bids"] or q["asks"])[0][0] for s, q in self.model.quotes.items() if q["bids"] or q["asks"]}

    def play(self, steps):
        verbs = [self.place, self.place, self.enter, self.guard, self.guard, self.turn, self.cancel]
        verbs += [self.quotes] * 6 + [self.crash, self.thin, self.tick, self.settle]
        for _ in range(steps):
            if self.model.cash < CAPITAL // 10:
                self.deposit()
            self.dice.choice(verbs)()
            self.compared = agree(self.venue, self.model, self.marks, self.compared)
            balance(self.venue, self.deposits)

    def replay_uncompiled(self):
        scenario = {"specs": SPECS, "capital": CAPITAL, "rules": RULES, "quoted": True, "steps": self.steps}
        uncompiled, compiled = Worker.shared().play(scenario), self.venue.dump()
        for name, table in compiled.items():
            assert uncompiled[name] == table, name

    # Orders

    def place_one(self, order):
        if order["type"] not in ("LIMIT", "MARKET") or self.dice.random() < 0.1:
            order["trigger_by"] = self.dice.choice(["LAST", "LAST", "MARK"])
        codes = self.do("accept", [order], self.marks)
        expected = [code for _, code in self.model.accept([order], self.marks, self.lasts)]
        assert codes == expected, (order, codes, expected, self.venue.facts)
        self.seen.update(f"refused {code}" for code in codes if code)

    def order(self, **changes):
        return order_of(throw_order(self.dice) | changes, self.model, self.lasts, self.marks)

    def place(self):
        self.place_one(self.order())

    def enter(self):
        """A market order of nearly everything at a high leverage: what is liquidated later."""
        size, leverage = self.dice.choice([50, 95]), self.dice.choice([10, 20, 25, 50])
        changes = {"type": "MARKET", "basis": "CAPITAL", "size": size, "leverage": leverage, "force": "GTC"}
        self.place_one(self.order(**changes, reduce_only=False, close_position=False))

    def held(self):
        return [s for s in SYMBOLS if self.model.position(s)[0]]

    def against(self, **changes):
        symbol = self.dice.choice(self.held())
        side = "SELL" if self.model.position(symbol)[0] > 0 else "BUY"
        return self.order(symbol=symbol, side=side, basis="POSITION", **changes)

    def guard(self):
        if self.held():
            self.place_one(self.against(reduce_only=True))

    def turn(self):
        """An order that closes a position and opens the opposite one."""
        if self.held():
            size = self.dice.choice([60, 80, 100, 300])
            self.place_one(self.against(size=size, obedient=True, reduce_only=False, close_position=False))

    def cancel(self):
        if resting := self.model._resting():
            order = self.dice.choice(resting)
            self.do("cancel", [o["id"] for o in self.model.orders.values()].index(order["id"]))
            self.model._end([order])

    # The market

    def quotes(self):
        for _ in range(self.dice.randint(1, 4)):
            symbol = self.dice.choice(SYMBOLS)
            move = self.dice.choice([0, 0, 0, 1, -1, self.dice.randint(-6, 6)])
            price = self.middle[symbol]
            if not FIRST[symbol] // 8 < price < FIRST[symbol] * 8:
                price = FIRST[symbol]
            self.show(symbol, price * (100 + move) // 100)

    def crash(self):
        """Everything goes against its position, one quote after the other."""
        for symbol in SYMBOLS:
            sign = -1 if self.model.position(symbol)[0] >= 0 else 1
            self.show(symbol, self.middle[symbol] * (100 + sign * self.dice.choice([1, 2, 3, 5, 15, 40])) // 100)

    def thin(self):
        """Books in which hardly anything is offered: slices, and what expires in the end."""
        symbol = self.dice.choice(SYMBOLS)
        for _ in range(self.dice.randint(1, 7)):
            self.show(symbol, self.middle[symbol], sizes=[1], is_book=True)

    def show(self, symbol, price, sizes=SIZES, is_book=False):
        dice, tick = self.dice, INSTRUMENTS[symbol].tick_size
        bid = level(symbol, price, 0)
        ask = bid + tick * dice.choice([1, 1, 3, 50])
        is_book = is_book or dice.random() < 0.6
        count = dice.randint(1, DEPTH) if is_book else 1
        sides = {}
        for side, best, sign in (("bids", bid, -1), ("asks", ask, 1)):
            step = dice.choice([tick, tick, level(symbol, price, -97), level(symbol, price, -90)])
            prices = [best + sign * step * number for number in range(count)]
            sides[side] = [(p, self.size(symbol, dice.choice(sizes))) for p in prices if p > 0]
        if dice.random() < 0.05:
            sides[dice.choice(["bids", "asks"])] = []
        self.middle[symbol] = price
        mark = max(1, price * (1000 + dice.choice([0, 0, 0, 1, -1, 12])) // 1000 + dice.choice([0, 7]))
        self.marks = self.marks | {symbol: mark}
        quote = sides | {"is_book": is_book, "mark": mark}
        before, fills = {o["id"] for o in self.model._resting()}, len(self.model.fills)
        log = len(self.model.log)
        self.model.quote(symbol, quote)
        self.do("quote", symbol, quote)
        self.count(quote, before, self.model.fills[fills:], self.model.log[log:])

    def size(self, symbol, share):
        lots = CAPITAL * share // 1000 / FIRST[symbol] / float(INSTRUMENTS[symbol].lot_size)
        return max(1, int(lots))

    # Time

    def tick(self):
        self.model.trail(self.marks)
        self.do("tick", self.marks)
        cash, unrealized, equity, _, maintenance = self.venue.equity_row
        assert cash + unrealized == equity == self.model.equity(self.marks)
        assert maintenance == self.model.maintenance(self.marks)

    def settle(self):
        pairs = [(symbol, self.dice.choice([10_000, -10_000, 750_000])) for symbol in SYMBOLS]
        for symbol, rate in pairs:
            self.model.fund(symbol, self.marks[symbol], rate)
        self.do("settle", pairs)

    def deposit(self):
        """Money from outside, so that a ruined account plays on."""
        self.model.cash += CAPITAL
        self.deposits += CAPITAL
        self.do("deposit", CAPITAL)

    # What happened

    def count(self, quote, before, fills, log):
        where = "book" if quote["is_book"] else "touch"
        turns = Counter(fill["order"] for fill in fills)
        for fill in fills:
            order = self.model.orders[fill["order"]]
            levels = quote[self.model._side(order)]
            self.seen[f"{order['type']} {fill['liquidity']} {where}"] += 1
            if fill["reason"] == "LIQUIDATION":
                self.seen[f"LIQUIDATION {self.model.mode[fill['symbol']]} {where}"] += 1
            if where == "book" and sum(lots for _, lots in levels) < fill["quantity"]:
                self.seen[f"beyond the book {order['type']}"] += 1
            if not order["reduce_only"] and order["status"] == "OPEN" and fill["liquidity"] == "TAKER":
                self.seen[f"rest works on {where}"] += 1
        self.seen["several levels"] += sum(count > 1 for count in turns.values())
        sides = Counter((symbol, side) for _, symbol, side in {(f["order"], f["symbol"], f["side"]) for f in fills})
        self.seen["two orders on one side"] += sum(count > 1 for count in sides.values())
        for order in map(self.model.orders.get, before):
            if order["code"]:
                self.seen[f"ended {order['code']}"] += 1
            if order["status"] == "EXPIRED":
                self.seen[f"expired {order['time_in_force']} {order['type']}"] += 1
        self.seen.update(kind for kind, _ in log if kind != "FILL")


PLACES = ("touch", "book")
EXPECTED = {
    *(f"{kind} TAKER {place}" for kind in ("MARKET", "LIMIT", "STOP_MARKET", "TAKE_PROFIT_MARKET") for place in PLACES),
    *(f"{kind} {place}" for kind in ("TRAILING_STOP TAKER", "LIMIT MAKER", "rest works on") for place in PLACES),
    *(f"LIQUIDATION {mode} {place}" for mode in ("CROSS", "ISOLATED") for place in PLACES),
    *(f"beyond the book {kind}" for kind in ("STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP", "LIQUIDATION")),
    *(f"expired {force} MARKET" for force in ("IOC", "GTC")),
    *("several levels", "two orders on one side", "ended FOK", "ended MARGIN", "expired IOC LIMIT"),
    *("LIQUIDATION_FEE", "SHORTFALL"),
}


def test_sessions_meet_every_kind_of_event():
    """A comparison proves nothing about what never happened: these seeds, always the same, bring all of it."""
    seen = Counter()
    for seed in range(120):
        session = Session(seed)
        session.play(60)
        seen += session.seen
    assert EXPECTED - set(seen) == set()


@PROPERTY
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 80))
def test_random_sessions_keep_the_same_books_as_the_reference(seed, steps):
    session = Session(seed)
    session.play(steps)
    session.replay_uncompiled()
