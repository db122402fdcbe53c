"""The rules of the engine for one account on bars, told a second time: exact, slow, on Python integers and
fractions alone. Stateful tests compare the compiled kernel with it; the two share neither code nor design.

Money and prices are integers of 10^-8, rates too, quantities are lots. Bars alone give path, triggers and
liquidation: no mark bars, no books. READING marks a line where the rules leave room: the venue is harsh.
"""

from fractions import Fraction
from math import ceil, floor, isqrt

ONE = 10**8
STOPS = ("STOP_MARKET", "TRAILING_STOP")
TRIGGERS = (*STOPS, "TAKE_PROFIT_MARKET")
REASONS = {"STOP_MARKET": "STOP", "TAKE_PROFIT_MARKET": "TAKE_PROFIT", "TRAILING_STOP": "TRAILING"}
OPTIONAL = (  # None unless the order says otherwise
    *("limit_price", "trigger_price", "callback_rate", "take_profit", "stop_loss", "trailing_rate"),
    *("leverage", "order_id", "parent", "code"),
)
SWITCHES = ("post_only", "reduce_only", "close_position", "triggered", "tried", "asleep")
BLANK = {"quantity": 0, "filled": 0, "attempts": 0}
BLANK |= {"time_in_force": "GTC", "margin_mode": "CROSS", "status": "NEW"} | dict.fromkeys(OPTIONAL)
BLANK |= dict.fromkeys(SWITCHES, False)


class Reference:
    def __init__(self, instruments, rules, capital):
        self.instruments = {i["symbol"]: i for i in sorted(instruments, key=lambda i: i["symbol"])}
        self.rules, self.cash, self.insurance = rules, capital, 0
        self.book = dict.fromkeys(self.instruments, (0, 0, 0))  # signed quantity and basis, isolated margin
        self.leverage = dict.fromkeys(self.instruments, 1)
        self.mode = dict.fromkeys(self.instruments, "CROSS")
        self.orders, self.fills, self.log = {}, [], [("START", capital)]
        self.price = {}  # where every symbol stands
        self.live, self.used = {}, {}  # in this bar: bars with volume, lots used of the cap
        self.inside = False  # past the open

    # What the account is worth

    def position(self, symbol):
        return self.book[symbol]

    def equity(self, marks=None):
        marks = {**self.price, **(marks or {})}
        return self.cash + sum(floor(self._pnl(s, marks)) for s in self.book)

    def maintenance(self, marks=None):
        marks = {**self.price, **(marks or {})}
        return sum(ceil(self._maintenance(s, marks)) for s in self.book)

    def available(self, marks=None, without=None):
        marks = {**self.price, **(marks or {})}
        free = self._free()
        for s in self._members(None):
            initial = ceil(self._notional(s, self.book[s][0], marks[s]) / self.leverage[s])
            free += floor(self._pnl(s, marks)) - initial
        for s in self.book:
            free -= sum(self._reservation(o, n, marks) for o, n in self._openings(s, without))
        return free

    def _free(self):
        return self.cash - sum(margin for _, _, margin in self.book.values())

    def _notional(self, s, quantity, price):
        return Fraction(abs(quantity) * price) * self.instruments[s]["lot"]

    def _pnl(self, s, prices):
        quantity, basis, _ = self.book[s]
        return quantity * self.instruments[s]["lot"] * prices[s] - basis if quantity else 0

    def _tier(self, s, notional):
        tiers = self.instruments[s]["tiers"]
        return next((t for t in tiers if t[0] is None or notional <= t[0]), tiers[-1])

    def _maintenance(self, s, prices):
        if not self.book[s][0]:
            return 0
        notional = self._notional(s, self.book[s][0], prices[s])
        _, rate, deduction, _ = self._tier(s, notional)
        return notional * rate / ONE - deduction

    def _members(self, unit):
        """Symbols with a position in a unit of margin: the cross account (None) or one isolated symbol."""
        mode = "ISOLATED" if unit else "CROSS"
        return [s for s in self.book if self.book[s][0] and self.mode[s] == mode and unit in (None, s)]

    def _balance(self, unit, prices):
        margin = self.book[unit][2] if unit else self._free()
        return margin + sum(self._pnl(s, prices) for s in self._members(unit))  # READING: unrounded too

    def _slack(self, unit, prices):
        return self._balance(unit, prices) - sum(self._maintenance(s, prices) for s in self._members(unit))

    def _units(self):
        units = [None, *(s for s in self.book if self.mode[s] == "ISOLATED")]
        return [u for u in units if any(s in self.live for s in self._members(u))]

    def _openings(self, s, without=None):
        """(order, what it may still open), by acceptance: the first take the part against the position."""
        held = self.book[s][0]
        against = abs(held)
        for o in self._resting(s):
            if not o["reduce_only"] and o is not without:
                rest = o["quantity"] - o["filled"]
                closing = min(rest, against) if held * o["sign"] < 0 else 0
                against -= closing
                yield o, rest - closing

    def _order_notional(self, o, quantity, marks):
        price = o["limit_price"] or o["trigger_price"] or marks[o["symbol"]]
        return self._notional(o["symbol"], quantity, price)

    def _reservation(self, o, opening, marks):
        notional = self._order_notional(o, opening, marks) if opening else Fraction(0)
        taker = self.instruments[o["symbol"]]["taker"]
        fee = ceil(Fraction(ceil(notional) * taker, ONE))  # READING: of a notional in whole units, up
        return ceil(notional / self.leverage[o["symbol"]]) + max(0, fee)

    # Orders and their acceptance

    def _new(self, **fields):
        o = {**BLANK, **{k: v for k, v in fields.items() if v is not None}, "id": len(self.orders) + 1}
        o["sign"] = 1 if o.get("side") == "BUY" else -1
        o["reduce_only"] = o["reduce_only"] or o["close_position"]
        self.orders[o["id"]] = o
        return o

    def _resting(self, s=None):
        """Open orders (of one symbol), in order of acceptance and ordinal: that is how they are numbered."""
        return [o for o in self.orders.values() if o["status"] == "OPEN" and s in (None, o["symbol"])]

    def _end(self, orders, status="CANCELED", code=None):
        for o in orders:
            o["status"], o["code"] = status, code

    def _trailing_level(self, o, price, rate):
        """The callback away from a price, to the tick that triggers earlier: a sell up, a buy down."""
        tick = self.instruments[o["symbol"]]["tick"]
        level = Fraction(price * (ONE + o["sign"] * rate), ONE * tick)
        return (floor(level) if o["sign"] > 0 else ceil(level)) * tick

    def _reached(self, o, price):
        rising = (o["sign"] > 0) == (o["type"] in STOPS)
        return price >= o["trigger_price"] if rising else price <= o["trigger_price"]

    def accept(self, orders, marks, lasts):
        self.price.update(lasts)
        new = [self._new(**order) for order in orders]
        group = {o["id"]: 0 if o["type"] == "CANCEL" else 1 if o["reduce_only"] else 2 for o in new}
        for o in sorted(new, key=lambda o: (group[o["id"]], o["id"])):
            if o["type"] == "CANCEL":  # READING: `order_id` names one order; without it, all of the symbol
                self._end(x for x in self._resting(o["symbol"]) if o["order_id"] in (None, x["id"]))
                o["status"] = "FILLED"
                continue
            code = self._refusal(o, marks, lasts)
            self._end([o], "REJECTED" if code else "OPEN", code)
        return [(o["id"], o["code"]) for o in new]

    def _refusal(self, o, marks, lasts):
        s, sign, reducing = o["symbol"], o["sign"], o["reduce_only"]
        if s not in lasts:
            return "NO_PRICE"
        marks, last = {**self.price, **marks}, lasts[s]
        instrument, held = self.instruments[s], self.book[s][0]
        if o["close_position"]:
            o["quantity"] = abs(held)
        elif o["quantity"] <= 0 or (o["quantity"] < instrument["min_quantity"] and not reducing):
            return "BAD_QUANTITY"
        if o["type"] == "TRAILING_STOP":  # READING: on its own it starts from the mark at acceptance
            o["trigger_price"] = self._trailing_level(o, marks[s], o["callback_rate"])
        given = (o["limit_price"], o["trigger_price"], o["take_profit"], o["stop_loss"])
        if any(p is not None and (p <= 0 or p % instrument["tick"]) for p in given):
            return "OFF_TICK"
        if not reducing and self._order_notional(o, o["quantity"], lasts) < instrument["min_notional"]:
            return "MIN_NOTIONAL"
        if reducing and held * sign >= 0:
            return "NOT_REDUCING"
        if not reducing and o["margin_mode"] != self.mode[s] and (held or self._resting(s)):
            return "MARGIN_MODE"  # READING: the mode named by a reduce-only order is not looked at
        if o["type"] in TRIGGERS and self._reached(o, last):
            return "WOULD_TRIGGER"
        if o["post_only"] and sign * (o["limit_price"] - last) >= 0:
            return "POST_ONLY_WOULD_TAKE"
        if reducing:
            return None
        entry = o["limit_price"] or o["trigger_price"] or last
        if o["stop_loss"] and sign * (entry - o["stop_loss"]) <= 0:
            return "BAD_PROTECTION"
        if o["take_profit"] and sign * (o["take_profit"] - entry) <= 0:
            return "BAD_PROTECTION"
        before = self.leverage[s], self.mode[s]
        self.leverage[s], self.mode[s] = o["leverage"] or before[0], o["margin_mode"]
        o["status"] = "OPEN"
        code = self._margin_refusal(o, marks, self.leverage[s] != before[0])
        if code:
            self.leverage[s], self.mode[s] = before
        return code

    def _margin_refusal(self, o, marks, changed):
        s = o["symbol"]
        openings = list(self._openings(s))  # READING: for the tier too only what orders may open
        total = ceil(self._notional(s, self.book[s][0], marks[s]))  # READING: each in whole units, up
        total += sum(ceil(self._order_notional(x, n, marks)) for x, n in openings)
        until, _, _, leverage_max = self._tier(s, total)  # READING: tested for every opening order
        if self.leverage[s] > leverage_max or (until is not None and total > until):
            return "MAX_LEVERAGE"  # READING: above the bound of the last tier no leverage is allowed
        free = self.available(marks, without=o)
        if changed and free < 0:  # READING: the margin posted for an isolated position stays as it is
            return "LEVERAGE_MARGIN"
        opening = sum(n for x, n in openings if x is o)
        if opening and free < self._reservation(o, opening, marks):
            return "MARGIN"
        return None  # READING: what opens nothing passes, however little is available

    # Fills

    def _taker_price(self, o, size, base):
        s, bar, tick = o["symbol"], self.live[o["symbol"]], self.instruments[o["symbol"]]["tick"]
        depth = bar["quote_volume"]
        if depth is None:
            depth = floor(self._notional(s, bar["volume"], bar["close"]))
        notional = ceil(self._notional(s, size, base))  # READING: in whole units, up
        square = ceil(Fraction(self.rules["impact_rate"] ** 2 * notional, max(1, depth)))
        impact = isqrt(square - 1) + 1 if square else 0
        rate = self.rules["half_spread_rate"] + impact
        ticks = Fraction(base * (ONE + o["sign"] * rate), ONE * tick)
        price = ceil(ticks) * tick if o["sign"] > 0 else max(1, floor(ticks)) * tick
        if o["type"] == "LIMIT":  # READING: never worse than the limit, whatever the size
            price = min(price, o["limit_price"]) if o["sign"] > 0 else max(price, o["limit_price"])
        return price

    def _outcome(self, o, size, base, maker):
        """What a fill would do: (price, position after, realised, fee, what insurance posts)."""
        s, sign = o["symbol"], o["sign"]
        price = base if maker else self._taker_price(o, size, base)
        fee_rate = self.instruments[s]["maker" if maker else "taker"]
        isolated = self.mode[s] == "ISOLATED"
        held, basis, margin = self.book[s]
        closing = min(size, abs(held)) if held * sign < 0 else 0
        closed, opened = self._notional(s, closing, price), self._notional(s, size - closing, price)
        assert closed.denominator == opened.denominator == 1
        fee, realized, shortfall = ceil((closed + opened) * fee_rate / ONE), 0, 0
        closing_fee = ceil(closed * fee_rate / ONE)  # READING: the rest is the fee of what a flip opens
        if closing:
            removed = round(Fraction(basis * closing, abs(held)))  # half-even; exact when all is closed
            realized = -sign * int(closed) - removed
            basis -= removed
            if isolated:
                margin += realized - closing_fee
                whole = closing == abs(held)
                released = margin if whole else max(0, round(Fraction(margin * closing, abs(held))))
                margin -= released
                shortfall = max(0, -released)
        basis += sign * int(opened)
        if isolated and size > closing:
            margin += ceil(opened / self.leverage[s]) - (fee - closing_fee)
        return price, (held + sign * size, basis, margin), realized, fee, shortfall

    def _affordable(self, o, size, base, maker):
        """The largest quantity after whose fill available is not negative; what closes is never cut."""
        # READING: every opening fill is tested, limits too
        s = o["symbol"]

        def fits(quantity):
            saved = self.cash, self.book[s]
            _, self.book[s], realized, fee, shortfall = self._outcome(o, quantity, base, maker)
            self.cash += realized - fee + shortfall
            free = self.available(without=o)
            self.cash, self.book[s] = saved
            return free >= 0

        held = self.book[s][0]
        low = min(size, abs(held)) if held * o["sign"] < 0 else 0
        if size == low or fits(size):
            return size
        high = size
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def _try(self, o, base, maker=False):
        """One attempt, at most one per order and bar: cap, margin, fill, and what becomes of the rest."""
        s, held = o["symbol"], abs(self.book[o["symbol"]][0])
        want = held if o["close_position"] else o["quantity"] - o["filled"]
        want = min(want, held) if o["reduce_only"] else want
        exempt = o["reduce_only"] and o["type"] in TRIGGERS
        size = want if exempt else min(want, self._cap_left(s))
        fitting = self._affordable(o, size, base, maker)
        o["tried"] = True
        o["attempts"] += 1
        if o["time_in_force"] == "FOK" and fitting < want:
            self._end([o], "REJECTED", "FOK")
        elif size and not fitting:
            self._end([o], "CANCELED", "MARGIN")
        elif fitting:
            self.used[s] += 0 if exempt else fitting
            self._fill(o, fitting, base, maker)
        spent = o["type"] != "LIMIT" and o["attempts"] >= self.rules["market_order_max_bars"]
        if o["status"] == "OPEN" and (o["time_in_force"] != "GTC" or spent):
            self._end([o], "EXPIRED")

    def _cap_left(self, s):
        return self.live[s]["volume"] * self.rules["volume_cap_rate"] // ONE - self.used[s]

    def _fill(self, o, size, base, maker=False):
        s, sign, held = o["symbol"], o["sign"], self.book[o["symbol"]][0]
        price, self.book[s], realized, fee, shortfall = self._outcome(o, size, base, maker)
        after = self.book[s][0]
        self.cash += realized - fee
        self.log.append(("FILL", realized - fee))
        plain = "ENTRY" if after * sign > 0 else "EXIT"
        reason = "LIQUIDATION" if o["type"] == "LIQUIDATION" else plain
        if o["reduce_only"]:
            reason = REASONS.get(o["type"], reason)
        fill = {"symbol": s, "side": o["side"], "quantity": size, "price": price, "base_price": base}
        fill |= {"liquidity": "MAKER" if maker else "TAKER", "fee": fee, "realized_pnl": realized}
        self.fills.append(fill | {"position_after": after, "reason": reason, "order": o["id"]})
        o["filled"] += size
        whole = o["filled"] >= o["quantity"] and not o["close_position"]
        if whole or (o["reduce_only"] and not after):  # READING: one cut to the position and done is FILLED
            self._end([o], "FILLED")
        if held and held * after <= 0:  # flat; READING: a flip passes through flat
            self._end(x for x in self._resting(s) if x["reduce_only"])
        if not o["reduce_only"] and after * sign > 0:
            self._protect(o, price, size if held * sign >= 0 else abs(after))
        self._insure(shortfall)
        if not self._members(None):
            self._insure(-self._free())

    def _insure(self, amount):
        if amount > 0:
            self.cash += amount
            self.insurance -= amount
            self.log.append(("SHORTFALL", amount))

    def _protect(self, entry, price, opened):
        """Stop, target and trailing stop of one entry, for all that its fills have opened."""
        family = [x for x in self._resting(entry["symbol"]) if x["parent"] == entry["id"]]
        if not family:
            common = {"symbol": entry["symbol"], "side": "SELL" if entry["sign"] > 0 else "BUY"}
            common |= {"reduce_only": True, "parent": entry["id"], "status": "OPEN"}
            for kind, level in (("STOP_MARKET", "stop_loss"), ("TAKE_PROFIT_MARKET", "take_profit")):
                if entry[level]:
                    family.append(self._new(type=kind, trigger_price=entry[level], **common))
            if entry["trailing_rate"]:  # READING: later slices of the entry do not move its level
                trailing = self._new(type="TRAILING_STOP", callback_rate=entry["trailing_rate"], **common)
                trailing["trigger_price"] = self._trailing_level(trailing, price, entry["trailing_rate"])
                family.append(trailing)
        for o in family:
            o["quantity"] += opened  # READING: what a flip closes is not the entry's to protect
            if self.inside and o["type"] not in STOPS:  # READING: also a target that an earlier slice brought
                o["asleep"] = True

    def _trigger(self, o):
        o["triggered"] = True
        if o["parent"]:
            self._end(x for x in self._resting(o["symbol"]) if x["parent"] == o["parent"] and x is not o)
        self._try(o, self.price[o["symbol"]])

    def _liquidate(self, unit):
        self._end(self._resting(unit))
        while candidates := [s for s in self._members(unit) if s in self.live]:
            s = max(candidates, key=lambda s: self._maintenance(s, self.price))  # the first by name of equals
            held, _, margin = self.book[s]
            order = {"symbol": s, "side": "SELL" if held > 0 else "BUY", "quantity": abs(held)}
            self._fill(self._new(type="LIQUIDATION", reduce_only=True, **order), abs(held), self.price[s])
            fill = self.fills[-1]
            left = margin + fill["realized_pnl"] - fill["fee"]
            if unit is None:
                left = floor(self._balance(None, self.price))
            due = ceil(self._notional(s, held, fill["price"]) * self.rules["liquidation_fee_rate"] / ONE)
            fee = min(due, max(0, left))
            if fee:
                self.cash -= fee
                self.insurance += fee
                self.log.append(("LIQUIDATION_FEE", -fee))
            if self._slack(unit, self.price) >= 0:
                return

    # Time

    def fund(self, symbol, mark, rate):
        quantity, basis, margin = self.book[symbol]
        amount = floor(-quantity * self.instruments[symbol]["lot"] * mark * rate / ONE)
        if amount:
            self.cash += amount
            self.log.append(("FUNDING", amount))
            if self.mode[symbol] == "ISOLATED":
                self.book[symbol] = quantity, basis, margin + amount
            if not self._members(None):
                self._insure(-self._free())

    def trail(self, marks):
        for o in self._resting():
            if o["type"] == "TRAILING_STOP" and not o["triggered"] and o["symbol"] in marks:
                level = self._trailing_level(o, marks[o["symbol"]], o["callback_rate"])
                o["trigger_price"] = (min if o["sign"] > 0 else max)(o["trigger_price"], level)

    def bar(self, bars):
        self.live = {s: bars[s] for s in sorted(bars) if bars[s] and bars[s]["volume"] > 0}
        self.used, self.inside = dict.fromkeys(self.live, 0), False
        for o in self._resting():
            o["tried"] = o["asleep"] = False
        self.price.update({s: b["open"] for s, b in self.live.items()})
        self._reduce_at_open()
        for unit in self._units():
            if self._slack(unit, self.price) < 0:
                self._liquidate(unit)
        for o in self._resting():
            if not o["reduce_only"]:
                self._at_open(o)
        self._reduce_at_open()  # protection born at this open
        self.inside = True
        ways = {}
        for s, b in self.live.items():
            held = self.book[s][0]
            rising = held < 0 or (held == 0 and any(self._buy_stop(o) for o in self._resting(s)))
            ways[s] = (b["high"], b["low"], b["close"]) if rising else (b["low"], b["high"], b["close"])
        for leg in range(3):
            self._segment({**self.price, **{s: way[leg] for s, way in ways.items()}})

    def _buy_stop(self, o):  # READING: a trailing stop is one too
        return o["sign"] > 0 and o["type"] in STOPS and not o["triggered"] and not o["reduce_only"]

    def _reduce_at_open(self):
        def turn(o):
            if o["type"] in TRIGGERS and self._reached(o, self.price[o["symbol"]]):
                return (0 if o["type"] in STOPS else 1), o["id"]
            return 2, o["id"]

        for o in sorted((o for o in self._resting() if o["reduce_only"]), key=turn):
            self._at_open(o)

    def _at_open(self, o):
        s = o["symbol"]
        if o["status"] != "OPEN" or o["tried"] or s not in self.live:
            return
        at = self.price[s]
        if o["type"] in TRIGGERS and not o["triggered"]:
            if self._reached(o, at):
                self._trigger(o)
        elif o["type"] != "LIMIT":
            self._try(o, at)
        else:
            better = o["sign"] * (o["limit_price"] - at)
            if o["post_only"] and better > 0:
                self._try(o, o["limit_price"], maker=True)
            elif better >= 0 and not o["post_only"]:
                self._try(o, at)
            elif o["time_in_force"] == "IOC":
                self._end([o], "EXPIRED")
            elif o["time_in_force"] == "FOK":
                self._end([o], "REJECTED", "FOK")

    def _segment(self, target):
        """Straight lines from where all stand to the target, stopping at every event."""
        while event := min(self._events(target), default=None, key=lambda e: e[:3]):
            way, rank, _, level, subject = event
            for s in self.live:
                point = self.price[s] + (target[s] - self.price[s]) * way
                self.price[s] = ceil(point) if self.book[s][0] < 0 else floor(point)
            if rank < 2:
                self._liquidate(subject)
                continue
            self.price[subject["symbol"]] = level
            if subject["type"] == "LIMIT":
                self._try(subject, subject["limit_price"], maker=True)
            else:
                self._trigger(subject)
        self.price = dict(target)

    def _events(self, target):
        """(share of the way, rank, turn within the rank, price of the symbol there, unit or order)"""
        for unit in self._units():
            here, there = self._slack(unit, self.price), self._slack(unit, target)
            if here < 0 or there < 0:
                a, b = floor(here), ceil(there)  # READING: rounded so for the comparison as for the price
                way = Fraction(a, a - b) if here >= 0 and a > b else Fraction(0)
                yield way, 1 if unit else 0, unit or "", None, unit
        for o in self._resting():
            s = o["symbol"]
            if s not in self.live or o["tried"] or o["asleep"]:
                continue
            start, end = self.price[s], target[s]
            if o["type"] == "LIMIT":
                level = o["limit_price"]
                passed = o["sign"] * (level - start) >= 0
                happens = o["sign"] * (level - end) > 0  # through, not touched; READING: cap or no cap
                rank = 3 if o["reduce_only"] else 5  # READING: like targets, by acceptance
            elif o["type"] in TRIGGERS and not o["triggered"]:
                level, passed = o["trigger_price"], self._reached(o, start)
                happens = passed or self._reached(o, end)
                rank = (2 if o["type"] in STOPS else 3) if o["reduce_only"] else 5
            else:
                continue
            if happens:
                way = Fraction(0) if passed else Fraction(level - start, end - start)
                yield way, rank, o["id"], start if passed else level, o
