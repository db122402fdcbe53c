"""The rules between ticks, told a second time: one account of the reference model on quotes and books.

A quote is the open of a bar without the rest of the bar. READING marks a line where the rules leave room.
"""

from fractions import Fraction
from math import ceil, floor, isqrt

from tests.engine.reference import ONE, STOPS, TRIGGERS, Reference

MONEY_MAX = 9 * 10**10 * ONE
OPPOSITE = {"BUY": "asks", "SELL": "bids"}


class QuotedReference(Reference):
    def __init__(self, instruments, rules, capital):
        super().__init__(instruments, rules, capital)
        self.quotes, self.offers = {}, {}
        self.beyond = None  # (money of the depth) of a fill that pays impact

    def quote(self, symbol, quote):
        """`quote`: bids and asks as lists of (price, lots), the best first; whether they are a book; the mark."""
        self.quotes[symbol] = quote
        self.price = {s: q["mark"] for s, q in self.quotes.items()}
        # What is taken of a quote is gone for the account until the next quote, of whatever symbol.
        self.offers = {(s, side): list(q[side]) for s, q in self.quotes.items() for side in ("bids", "asks")}
        self.live = {s: q for s, q in self.quotes.items() if q["asks" if self.book[s][0] < 0 else "bids"]}
        resting = self._resting(symbol)
        for o in resting:
            o["tried"] = False
        self._reduce(resting)
        for unit in self._units():
            if self._slack(unit, self.price) < 0:
                self._liquidate(unit)
        for o in resting:
            if not o["reduce_only"]:
                self._turn(o)
        known = {o["id"] for o in resting}
        self._reduce([o for o in self._resting(symbol) if o["id"] not in known])

    def _reduce(self, orders):
        def rank(o):
            if self._waits(o) and self._fires(o):
                return 0 if o["type"] in STOPS else 1
            return 2

        for o in sorted((o for o in orders if o["reduce_only"]), key=lambda o: (rank(o), o["id"])):
            self._turn(o)

    def _side(self, o):
        return OPPOSITE["BUY" if o["sign"] > 0 else "SELL"]

    def _touch(self, o):
        levels = self.quotes[o["symbol"]][self._side(o)]
        return levels[0][0] if levels else None

    def _waits(self, o):
        return o["type"] in TRIGGERS and not o["triggered"]

    def _reached(self, o, price):
        if o.get("trigger_by") == "MARK":
            price = self.quotes[o["symbol"]]["mark"]
        return super()._reached(o, price)

    def _fires(self, o):  # READING: a trigger by last price looks at the touch that its order would take
        return self._touch(o) is not None and self._reached(o, self._touch(o))

    def _turn(self, o):
        touch = self._touch(o)
        if o["status"] != "OPEN" or o["tried"] or touch is None or (self._waits(o) and not self._fires(o)):
            return
        first, o["tried"], o["met"] = not o.get("met"), True, True
        if o["type"] != "LIMIT":
            if self._waits(o):
                o["triggered"] = True
                family = (x for x in self._resting(o["symbol"]) if o["parent"] and x["parent"] == o["parent"])
                self._end(x for x in family if x is not o)
            self._take(o)
            return
        better = o["sign"] * (o["limit_price"] - touch)
        if better > 0 and (o["post_only"] or not first):
            self._rest(o)
        elif better >= 0 and first and not o["post_only"]:
            self._take(o)
        elif o["time_in_force"] == "IOC":
            self._end([o], "EXPIRED")
        elif o["time_in_force"] == "FOK":
            self._end([o], "REJECTED", "FOK")

    def _rest(self, o):
        """READING: by no more than what is offered at better prices than the limit."""
        better = sum(
            n for price, n in self.offers[o["symbol"], self._side(o)] if o["sign"] * (o["limit_price"] - price) > 0
        )
        size = min(self._wanted(o), better)
        fitting = self._affordable(o, size, o["limit_price"], maker=True)
        if size and not fitting:
            self._end([o], "CANCELED", "MARGIN")
        elif fitting:
            self._fill(o, fitting, o["limit_price"], maker=True)

    def _wanted(self, o):
        held = abs(self.book[o["symbol"]][0])
        want = held if o["close_position"] else o["quantity"] - o["filled"]
        return min(want, held) if o["reduce_only"] else want

    def _take(self, o):
        s, side, want = o["symbol"], self._side(o), self._wanted(o)
        exempt = o["reduce_only"] and o["type"] in TRIGGERS
        offers = [(p, n) for p, n in self.offers[s, side] if not self._is_worse(o, p)]
        is_book = self.quotes[s]["is_book"]
        if o["time_in_force"] == "FOK" and not exempt and not self._takes_whole(o, want, offers, is_book):
            self._end([o], "REJECTED", "FOK")
            return
        o["attempts"] += 1
        if is_book:
            self._walk(o, want, offers, exempt)
        else:
            self._take_touch(o, want if o["type"] != "LIMIT" else min(want, sum(n for _, n in offers)))
        spent = o["type"] != "LIMIT" and o["attempts"] >= self.rules["market_order_max_bars"]
        if o["status"] == "OPEN" and (o["time_in_force"] != "GTC" or spent):
            self._end([o], "EXPIRED")

    def _is_worse(self, o, price):
        return o["type"] == "LIMIT" and o["sign"] * (price - o["limit_price"]) > 0

    def _takes_whole(self, o, want, offers, is_book):
        if not is_book:
            self.beyond = self._depth(o)
            offered = want if o["type"] != "LIMIT" else min(want, sum(n for _, n in offers))
            fits = offered == want and self._affordable(o, want, self._touch(o), False) == want
            self.beyond = None
            return fits
        reached = 0
        for price, lots in offers:
            reached += lots
            if reached >= want:  # READING: the account must be able to pay the worst level for all of it
                return self._affordable(o, want, price, False) == want
        return False

    def _take_touch(self, o, size):
        self.beyond = self._depth(o)
        fitting = self._affordable(o, size, self._touch(o), False)
        if size and not fitting:
            self._end([o], "CANCELED", "MARGIN")
        elif fitting:
            self._fill(o, fitting, self._touch(o))
        self.beyond = None

    def _walk(self, o, want, offers, exempt):
        filled = 0
        for price, lots in offers:
            size = min(lots, want - filled)
            if not size:
                continue
            fitting = self._affordable(o, size, price, False)
            if fitting:
                self._fill(o, fitting, price)
            filled += fitting
            if fitting < size:
                if not filled:
                    self._end([o], "CANCELED", "MARGIN")
                return
        if exempt and filled < want:  # READING: what the book does not hold fills beyond it, with impact
            self.beyond = self._depth(o)
            self._fill(o, want - filled, self._worst(o))
            self.beyond = None

    def _worst(self, o):
        return self.quotes[o["symbol"]][self._side(o)][-1][0]

    def _depth(self, o):
        """All that the side offers, at the worst of its prices, in whole units, up."""
        lots = sum(n for _, n in self.quotes[o["symbol"]][self._side(o)])
        return min(MONEY_MAX, max(1, ceil(self._notional(o["symbol"], lots, self._worst(o)))))

    def _beyond_price(self, o, size, base):
        rate = 0
        if self.beyond:
            notional = ceil(self._notional(o["symbol"], size, base))
            square = ceil(Fraction(self.rules["impact_rate"] ** 2 * notional, self.beyond))
            rate = isqrt(square - 1) + 1 if square else 0
        return self._to_tick(o, base * max(0, ONE + o["sign"] * rate) / Fraction(ONE))

    def _to_tick(self, o, price):
        tick = self.instruments[o["symbol"]]["tick"]
        ticks = Fraction(price) / tick
        return ceil(ticks) * tick if o["sign"] > 0 else max(1, floor(ticks)) * tick

    def _taker_price(self, o, size, base):
        """No half-spread: a quote has its spread."""
        if o["type"] == "LIQUIDATION":
            return self._closing_price(o, size)
        price = self._beyond_price(o, size, base)
        if o["type"] == "LIMIT":
            price = min(price, o["limit_price"]) if o["sign"] > 0 else max(price, o["limit_price"])
        return price

    def _closing_price(self, o, size):
        """READING: one fill, at the mean of the levels that the whole position would take."""
        total, left = 0, size
        self.beyond = self._depth(o)
        if not self.quotes[o["symbol"]]["is_book"]:
            price = self._beyond_price(o, size, self._touch(o))
            self.beyond = None
            return price
        for price, lots in self.offers[o["symbol"], self._side(o)]:
            total += min(left, lots) * price
            left -= min(left, lots)
        if left:
            total += left * self._beyond_price(o, left, self._worst(o))
        self.beyond = None
        return self._to_tick(o, Fraction(total, size))

    def _fill(self, o, size, base, maker=False):
        super()._fill(o, size, self._touch(o) if o["type"] == "LIQUIDATION" else base, maker)
        levels, left = self.offers[o["symbol"], self._side(o)], size
        for number, (price, lots) in enumerate(levels):
            levels[number] = price, lots - min(left, lots)
            left -= min(left, lots)

    def _protect(self, entry, price, opened):
        super()._protect(entry, price, opened)
        for o in self._resting(entry["symbol"]):
            if o["parent"] == entry["id"]:
                o["trigger_by"] = entry.get("trigger_by")
