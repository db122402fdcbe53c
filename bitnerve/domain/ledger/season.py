"""What does `season.json` say, in units: the rules, instruments and agents that a checker recomputes with?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.instrument import Instrument, make_instrument, make_tier
from bitnerve.domain.timeframe import SECOND_MS
from bitnerve.domain.units import DECIMALS, EXACT, SCALE, as_decimal, money_units, parse_recorded, rate_units


class ForeignSeason(Refusal):
    """A season document that lacks something or holds it in another form."""

    code = "FOREIGN_SEASON"


@dataclass(frozen=True, slots=True)
class Season:
    """The parts of `season.json` that the books must agree with; money and rates in units, times in milliseconds."""

    capital: int
    asset: str
    tick_ms: int
    bar_ms: int
    half_spread_rate: int
    liquidation_fee_rate: int
    instruments: tuple[Instrument, ...]
    agents: tuple[str, ...]
    seed: int
    books_sha256: str
    name: str
    """The season's name in the names of its accounts."""
    with_quotes: bool
    """Whether orders filled on quotes: at the touch, at any instant, accepted when the decision arrived."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in column order."""
        return tuple(instrument.symbol for instrument in self.instruments)

    @property
    def steps(self) -> list[int]:
        """Each symbol's lot in 10⁻⁸ of the base asset."""
        return [one.lot_numerator * (SCALE // one.lot_denominator) for one in self.instruments]


def parse_season(document: Mapping[str, Any]) -> Season:
    """Return the season that a document describes, or raise a `Refusal` that names what does not fit."""
    root = _Part(document, "season.json")
    rules = root.part("rules")
    agents = tuple(agent.text("name") for agent in root.parts("agents"))
    if not agents or list(agents) != sorted(set(agents)):
        raise ForeignSeason(f"season.json: agents {list(agents)} are not sorted and distinct")
    instruments = tuple(_instrument(part) for part in root.parts("instruments"))
    symbols = [instrument.symbol for instrument in instruments]
    if symbols != sorted(set(symbols)):
        raise ForeignSeason("season.json: instruments are not sorted by symbol and distinct")
    return Season(
        capital=money_units(rules.number("capital"), field="season.json: rules.capital"),
        asset=rules.text("asset"),
        tick_ms=rules.count("tick") * SECOND_MS,
        bar_ms=rules.count("bar") * SECOND_MS,
        half_spread_rate=rate_units(rules.number("half_spread_rate"), field="season.json: rules.half_spread_rate"),
        liquidation_fee_rate=rate_units(
            rules.number("liquidation_fee_rate"), field="season.json: rules.liquidation_fee_rate"
        ),
        instruments=instruments,
        agents=agents,
        seed=root.count("seed", least=-(2**63)),
        books_sha256=root.text("books_sha256"),
        name=root.text("season") if "season" in document else "replay",
        with_quotes="quote_every" in rules.values and rules.count("quote_every", least=0) > 0,
    )


def _instrument(part: _Part) -> Instrument:
    return make_instrument(
        symbol=part.text("symbol"),
        tick_size=part.number("tick_size"),
        lot_size=part.number("lot_size"),
        min_quantity=part.number("min_quantity"),
        min_notional=part.number("min_notional"),
        maker_fee_rate=part.number("maker_fee_rate"),
        taker_fee_rate=part.number("taker_fee_rate"),
        tiers=[
            make_tier(
                notional_until=None if tier.value("notional_until") is None else tier.number("notional_until"),
                maintenance_rate=tier.number("maintenance_rate"),
                deduction=tier.number("deduction"),
                leverage_max=tier.count("leverage_max"),
                field=tier.path,
            )
            for tier in part.parts("tiers")
        ],
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """An object inside the document, which knows where it stands."""

    values: Mapping[str, Any]
    path: str

    def value(self, key: str) -> Any:
        if key not in self.values:
            raise ForeignSeason(f"{self.path}: {key} is missing", field=key)
        return self.values[key]

    def text(self, key: str) -> str:
        value = self.value(key)
        if not isinstance(value, str) or not value:
            raise ForeignSeason(f"{self.path}: {key} is {value!r}, not text", field=key)
        return value

    def number(self, key: str) -> Decimal:
        number = parse_recorded(self.text(key), field=f"{self.path}: {key}")
        if abs(number) > 10**18 or EXACT.quantize(number, as_decimal(1, DECIMALS)) != number:
            raise ForeignSeason(f"{self.path}: {key} is {number}, too large or finer than 10^-{DECIMALS}", field=key)
        return number

    def count(self, key: str, *, least: int = 1) -> int:
        value = self.value(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ForeignSeason(f"{self.path}: {key} is {value!r}, not a whole number from {least} on", field=key)
        return value

    def part(self, key: str) -> _Part:
        value = self.value(key)
        if not isinstance(value, Mapping):
            raise ForeignSeason(f"{self.path}: {key} is not an object", field=key)
        return _Part(value, f"{self.path}: {key}")

    def parts(self, key: str) -> list[_Part]:
        value = self.value(key)
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise ForeignSeason(f"{self.path}: {key} is not a list of objects", field=key)
        return [_Part(one, f"{self.path}: {key}[{number}]") for number, one in enumerate(value)]
