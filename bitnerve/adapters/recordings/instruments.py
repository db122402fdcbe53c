"""Which instruments do the bars belong to, by the venue's files or else by the bars themselves?"""

from __future__ import annotations

from collections.abc import Sequence

from bitnerve.adapters.recordings.bars import Bars
from bitnerve.adapters.recordings.filters import infer_filters, read_filters
from bitnerve.adapters.recordings.inputs import require_symbols
from bitnerve.adapters.recordings.parquet import Input, read_rows
from bitnerve.adapters.recordings.tiers import CONSERVATIVE_TIERS, names_by_symbol, read_tiers
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.instrument import Instrument, Tier, make_instrument


class UnfitGrid(Refusal):
    """Grids and minimums of a filters file that the units cannot hold."""

    code = "UNFIT_GRID"


def make_instruments(bars: Sequence[Bars], *, filters: Input | None, tiers: Input | None) -> tuple[Instrument, ...]:
    """Return the instrument of each symbol; raise where a given file lacks one: no default fills in silently.

    Without a file the bars' own decimal steps, or one conservative tier, stand in, and the instrument is
    marked as inferred.
    """
    symbols = [one.symbol for one in bars]
    margin = _tiers_of(symbols, tiers) if tiers else dict.fromkeys(symbols, CONSERVATIVE_TIERS)
    inferred = filters is None or tiers is None
    if filters is None:
        return tuple(
            make_instrument(symbol=one.symbol, tiers=margin[one.symbol], inferred=inferred, **infer_filters(one))
            for one in bars
        )
    require_symbols(symbols, filters.symbols, where=filters.name)
    described = {}
    for rows in read_rows(filters, symbols=symbols):
        grids = read_filters(filters, rows)
        try:
            described[rows.symbol] = make_instrument(
                symbol=rows.symbol, tiers=margin[rows.symbol], inferred=inferred, **grids
            )
        except Refusal as refusal:
            raise UnfitGrid(f"{rows.place(0)}: {refusal}", file=rows.file, symbol=rows.symbol) from refusal
    return tuple(described[symbol] for symbol in symbols)


def _tiers_of(symbols: Sequence[str], tiers: Input) -> dict[str, tuple[Tier, ...]]:
    names = names_by_symbol(tiers.symbols)
    require_symbols(symbols, list(names), where=tiers.name)
    ours = {names[symbol]: symbol for symbol in symbols}
    return {ours[rows.symbol]: read_tiers(rows) for rows in read_rows(tiers, symbols=ours)}
