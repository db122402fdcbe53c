"""Between ticks: orders, protection and liquidation on quotes and books (section 5 of the rules)."""

from decimal import Decimal

import pytest

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market.instrument import instrument_arrays, make_instrument, make_tier
from bitnerve.domain.trading import account, events, offers, orders, positions, quotes
from bitnerve.domain.trading.acceptance import accept

UNIT = 10**8


class Floor:
    """One account on one symbol with a tick of 0.1 and lots of 1, fees of 2 and 5.5 bp."""

    def __init__(self, capital=10_000, tiers=(("0.01", 50),)):
        made = [
            make_tier(
                notional_until=None,
                maintenance_rate=Decimal(rate),
                deduction=Decimal(0),
                leverage_max=leverage,
                field="tier",
            )
            for rate, leverage in tiers
        ]
        instrument = make_instrument(
            symbol="AAA",
            tick_size=Decimal("0.1"),
            lot_size=Decimal(1),
            min_quantity=Decimal(1),
            min_notional=Decimal(1),
            tiers=made,
        )
        self.exchange = account.with_room(
            account.open_exchange(
                instruments=instrument_arrays([instrument]),
                rules=account.Rules(),
                account_count=1,
                capital=capital * UNIT,
                has_mark=False,
            ),
            orders=200,
            events=400,
            working=100,
        )
        self.touch = zeros(offers.TOUCH_ROWS, 1)
        self.step = 0
        self.quote("99.9", "100", size=1000)

    def quote(self, bid, ask, size=1000, mark=None, book=()):
        for row, value in ((offers.BID, bid), (offers.ASK, ask), (offers.MARK, mark or bid)):
            self.touch[row, 0] = int(Decimal(value) * UNIT)
        self.touch[offers.BID_LOTS, 0] = self.touch[offers.ASK_LOTS, 0] = size
        books = zeros(1, len(book), 4)
        for number, (bid_price, bid_lots, ask_price, ask_lots) in enumerate(book):
            books[0, number] = integers(
                [int(Decimal(bid_price) * UNIT), bid_lots, int(Decimal(ask_price) * UNIT), ask_lots]
            )
        self.step += 1
        before = int(self.exchange.cursors[account.EVENT_COUNT])
        quotes.play_quote(self.exchange, self.touch, books, 0, 0, self.step, self.step * 1000)
        rows = self.exchange.events[before : self.exchange.cursors[account.EVENT_COUNT]]
        return [
            (int(row[events.SIDE] * row[events.QUANTITY]), int(row[events.PRICE]) / UNIT, bool(row[events.MAKER]))
            for row in rows
            if row[events.KIND] == events.FILL
        ]

    def order(self, side, quantity, kind=orders.MARKET, **rest):
        row = int(self.exchange.cursors[account.ORDER_COUNT])
        order = self.exchange.orders[row]
        self.exchange.prices[account.LAST, 0] = self.touch[offers.BID, 0]
        self.exchange.prices[account.MARK, 0] = self.touch[offers.MARK, 0]
        values = {"SYMBOL": 0, "SIDE": side, "QUANTITY": quantity, "TYPE": kind, "PARENT": -1} | rest
        for name, value in values.items():
            order[getattr(orders, name)] = int(Decimal(value) * UNIT) if isinstance(value, str) else value
        code = accept(self.exchange, 0, row, zeros(2), self.step * 1000)
        assert code == orders.NONE, orders.CODES[code]
        return row

    def status(self, row):
        return orders.STATUSES[int(self.exchange.orders[row, orders.STATUS])]

    @property
    def held(self):
        return int(self.exchange.positions[0, 0, positions.QUANTITY])


def test_market_order_fills_on_the_next_quote_at_the_touch_plus_impact():
    floor = Floor()
    row = floor.order(1, 10)
    # 10 lots of 1,000 at the ask: impact 10 bp × √(10/1000) = 1 bp, 100.01 rounds up to the tick
    assert floor.quote("99.9", "100", size=1000) == [(10, 100.1, False)]
    assert floor.status(row) == "FILLED"
    assert floor.quote("99.9", "100") == []


def test_market_order_walks_the_book_level_by_level_and_the_rest_works_on():
    floor = Floor()
    row = floor.order(1, 30)
    book = [("99.9", 5, "100", 10), ("99.8", 5, "100.2", 15)]
    assert floor.quote("99.9", "100", book=book) == [(10, 100.0, False), (15, 100.2, False)]
    assert floor.status(row) == "ACKED"
    assert floor.quote("99.9", "100.3", book=[("99.9", 5, "100.3", 50)]) == [(5, 100.3, False)]
    assert (floor.status(row), floor.held) == ("FILLED", 30)


def test_order_left_by_twelve_books_expires():
    floor = Floor()
    row = floor.order(1, 100)
    for _ in range(12):
        floor.quote("99.9", "100", book=[("99.9", 1, "100", 1)])
    assert (floor.status(row), floor.held) == ("EXPIRED", 12)


def test_limit_takes_on_its_first_quote_and_rests_after():
    floor = Floor()
    taker = floor.order(1, 10, orders.LIMIT, LIMIT_PRICE="100")
    assert floor.quote("99.9", "100") == [(10, 100.0, False)]
    maker = floor.order(1, 10, orders.LIMIT, LIMIT_PRICE="99")
    assert floor.quote("99.5", "99.6") == []
    assert floor.quote("98.9", "99") == [], "touching is not enough"
    assert floor.quote("98.8", "98.9", size=4) == [(4, 99.0, True)], "no more than came through"
    assert floor.quote("98.8", "98.9", size=40) == [(6, 99.0, True)]
    assert [floor.status(row) for row in (taker, maker)] == ["FILLED", "FILLED"]


@pytest.mark.parametrize(("force", "status", "held"), [(orders.IOC, "EXPIRED", 10), (orders.FOK, "REJECTED", 0)])
def test_hasty_orders_do_not_wait_for_a_second_book(force, status, held):
    floor = Floor()
    row = floor.order(1, 30, TIME_IN_FORCE=force)
    floor.quote("99.9", "100", book=[("99.9", 10, "100", 10)])
    assert (floor.status(row), floor.held) == (status, held)


def test_stop_fires_at_the_first_quote_past_its_level_and_cancels_its_sibling():
    floor = Floor()
    floor.order(1, 10, STOP_LOSS="95", TAKE_PROFIT="110")
    floor.quote("99.9", "100")
    assert floor.quote("95.1", "95.2") == []
    # the gap is paid: 94 is the first price there is, and impact of 1 bp goes on top
    assert floor.quote("94", "94.1", size=1000) == [(-10, 93.9, False)]
    assert floor.held == 0
    assert floor.quote("111", "111.1") == []


def test_target_looks_at_the_bid():
    floor = Floor()
    floor.order(1, 10, TAKE_PROFIT="110")
    floor.quote("99.9", "100")
    assert floor.quote("109.9", "110.1") == []
    assert floor.quote("110", "110.1", size=10**9) == [(-10, 109.9, False)]


def test_liquidation_runs_on_every_quote_and_leaves_no_debt():
    floor = Floor(capital=1_000)
    floor.order(1, 300, LEVERAGE=50)
    floor.quote("99.9", "100", size=10**9)
    assert floor.held == 300
    assert floor.quote("97", "97.1", size=10**9)[0][0] == -300
    assert floor.held == 0
    assert int(floor.exchange.accounts[0, account.CASH]) >= 0
    floor = Floor(capital=1_000)
    floor.order(1, 300, LEVERAGE=50)
    floor.quote("99.9", "100", size=10**9)
    floor.quote("50", "50.1", size=10**9)
    assert int(floor.exchange.accounts[0, account.CASH]) == 0
    kinds = floor.exchange.events[: floor.exchange.cursors[account.EVENT_COUNT], events.KIND].tolist()
    assert kinds[-1] == events.SHORTFALL


def test_limit_takes_no_more_than_is_quoted():
    floor = Floor()
    row = floor.order(1, 10, orders.LIMIT, LIMIT_PRICE="100")
    assert floor.quote("99.9", "100", size=4) == [(4, 100.0, False)]
    assert floor.quote("99.9", "100", size=4) == [], "now it rests, and touching is not enough"
    assert floor.quote("99.8", "99.9", size=40) == [(6, 100.0, True)]
    assert floor.status(row) == "FILLED"


def test_what_one_order_has_taken_of_a_quote_is_not_there_for_the_next():
    book = [("99.9", 5, "100", 10), ("99.8", 5, "100.2", 15)]
    floor = Floor()
    rows = [floor.order(1, 8), floor.order(1, 8), floor.order(1, 8, TIME_IN_FORCE=orders.FOK), floor.order(1, 20)]
    # 25 are offered: the third, all or nothing, finds 9 left, and the fourth one
    fills = [(8, 100.0, False), (2, 100.0, False), (6, 100.2, False), (8, 100.2, False), (1, 100.2, False)]
    assert floor.quote("99.9", "100", book=book) == fills
    assert [floor.status(row) for row in rows] == ["FILLED", "FILLED", "FILLED", "ACKED"]

    floor = Floor()
    for limit in ("99.5", "99.5"):
        floor.order(1, 10, orders.LIMIT, LIMIT_PRICE=limit)
    floor.quote("99.9", "100")
    assert floor.quote("99.3", "99.4", size=14) == [(10, 99.5, True), (4, 99.5, True)]


def test_resting_limit_takes_all_levels_that_came_through_it():
    floor = Floor()
    floor.order(1, 30, orders.LIMIT, LIMIT_PRICE="99.5")
    floor.quote("99.9", "100")
    book = [("99.2", 5, "99.3", 4), ("99.1", 5, "99.4", 6), ("99", 5, "99.5", 50)]
    assert floor.quote("99.2", "99.3", size=4, book=book) == [(10, 99.5, True)]


def test_order_cut_by_margin_within_a_book_keeps_its_rest():
    floor = Floor(capital=1_000)
    row = floor.order(1, 9)
    # 8 at 100 leave 199.56 of 1,000 (marks of 99.9, a fee of 0.44): a ninth at 210 does not fit, but the order lives.
    assert floor.quote("99.9", "100", book=[("99.9", 5, "100", 8), ("99.8", 5, "210", 5)]) == [(8, 100.0, False)]
    assert floor.status(row) == "ACKED"
    assert floor.quote("99.9", "250", book=[("99.9", 5, "250", 8)]) == []
    assert floor.status(row) == "CANCELED"


def test_protection_walks_the_book_and_goes_beyond_it():
    floor = Floor()
    floor.order(1, 40, STOP_LOSS="95")
    floor.quote("99.9", "100", size=10**9)
    book = [("94", 10, "94.1", 5), ("93", 20, "94.2", 5)]
    # The last 10 pay impact on top of the last level: 10 bp × √(10·93 ÷ 30·93) = 5.8 bp, 92.946 rounds down to 92.9
    assert floor.quote("94", "94.1", book=book) == [(-10, 94.0, False), (-20, 93.0, False), (-10, 92.9, False)]
    assert floor.held == 0


def test_touch_of_no_lots_offers_nothing():
    floor = Floor(capital=1_000)
    row = floor.order(1, 300, LEVERAGE=50)
    assert floor.quote("99.9", "100", size=0) == []
    assert floor.status(row) == "ACKED"
    floor.quote("99.9", "100", size=10**9)
    assert floor.quote("50", "50.1", size=0) == [], "there is nobody to close the position with"
    assert floor.held == 300


@pytest.mark.parametrize(
    ("book", "price"),
    [
        ([("97", 100, "97.1", 5), ("96", 100, "97.2", 5), ("95", 100, "97.3", 5)], 96.0),
        ([("97", 100, "97.1", 5), ("96.9", 250, "97.2", 5)], 96.9),
        # 150 lie beyond: 96 less 10 bp is 95.904, 95.9 to the tick; (9,700 + 4,800 + 14,385) ÷ 300 = 96.28
        ([("97", 100, "97.1", 5), ("96", 50, "97.2", 5)], 96.2),
    ],
)
def test_liquidation_takes_the_book_level_by_level_in_one_fill(book, price):
    floor = Floor(capital=1_000)
    floor.order(1, 300, LEVERAGE=50)
    floor.quote("99.9", "100", size=10**12)
    # 300 at 100.1 and a fee of 16.515; at 97 the balance of 53.485 is less than the maintenance of 291
    assert floor.quote("97", "97.1", size=100, mark="97", book=book) == [(-300, price, False)]
    rows = floor.exchange.events[: floor.exchange.cursors[account.EVENT_COUNT]]
    fill = [row for row in rows if row[events.KIND] == events.FILL][-1]
    assert fill[events.BASE_PRICE] == 97 * UNIT
    assert int(floor.exchange.accounts[0, account.CASH]) == 0


def test_liquidation_finds_only_what_an_order_before_it_has_left():
    floor = Floor(capital=1_000)
    floor.order(1, 300, LEVERAGE=50)
    floor.quote("99.9", "100", size=10**12)
    floor.order(-1, 100, REDUCE_ONLY=1)
    book = [("97", 100, "97.1", 5), ("96", 200, "97.2", 5)]
    assert floor.quote("97", "97.1", size=100, mark="97", book=book) == [(-100, 97.0, False), (-200, 96.0, False)]
