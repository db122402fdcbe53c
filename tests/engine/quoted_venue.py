"""The trading kernels on quotes and books, behind the words of the reference model."""

from bitnerve.domain.kernel import zeros
from bitnerve.domain.trading import account, offers, quotes
from tests.engine.driver import Venue

DEPTH = 4
"""Levels of a book, at most."""
QUOTE_MS = 250
SIDES = (
    ("bids", offers.BID, offers.BID_LOTS, offers.LEVEL_BID),
    ("asks", offers.ASK, offers.ASK_LOTS, offers.LEVEL_ASK),
)


class QuotedVenue(Venue):
    """One account that meets quotes; an empty bar of each symbol settles funding."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.touch = zeros(offers.TOUCH_ROWS, len(self.symbols))
        self.books = zeros(len(self.symbols), DEPTH, 4)
        self.step = 0

    def quote(self, symbol, quote):
        """Play one quote, written as the reference model takes it."""
        column = self.column[symbol]
        self.touch[:, column] = 0
        self.books[column] = 0
        sides = (
            ("bids", offers.BID, offers.BID_LOTS, offers.LEVEL_BID),
            ("asks", offers.ASK, offers.ASK_LOTS, offers.LEVEL_ASK),
        )
        for side, price_row, lots_row, level_column in sides:
            for level, (price, lots) in enumerate(quote[side]):
                if level == 0:
                    self.touch[price_row, column] = price
                    self.touch[lots_row, column] = lots
                if quote["is_book"]:
                    self.books[column, level, level_column] = price
                    self.books[column, level, level_column + 1] = lots
        self.touch[offers.MARK, column] = quote["mark"]
        self.step += 1
        self.exchange = account.with_room(self.exchange, orders=1024, events=2048, working=512)
        quotes.play_quote(self.exchange, self.touch, self.books, 0, column, self.step, QUOTE_MS * self.step)

    def settle(self, funding):
        """Let funding fall due at the marks of the latest quotes."""
        self.bar({}, funding, {symbol: int(self.touch[offers.MARK, self.column[symbol]]) for symbol, _ in funding})

    def _stand(self, marks):
        """Acceptance looks at the bid as the last price."""
        for column in range(len(self.symbols)):
            bid = int(self.touch[offers.BID, column])
            self.exchange.prices[account.LAST, column] = bid or int(self.touch[offers.ASK, column])
            self.exchange.prices[account.MARK, column] = self.touch[offers.MARK, column]
