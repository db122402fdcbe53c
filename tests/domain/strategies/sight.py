"""A sight of the world that a test makes up: what an agent would see, without a world behind it."""

from dataclasses import dataclass, field

from bitnerve.domain.units import SCALE
from tests.domain.risk.bench import instrument


@dataclass
class Sight:
    """Satisfies `strategies.base.View`; every symbol has 1000 lots a coin and stands at 100."""

    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
    marks: dict[str, int] = field(default_factory=dict)
    """Coins."""
    positions: dict[str, int] = field(default_factory=dict)
    """Lots."""
    working: set[str] = field(default_factory=set)
    at: int = 0
    bar: int = 1
    seed: int = 7
    agent: str = "ada"
    equity: int = 10_000 * SCALE
    cash: int = 10_000 * SCALE

    @property
    def instruments(self):
        return tuple(instrument(symbol) for symbol in self.symbols)

    def mark(self, column):
        return round(self.marks.get(self.symbols[column], 100) * SCALE)

    def quantity(self, column):
        return self.positions.get(self.symbols[column], 0)

    def has_orders(self, column):
        return column in self.pending

    @property
    def pending(self):
        return tuple(column for column, symbol in enumerate(self.symbols) if symbol in self.working)

    @property
    def held(self):
        return tuple(column for column in range(len(self.symbols)) if self.quantity(column))
