"""Which symbols are wanted, and do the files that were named belong together?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import TypeVar

from bitnerve.adapters.recordings.bars import Bars
from bitnerve.adapters.recordings.candles import Timeline
from bitnerve.adapters.recordings.parquet import Input, read_rows
from bitnerve.adapters.recordings.rows import Rows
from bitnerve.domain.errors import Refusal
from bitnerve.domain.timeframe import instant_text

_SHOWN = 20

Part = TypeVar("Part", Bars, Rows)


class NothingToLoad(Refusal):
    """No candle file, or no symbol, was named."""

    code = "NOTHING_TO_LOAD"


class UnknownSymbol(Refusal):
    """A symbol that a file does not know."""

    code = "UNKNOWN_SYMBOL"


class NothingWanted(Refusal):
    """A candle file that holds none of the symbols asked for."""

    code = "NOTHING_WANTED"


class DuplicateSymbol(Refusal):
    """A symbol that two files of one role hold."""

    code = "DUPLICATE_SYMBOL"


class WithoutCandles(Refusal):
    """A file of funding or mark prices that shares no symbol, or no time, with the candles."""

    code = "WITHOUT_CANDLES"


def choose_symbols(opened: Sequence[Input], symbols: Sequence[str] | None) -> list[str]:
    """Return the wanted symbols in column order (by name), or raise for what the candle files cannot give."""
    if not opened:
        raise NothingToLoad("candles: at least one file is needed")
    if symbols is not None and not symbols:
        raise NothingToLoad("symbols: name at least one, or leave them out to load all")
    known = sorted({symbol for one in opened for symbol in one.symbols})
    wanted = sorted(set(known if symbols is None else symbols))
    require_symbols(wanted, known, where=", ".join(sorted(one.name for one in opened)))
    for one in opened:
        if not set(wanted) & set(one.symbols):
            raise NothingWanted(f"{one.name}: holds none of {_listed(wanted)}", file=one.name, symbols=wanted)
    return wanted


def require_symbols(wanted: Iterable[str], known: Sequence[str], *, where: str) -> None:
    """Raise `UnknownSymbol` for the first symbol that is not known, naming the nearest and what there is."""
    for symbol in wanted:
        if symbol not in known:
            nearest = get_close_matches(symbol, known, n=3)
            hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
            raise UnknownSymbol(
                f"{where}: has no {symbol!r}{hint}; there are {_listed(sorted(known))}",
                symbol=symbol,
                nearest=nearest,
            )


def read_symbols(opened: Iterable[Input], wanted: Sequence[str], check: Callable[[Rows], Part]) -> dict[str, Part]:
    """Return what `check` makes of the rows of every wanted symbol, each of which one file alone may hold."""
    holders: dict[str, str] = {}
    found: dict[str, Part] = {}
    for one in opened:
        for symbol in sorted(set(one.symbols) & set(wanted)):
            if symbol in holders:
                files = " and ".join(sorted((holders[symbol], one.name)))
                raise DuplicateSymbol(f"{files}: both hold {symbol}; one file alone may", symbol=symbol)
            holders[symbol] = one.name
        found |= {rows.symbol: check(rows) for rows in read_rows(one, symbols=wanted)}
    return found


def read_companions(
    opened: Sequence[Input], wanted: Sequence[str], timeline: Timeline, check: Callable[[Rows], Part]
) -> dict[str, Part]:
    """Return the same of files that go with candles; raise for one without any of their symbols or times."""
    for one in opened:
        if not set(wanted) & set(one.symbols):
            theirs, ours = _listed(sorted(one.symbols)), _listed(wanted)
            raise WithoutCandles(f"{one.name}: holds {theirs}, the candles hold {ours}", file=one.name)
    found = read_symbols(opened, wanted, check)
    for one in opened:
        parts = [found[symbol] for symbol in one.symbols if symbol in wanted]
        if not any(((part.at >= timeline.start_at) & (part.at <= timeline.until)).any() for part in parts):
            first, last = min(int(part.at[0]) for part in parts), max(int(part.at[-1]) for part in parts)
            raise WithoutCandles(
                f"{one.name}: holds {instant_text(first)} to {instant_text(last)}, "
                f"the candles {instant_text(timeline.start_at)} to {instant_text(timeline.until)}",
                file=one.name,
            )
    return found


def _listed(symbols: Sequence[str]) -> str:
    more = f" and {len(symbols) - _SHOWN} more" if len(symbols) > _SHOWN else ""
    return ", ".join(symbols[:_SHOWN]) + more
