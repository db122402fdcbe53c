"""What does the chart of a finished run show: which lines, in which order, and in what words?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bitnerve.domain.market.instrument import bitcoin_column
from bitnerve.domain.metrics.drawdown import drawdown_series
from bitnerve.domain.metrics.returns import Floats, Money, total_return
from bitnerve.domain.strategies.benchmarks import BuyAndHold, Cash, EqualWeight, RandomTrader
from bitnerve.domain.timeframe import interval_text
from bitnerve.domain.trading import marking
from bitnerve.domain.units import SCALE
from bitnerve.engine.run import AgentCard, Run
from bitnerve.engine.scales import money_text, percent_text, span_text

FEATURED_MAX = 12
"""How many lines bear a name; the others are drawn faint."""

BENCHMARKS = tuple(kind.name for kind in (BuyAndHold, EqualWeight, Cash, RandomTrader))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the race: account value and drawdown over time, NaN where it is not known."""

    name: str
    benchmark: bool
    hold: bool
    """Whether it shows what buying and holding Bitcoin is worth."""
    order: int
    """Where it stands among the competitors, or the benchmarks, that bear a name: what its look depends on."""
    worth: Floats
    drawdown: Floats
    final: float
    gain: float
    """Total return per one; NaN where it is not known."""

    @property
    def worst(self) -> float:
        """The deepest drawdown per one, NaN where none is known."""
        return float(np.nanmax(self.drawdown)) if np.isfinite(self.drawdown).any() else math.nan

    @property
    def standing(self) -> str:
        """The final value and return as text."""
        return f"{money_text(self.final)} ({percent_text(self.gain)})"


@dataclass(frozen=True, slots=True)
class Race:
    """What there is to draw."""

    title: str
    symbols: tuple[str, ...]
    terms: str
    """How long a tick is and what everybody started with."""
    summary: str
    note: str
    """Who is not named; empty when everybody is."""
    description: str
    """The standings in words, for whoever cannot see the lines."""
    start_at: int
    until: int
    shares: Floats
    """Where each point stands between start and end, 0..1."""
    capital: float
    featured: tuple[Line, ...]
    """Best first."""
    faint: tuple[Floats, ...]


def read_race(run: Run) -> Race:
    """Return what the chart of a run shows.

    The best twelve are named; what holding Bitcoin is worth takes the last of these places when it did not earn one.
    Where no agent buys and holds, Bitcoin's marks stand in.
    """
    equity = run.marks.equity[..., marking.EQUITY]
    scores = [_last_known(equity[:, a]) for a in range(len(run.agents))]
    holders = [a for a, card in enumerate(run.agents) if _holds(run, card)]
    bitcoin = None if holders else _hold_bitcoin(run)
    ranked = sorted(range(len(run.agents)), key=lambda a: (-scores[a], run.agents[a].name))
    places = FEATURED_MAX - (bitcoin is not None)
    named = ranked[:places]
    if holders and not set(holders) & set(named):
        named = [*ranked[: places - 1], next(a for a in ranked if a in holders)]
    lines = [_line(run, a, equity[:, a]) for a in named]
    if bitcoin is not None:
        lines.append(bitcoin)
    featured = _dress(sorted(lines, key=lambda line: -line.final if math.isfinite(line.final) else math.inf))
    rivals = [scores[a] for a in ranked if run.agents[a].strategy not in BENCHMARKS]
    summary = _summarize(featured, level=rivals.count(max(rivals, default=0.0)))
    return Race(
        title=f"{_count(len(run.agents), 'agent')} on {_some(run.symbols)}, {span_text(*_span(run))}",
        symbols=run.symbols,
        terms=f"{interval_text(run.tick_ms)} ticks · {money_text(run.capital / SCALE)} each at the start · UTC",
        summary=summary,
        note=f"{len(named)} of {len(ranked)} named, others faint" if len(named) < len(ranked) else "",
        description=" ".join([summary, *_standings(featured)]),
        start_at=_span(run)[0],
        until=_span(run)[1],
        shares=_shares(run),
        capital=run.capital / SCALE,
        featured=featured,
        faint=tuple(_money(equity[:, a]) for a in reversed(ranked) if a not in named),
    )


def _span(run: Run) -> tuple[int, int]:
    return (int(run.ticks[0]), int(run.ticks[-1])) if run.ticks.size else (0, 0)


def _shares(run: Run) -> Floats:
    start_at, until = _span(run)
    if until <= start_at:
        return np.full(run.ticks.shape, 0.5)
    return np.asarray((run.ticks - start_at) / (until - start_at), dtype=np.float64)


def _money(column: Money) -> Floats:
    """Return money units as amounts, NaN where there is none."""
    return np.asarray(np.asarray(column).astype(np.float64) / SCALE)


def _last_known(column: Money) -> float:
    known = _money(column)
    known = known[np.isfinite(known)]
    return float(known[-1]) if known.size else -math.inf


def _line(run: Run, a: int, column: Money) -> Line:
    card = run.agents[a]
    return _make_line(card.name, column, benchmark=card.strategy in BENCHMARKS, hold=_holds(run, card))


def _holds(run: Run, card: AgentCard) -> bool:
    return card.strategy == BuyAndHold.name and _bitcoin(run) is not None


def _bitcoin(run: Run) -> int | None:
    column = bitcoin_column(run.symbols)
    return None if column < 0 else column


def _make_line(name: str, column: Money, *, benchmark: bool, hold: bool) -> Line:
    worth = _money(column)
    known = np.isfinite(worth)
    drawdown = np.full(worth.shape, np.nan)
    drawdown[known] = drawdown_series(column[known])
    return Line(
        name=name,
        benchmark=benchmark,
        hold=hold,
        order=0,
        worth=worth,
        drawdown=drawdown,
        final=float(worth[known][-1]) if known.any() else math.nan,
        gain=total_return(column[known]),
    )


def _hold_bitcoin(run: Run) -> Line | None:
    """Return what the start capital would be worth in Bitcoin, or None where Bitcoin has no price."""
    column = _bitcoin(run)
    if column is None:
        return None
    candles = run.recording.candles
    prices = run.recording.mark[(run.ticks - candles.start_at) // candles.interval_ms, column].astype(np.float64)
    prices[prices <= 0] = np.nan
    known = prices[np.isfinite(prices)]
    if not known.size:
        return None
    return _make_line(f"hold {run.symbols[column]}", prices / known[0] * run.capital, benchmark=True, hold=True)


def _dress(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines with the number of their look: by name, so that it does not change with the winner."""
    by_name = sorted(range(len(lines)), key=lambda number: lines[number].name)
    orders = {
        number: order
        for group in (False, True)
        for order, number in enumerate(number for number in by_name if lines[number].benchmark == group)
    }
    return tuple(replace(line, order=orders[number]) for number, line in enumerate(lines))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _some(symbols: Sequence[str]) -> str:
    if len(symbols) > 3:
        return _count(len(symbols), "market")
    return " and ".join([", ".join(symbols[:-1])] * (len(symbols) > 1) + list(symbols[-1:])) or "no market"


def _standings(lines: Sequence[Line]) -> Iterator[str]:
    for rank, line in enumerate(lines, start=1):
        yield f"{rank}. {line.name}: {line.standing}, worst drawdown {percent_text(line.worst, signed=False)}."


def _summarize(lines: Sequence[Line], *, level: int) -> str:
    """Return one sentence: who leads, and how far from buying and holding Bitcoin.

    `level` is how many competitors share the best result, with or without a name.
    """
    known = [line for line in lines if math.isfinite(line.final)]
    if not known:
        return "No account value is known."
    hold = next((line for line in known if line.hold), None)
    rivals = [line for line in known if not line.benchmark]
    best = (rivals or known)[0]
    who, verb = best.name, "s"
    if rivals and level > 1:
        pair = level == 2 and len(rivals) > 1
        who, verb = f"{best.name} and {rivals[1].name}" if pair else f"{level} agents together", ""
    if known[0].final > best.final:
        lead = f"{known[0].name} ({percent_text(known[0].gain)}) beats every competitor; the best, {who}, end{verb}"
    elif len(rivals) == 1:
        lead = f"{who} end{verb}"
    else:
        lead = f"{who} lead{verb}"
    return f"{lead} with {best.standing}{_against(best, hold, said=known[0] is hold)}."


def _against(best: Line, hold: Line | None, *, said: bool) -> str:
    if hold is None or best is hold or not math.isfinite(best.gain - hold.gain):
        return ""
    distance = 100 * (best.gain - hold.gain)
    bitcoin = "it" if said else f"holding Bitcoin ({percent_text(hold.gain)})"
    if abs(distance) < 0.005:
        return f", level with {bitcoin}"
    side = "ahead of" if distance > 0 else "behind"
    return f", {abs(distance):.2f} percentage points {side} {bitcoin}"
