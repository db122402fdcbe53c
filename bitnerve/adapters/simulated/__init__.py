"""The simulated market: `simulate` its recording, `quotes` the seconds of a bar, `SYMBOLS` its names."""

from bitnerve.adapters.simulated.market import BadMarket, simulate
from bitnerve.adapters.simulated.names import SYMBOLS, UnknownSymbol
from bitnerve.adapters.simulated.seconds import Quotes, UnknownBar, quotes

__all__ = ["SYMBOLS", "BadMarket", "Quotes", "UnknownBar", "UnknownSymbol", "quotes", "simulate"]
