"""Run agents over recorded markets, and keep what came out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitnerve.adapters.exports import NotWritable, check_target, write_books
from bitnerve.adapters.recordings import load_recording
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.tables import Books
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.strategies.catalog import choose_agents
from bitnerve.domain.units import SCALE, decimal_text
from bitnerve.engine.export import make_books
from bitnerve.engine.plot import draw_race
from bitnerve.engine.replay import Progress, choose_window, replay
from bitnerve.engine.run import Run

CAPITAL_MAX = 10**9 * SCALE
"""A billion: money ends at ninety, and an account must be able to grow."""


class BadCapital(Refusal):
    """A capital that nobody could trade with."""

    code = "BAD_CAPITAL"


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
    if not 0 < request.capital <= CAPITAL_MAX:
        raise BadCapital(
            f"capital: {decimal_text(request.capital)} must be above 0 and at most {decimal_text(CAPITAL_MAX)}"
        )
    if request.export:
        check_target(request.export)
    if request.plot:
        _check_plot(request.plot)
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
    drawing = ""
    if request.plot:
        report(f"drawing {request.plot.name}")
        drawing = draw_race(run)
    if request.export:
        write_books(books=books, folder=request.export, report=lambda name: report(f"writing {name}"))
    if request.plot:
        _write_plot(request.plot, drawing)
    return ReplayResult(run=run, books=books)


def _check_plot(path: Path) -> None:
    """Raise `NotWritable` when a drawing could not be written there; worth asking before a run."""
    if path.is_dir():
        raise NotWritable(f"{path}: is a folder; name a file", file=str(path))
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _no_plot(path, error) from None


def _write_plot(path: Path, drawing: str) -> None:
    """Write a drawing whole or not at all: under another name first, which then takes the right one."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(drawing, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        raise _no_plot(path, error) from None
    finally:
        draft.unlink(missing_ok=True)


def _no_plot(path: Path, error: OSError) -> NotWritable:
    return NotWritable(f"{path}: cannot be written: {error.strerror or error}", file=str(path))
