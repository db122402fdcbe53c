"""Run agents over recorded markets, and keep what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitnerve.engine.plot import draw_race

from bitnerve.adapters.exports import check_target, write_books
from bitnerve.adapters.recordings import load_recording
from bitnerve.domain.ledger.tables import Books
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.strategies.catalog import choose_agents
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import Progress, choose_window, replay
from bitnerve.engine.run import Run


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """A replay as it is asked for; instants in milliseconds, capital in money units."""

    candles: Sequence[Path]
    funding: Sequence[Path]
    mark: Sequence[Path]
    tiers: Path | None
    filters: Path | None
    symbols: Sequence[str] | None
    start_at: int | None
    until: int | None
    agents: str
    capital: int
    tick_ms: int
    seed: int
    export: Path | None
    plot: Path | None


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A replay and its books."""

    run: Run
    books: Books


def open_market(request: ReplayRequest) -> Recording:
    """Check everything about a request that can be checked at once, and return its market."""
    choose_agents(request.agents)
    if request.export:
        check_target(request.export)
    recording = load_recording(
        candles=request.candles,
        funding=request.funding,
        mark=request.mark,
        tiers=request.tiers,
        filters=request.filters,
        symbols=request.symbols,
    )
    choose_window(recording, tick_ms=request.tick_ms, start_at=request.start_at, until=request.until)
    return recording


def run_replay(
    *, request: ReplayRequest, recording: Recording, progress: Progress, report: Callable[[str], None]
) -> ReplayResult:
    """Replay, make the books, and write what was asked for; `report` is told each step."""
    run = replay(
        recording=recording,
        agents=choose_agents(request.agents),
        capital=request.capital,
        tick_ms=request.tick_ms,
        start_at=request.start_at,
        until=request.until,
        seed=request.seed,
        progress=progress,
    )
    report("making the books")
    books = make_books(run=run)
    if request.plot:
        report(f"drawing {request.plot.name}")
        request.plot.write_text(draw_race(run), encoding="utf-8")
    if request.export:
        write_books(books=books, folder=request.export, report=lambda name: report(f"writing {name}"))
    return ReplayResult(run=run, books=books)
