"""What must a strategy be able to say, and what may it see?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.instrument import Instrument
from bitnerve.domain.units import parse_decimal, rate_units

Floats = npt.NDArray[np.float64]


class BadParameter(Refusal):
    """A strategy parameter that does not exist or cannot take the value."""

    code = "BAD_PARAMETER"


@dataclass(frozen=True, slots=True)
class History:
    """The market up to an instant as signals see it: floats, `[bar, symbol]`, NaN where there was no trade."""

    symbols: tuple[str, ...]
    bitcoin: int
    """The column of the symbol that is the signal, -1 when it is not in the market."""
    first_bar: int
    """The number of the first bar since the epoch: its open time ÷ interval."""
    interval_ms: int
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    turnover: Floats
    """Volume in the quote asset."""
    since: int = 0
    """The first bar whose signals are asked for. Those of the bars before may be left out: they are history only."""


class View(Protocol):
    """What one agent may see at one tick; everything in integer units."""

    @property
    def at(self) -> int:
        """The instant of the tick, in milliseconds."""
        ...

    @property
    def bar(self) -> int:
        """Bars before this one are closed and known; this one is the next to open."""
        ...

    @property
    def symbols(self) -> tuple[str, ...]: ...

    @property
    def instruments(self) -> tuple[Instrument, ...]: ...

    @property
    def seed(self) -> int:
        """The season's seed; with the agent's name and the tick it keys every random number."""
        ...

    @property
    def agent(self) -> str: ...

    @property
    def equity(self) -> int: ...

    @property
    def cash(self) -> int: ...

    def mark(self, column: int) -> int:
        """Return the mark price of a symbol, 0 before its first bar."""
        ...

    def quantity(self, column: int) -> int:
        """Return the position in lots, below zero for a short."""
        ...

    def has_orders(self, column: int) -> bool:
        """Return whether an order that may open or add still works for a symbol."""
        ...

    @property
    def pending(self) -> tuple[int, ...]:
        """The columns of the symbols for which an order that may open or add still works."""
        ...

    @property
    def held(self) -> tuple[int, ...]:
        """The columns of the symbols with an open position."""
        ...


class Strategy:
    """A brain of pure maths. Subclass it, name it, list its parameters, and the catalog finds it.

    A strategy keeps nothing between ticks: what it decides follows from the signals and from what it sees of its
    account, so a lost worker loses nothing and a replay repeats it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    defaults: ClassVar[Mapping[str, str]] = {}
    """Parameters with their defaults, as decimal text; the values are exact and become part of the version."""

    def __init__(self, parameters: Mapping[str, str] | None = None) -> None:
        given = dict(parameters or {})
        unknown = sorted(given.keys() - self.defaults.keys())
        if unknown:
            raise BadParameter(f"{self.name}: no parameter {unknown[0]!r}; it has {', '.join(self.defaults) or 'none'}")
        self.parameters: dict[str, str] = {**self.defaults, **given}
        exact = {key: parse_decimal(text, field=f"{self.name}.{key}") for key, text in self.parameters.items()}
        self.rates: dict[str, int] = {
            key: rate_units(value, field=f"{self.name}.{key}") for key, value in exact.items() if value <= 100
        }
        """The parameters in rate units, for what becomes an order."""
        self.numbers: dict[str, float] = {key: float(value) for key, value in exact.items()}
        """The parameters as floats, for comparing signals."""
        self.counts: dict[str, int] = {key: int(value) for key, value in exact.items()}
        """The parameters as whole numbers."""

    @property
    def signals_key(self) -> tuple[Any, ...]:
        """Whatever the signals depend on: agents with equal keys share one computation."""
        return (type(self), tuple(sorted(self.parameters.items())))

    def universe(self, symbols: Sequence[str]) -> frozenset[str] | None:
        """Return the symbols that may be traded, None for all; the governor refuses the strategy any other."""
        return None

    def signals(self, history: History) -> Any:
        """Compute everything that depends on the market alone, for all bars at once; row i may use bars ≤ i only."""
        return None

    def decide(self, view: View, signals: Any) -> Decision:
        """Return what to do at this tick. `signals` is what `signals` returned; use rows below `view.bar`."""
        raise NotImplementedError
