"""A small market for tests: one line per thing that happens, prices as decimal text."""

from fractions import Fraction

from tests.engine.driver import Venue

ONE = 10**8
FREE = {"half_spread_rate": 0, "impact_rate": 0}
FLAT_TIERS = [(None, "0.01", "0", 100)]
TIERS = [("20000", "0.005", "0", 100), ("100000", "0.01", "100", 50), (None, "0.025", "1600", 20)]
DEEP = 10**10


def units(text):
    amount = Fraction(text) * ONE
    assert amount.denominator == 1, text
    return int(amount)


def spec(symbol="A", **changes):
    base = {"symbol": symbol, "tick": "0.01", "lot": "0.001", "maker": "0", "taker": "0", "tiers": FLAT_TIERS}
    return base | changes


def open_venue(*specs, capital="10000", rules=None, has_mark=False):
    """A venue that has traded at 100 for one bar."""
    venue = Venue(list(specs) or [spec()], units(capital), FREE | (rules or {}), has_mark)
    venue.marks = {}
    play(venue, **dict.fromkeys(venue.symbols, "100"))
    return venue


def candle(prices, volume=DEEP):
    """A candle from `price` or `open high low close`."""
    cells = [units(price) for price in str(prices).split()]
    opened, high, low, close = cells * 4 if len(cells) == 1 else cells
    shape = {"open": opened, "high": high, "low": low, "close": close}
    return shape | {"volume": volume, "quote_volume": max(1, volume * close // 1000)}


def play(venue, volume=DEEP, funding=(), marks=None, mark_bars=None, **prices):
    """Play a bar, a keyword per symbol; return the fills it made."""
    before = len(venue.fills)
    candles = {symbol: candle(text, volume) for symbol, text in prices.items()}
    paths = {symbol: candle(text) for symbol, text in (mark_bars or {}).items()}
    for symbol, shape in candles.items():
        venue.marks[symbol] = paths.get(symbol, shape)["close"]
    venue.marks |= {symbol: units(text) for symbol, text in (marks or {}).items()}
    venue.bar(candles, list(funding), dict(venue.marks), paths)
    return venue.fills[before:]


def ask(venue, side, quantity, kind="MARKET", symbol="A", **rest):
    """Hand over one order and return its refusal code; prices may be text."""
    rest = {
        name: units(value) if isinstance(value, str) and value[0].isdigit() else value for name, value in rest.items()
    }
    order = {"symbol": symbol, "side": side, "type": kind, "quantity": quantity} | rest
    return venue.accept([order], venue.marks)[0]


def enter(venue, side, quantity, symbol="A", price="100", **rest):
    """Open a position at the next open and return its fills."""
    assert ask(venue, side, quantity, symbol=symbol, **rest) is None, venue.facts
    fills = play(venue, **dict.fromkeys(venue.symbols, price))
    assert sum(fill["quantity"] for fill in fills) == quantity, fills
    return fills


def equity(venue):
    """Cash plus unrealized PnL at the marks, by the venue's own marking."""
    venue.tick(venue.marks)
    return venue.equity_row[2]
