"""Who stands where at the end of a season? Made from its books alone, so that anybody can make it again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.ledger.season import parse_season
from bitnerve.domain.ledger.tables import Books, Column, Table
from bitnerve.domain.metrics.standing import Standing, make_standing, rank_standings
from bitnerve.domain.metrics.trades import Fills, FundingPayments
from bitnerve.domain.units import checked_sum, decimal_text, parse_recorded, price_units

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_AGREEMENT = 1e-12


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What one might have held instead: a symbol and its marks, in price units, at the first and the last row."""

    symbol: str
    first_price: int
    last_price: int


def make_leaderboard(
    *, tables: Mapping[str, Table], agents: Sequence[str], step_ms: int, benchmark: Benchmark | None
) -> dict[str, Any]:
    """Return what `leaderboard.json` holds: standings, best first.

    Money is text, ratios are numbers per one, and what cannot be known is null. `fees` include those of
    liquidations, which stand once more beside them.
    """
    charges = {agent: _liquidation_fees(tables["postings"], agent) for agent in agents}
    standings = rank_standings(
        _standing(tables=tables, agent=agent, charges=charges[agent], step_ms=step_ms, benchmark=benchmark)
        for agent in agents
    )
    return {
        "benchmark": None if benchmark is None else _benchmark_document(benchmark),
        "standings": [
            _document(rank, standing, checked_sum(charges[standing.name].values()))
            for rank, standing in enumerate(standings, start=1)
        ],
    }


def _benchmark_document(benchmark: Benchmark) -> dict[str, str]:
    return {
        "symbol": benchmark.symbol,
        "first_price": decimal_text(benchmark.first_price),
        "last_price": decimal_text(benchmark.last_price),
    }


def _document(rank: int, standing: Standing, liquidation_fees: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "agent": standing.name,
        "equity": decimal_text(standing.equity_units),
        "total_return": _known(standing.return_ratio),
        "benchmark_return": _known(standing.benchmark_return_ratio),
        "excess_return": _known(standing.excess_return_ratio),
        "drawdown_max": _known(standing.drawdown_max),
        "sharpe": _known(standing.sharpe),
        "volatility": _known(standing.volatility),
        "trades": standing.trade_count,
        "win_rate": _known(standing.win_ratio),
        "profit_factor": _known(standing.profit_factor),
        "realized_pnl": decimal_text(standing.realized_pnl_units),
        "fees": decimal_text(standing.fee_units),
        "liquidation_fees": decimal_text(liquidation_fees),
        "funding": decimal_text(standing.funding_units),
        "liquidations": standing.liquidation_count,
    }


def _known(ratio: float) -> float | None:
    return ratio if math.isfinite(ratio) else None


def _is(column: Column, word: str) -> Flags:
    """Return the rows whose text is `word`."""
    codes = [code for code, known in enumerate(column.words) if known == word]
    return np.isin(column.values, codes)


def _liquidation_fees(postings: Table, agent: str) -> dict[str, int]:
    """Return what each liquidation of an agent was charged, by the id of its fill."""
    rows = _is(postings["kind"], "LIQUIDATION_FEE") & _is(postings["account"], f"cash:{agent}")
    source = postings["source_id"]
    return {
        source.words[code]: -amount
        for code, amount in zip(source.values[rows].tolist(), postings["amount"].values[rows].tolist(), strict=True)
    }


def _standing(
    *, tables: Mapping[str, Table], agent: str, charges: Mapping[str, int], step_ms: int, benchmark: Benchmark | None
) -> Standing:
    fills, funding, equity = tables["fills"], tables["funding"], tables["equity"]
    own, paid, points = (_is(table["agent"], agent) for table in (fills, funding, equity))
    fill_id = fills["fill_id"]
    charged = [charges.get(fill_id.words[code], 0) for code in fill_id.values[own].tolist()]
    sold = _is(fills["side"], "SELL")[own]
    # Trades count what goes in and out, so steps of 10⁻⁸ do as well as lots, and the steps of a symbol are all alike.
    lots = fills["quantity"].values[own]
    return make_standing(
        name=agent,
        equity=equity["equity"].values[points],
        step_ms=step_ms,
        fills=Fills(
            sequence=fills["sequence"].values[own],
            symbol=fills["symbol"].values[own],
            lots=np.where(sold, -lots, lots),
            realized_pnl=fills["realized_pnl"].values[own],
            fee=fills["fee"].values[own] + np.array(charged, dtype=np.int64),
            liquidation=_is(fills["reason"], "LIQUIDATION")[own],
        ),
        funding=FundingPayments(
            sequence=funding["sequence"].values[paid],
            symbol=_recode(funding["symbol"], fills["symbol"])[paid],
            amount=np.where(_present(funding["amount"]), funding["amount"].values, 0)[paid],
        ),
        benchmark=None if benchmark is None else np.array([benchmark.first_price, benchmark.last_price]),
    )


def _present(column: Column) -> Flags:
    return np.ones(len(column), dtype=np.bool_) if column.present is None else column.present


def _recode(column: Column, like: Column) -> Integers:
    """Return a column's texts as indices into another column's words, new ones numbered after them."""
    known = {word: code for code, word in enumerate(like.words)}
    codes = [known.setdefault(word, len(known)) for word in column.words]
    return np.array(codes or [0], dtype=np.int64)[column.values]


def check_leaderboard(books: Books) -> None:
    """Make the leaderboard once more from the books; raise `BrokenBooks` for the first figure that differs.

    The benchmark's two prices are taken from the document, for the books need not hold its symbol.
    """
    season, document = parse_season(books.season), books.leaderboard
    wanted = make_leaderboard(
        tables=books.tables, agents=season.agents, step_ms=season.tick_ms, benchmark=_stored_benchmark(document)
    )
    for stored, made in zip(document["standings"], wanted["standings"], strict=True):
        for field in sorted({*stored, *made}):
            if field not in stored or field not in made or not _agree(stored[field], made[field]):
                raise BrokenBooks(
                    file="leaderboard.json",
                    where={"agent": str(stored.get("agent"))},
                    field=field,
                    stored=str(stored.get(field, "missing")),
                    recomputed=str(made.get(field, "missing")),
                )


def _stored_benchmark(document: Mapping[str, Any]) -> Benchmark | None:
    stored = document.get("benchmark")
    if stored is None:
        return None
    try:
        prices = [
            price_units(parse_recorded(stored[name], field=f"leaderboard.json: {name}"), field=name)
            for name in ("first_price", "last_price")
        ]
        return Benchmark(str(stored["symbol"]), *prices)
    except (KeyError, TypeError):
        raise BrokenBooks(
            file="leaderboard.json",
            where={},
            field="benchmark",
            stored=str(stored),
            recomputed="symbol, first_price and last_price, or null",
        ) from None


def _agree(stored: Any, made: Any) -> bool:
    """Return whether two figures agree: ratios to twelve digits, for the last bits are the machine's."""
    if isinstance(made, float) and isinstance(stored, (float, int, Decimal)) and not isinstance(stored, bool):
        return abs(float(stored) - made) <= _AGREEMENT * max(1.0, abs(made))
    return bool(stored == made)
