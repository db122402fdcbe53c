"""Is a season what it says it is, if everything in it that follows from something else is made once more?

Market data give the snapshots; versions, points and decisions give the chains and the days' roots; the market and the
decisions, each handed in when it arrived, give every order, fill, payment, posting and point; the books are recomputed
by rules of their own, and the standings from the books.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import InvalidOperation
from functools import lru_cache
from typing import Any

import numpy as np

from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.errors import BrokenInvariant, Refusal
from bitnerve.domain.ledger.checker import Report, check_books
from bitnerve.domain.ledger.comparing import compare_tables
from bitnerve.domain.ledger.difference import BrokenBooks, demand, differ, expect, first
from bitnerve.domain.ledger.ledger import Ledger
from bitnerve.domain.ledger.proof import check_chains, check_roots, read_orders
from bitnerve.domain.ledger.season import ForeignSeason, Season, parse_season
from bitnerve.domain.ledger.tables import ROW_KEYS, SEASON_TABLES, TEXT, Books, Table, row_count
from bitnerve.domain.market.instrument import bitcoin_column
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent, list_strategies
from bitnerve.domain.timeframe import instant_text, parse_instant
from bitnerve.engine import season_rules
from bitnerve.engine.leaderboard import Benchmark, check_leaderboard, make_leaderboard
from bitnerve.engine.ports import Feed
from bitnerve.engine.replay import NO_ORDERS
from bitnerve.engine.rerun import Asked, Rerun, rerun
from bitnerve.engine.run import AgentCard, DecisionLog, Run
from bitnerve.engine.season_market import market_tables, read_market
from bitnerve.engine.season_tables import make_season_tables, marks_of
from bitnerve.engine.snapshots import begin_snapshots, snapshot_digest
from bitnerve.engine.tables import make_tables
from bitnerve.engine.wording import read_request

FORMAT = 1
"""The version of the file; whoever reads another one refuses."""
MISSED = "MISSED"
"""The verdict on a decision that did not come."""

Say = Callable[[str], None]
FeedOf = Callable[[dict[str, Any]], Feed | None]
"""Returns what regenerates a market from what `season.json` says of it, or None for one that was recorded."""


class UnknownFormat(Refusal):
    """A season file of another version, or none at all."""

    code = "UNKNOWN_FORMAT"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was made once more and found to be the same."""

    report: Report
    decisions: int
    ticks: int
    roots: int


@dataclass(frozen=True, slots=True)
class _Case:
    """A season under examination."""

    books: Books
    season: Season
    ledger: Ledger
    document: dict[str, Any]
    starts_at: int
    ends_at: int
    is_final: bool
    market_at: int
    bars: int


def check_format(document: dict[str, Any]) -> None:
    """Raise `UnknownFormat` unless a document is that of a season file of this version."""
    if document.get("format") != FORMAT:
        raise UnknownFormat(f"season.json: format is {document.get('format')!r}, this version reads {FORMAT}")


def verify(*, books: Books, feed_of: FeedOf, report: Say = lambda _: None, with_hash: bool = True) -> Verified:
    """Make everything in a season's books once more and return what was compared.

    Raises `BrokenBooks` for the first difference, and a `Refusal` where `season.json` cannot be understood. Without
    `with_hash` the sha256 of the books is not asked for: a database has none.
    """
    case = _open_case(books)
    report("the order of rows")
    _check_order_of_rows(case)
    report("ticks")
    _check_ticks(case)
    recording = read_market(case.ledger, starts_at=case.market_at, bars=case.bars)
    feed = feed_of(case.document["market"])
    if feed is not None:
        report("the market from its seed")
        _check_market(case, feed)
    report("snapshots")
    _check_snapshots(case, recording)
    report("chains")
    check_chains(books, capital=case.season.capital, season=case.season.name)
    decisions = _check_replay(case, recording, feed, report)
    report("roots of days")
    check_roots(books, starts_at=case.starts_at, ends_at=case.ends_at, settled_at=_settled_at(case))
    checked = check_books(books, report=report, with_hash=with_hash)
    report("standings")
    _check_standings(case, recording)
    return Verified(
        report=checked,
        decisions=decisions,
        ticks=row_count(books.tables["ticks"]),
        roots=row_count(books.tables["roots"]),
    )


def _open_case(books: Books) -> _Case:
    document: dict[str, Any] = dict(books.season)
    check_format(document)
    season = parse_season(document)
    ledger = Ledger(books.tables, season)
    try:
        market = document["market"]
        times = [parse_instant(str(text), field="season.json") for text in (document["starts_at"], document["ends_at"])]
        market_at, until = (
            parse_instant(str(market[name]), field="season.json: market") for name in ("starts_at", "collected_until")
        )
        is_final = document["state"] == "FINAL"
        season_rules.read_rates(document["rules"])
        season_rules.read_limits(document["rules"])
        document["rules"]["deadline"] = int(document["rules"]["deadline"])
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise ForeignSeason(f"season.json: {type(error).__name__}: {error}") from None
    bars = max(0, until - market_at) // season.bar_ms
    return _Case(books, season, ledger, document, times[0], times[1], is_final, market_at, bars)


def _check_order_of_rows(case: _Case) -> None:
    """The rows of every table that only an arena keeps rise by their keys."""
    for name in SEASON_TABLES:
        table = case.books.tables[name]
        rises = np.zeros(max(0, row_count(table) - 1), dtype=np.bool_)
        same = np.ones_like(rises)
        for key in ROW_KEYS[name]:
            values = table[key].values
            if table[key].kind == TEXT:
                words = list(table[key].words)
                places = {word: place for place, word in enumerate(sorted(set(words)))}
                values = np.array([places[word] for word in words] or [0], dtype=np.int64)[values]
            step = np.diff(values)
            rises |= same & (step > 0)
            same &= step == 0
        row = first(~rises)
        if row is not None:
            raise differ(case.books.tables, name, row + 1, ROW_KEYS[name][-1], "more than in the row before")


def _check_ticks(case: _Case) -> None:
    """Ticks are numbered and timed by the rules, and decisions belong to one and see its snapshot."""
    tables, season = case.books.tables, case.season
    ticks = tables["ticks"]
    number = np.arange(row_count(ticks))
    expect(tables, "ticks", "number", number)
    expect(tables, "ticks", "at", case.starts_at + number * season.tick_ms)
    expect(tables, "ticks", "deadline_at", ticks["at"].values + case.document["rules"]["deadline"] * 1000)
    words = {"OPEN", "CLOSED", "SKIPPED", "MISSED"}
    known = np.array([word in words for word in ticks["state"].words] or [True])
    demand(tables, "ticks", "state", known[ticks["state"].values], "OPEN, CLOSED, SKIPPED or MISSED")
    snapshots = _by_time(tables["snapshots"], "taken_at", "sha256")
    seen = _by_time(ticks, "at", "snapshot_sha256")
    for row, at in enumerate(ticks["at"].values.tolist()):
        if seen.get(at, "") and seen[at] != snapshots.get(at):
            raise differ(tables, "ticks", row, "snapshot_sha256", snapshots.get(at, "none"))
    said = tables["decisions"]
    for row, at in enumerate(said["tick_at"].values.tolist()):
        if said["snapshot_sha256"].words[int(said["snapshot_sha256"].values[row])] != seen.get(at):
            raise differ(tables, "decisions", row, "snapshot_sha256", seen.get(at, "none"))
    arrivals = tables["arrivals"]
    late = arrivals["arrived_at"].values - arrivals["tick_at"].values
    demand(tables, "arrivals", "arrived_at", (late >= 0) & (late < season.tick_ms), "before the next tick")
    if case.is_final:
        _check_complete(case)


def _check_complete(case: _Case) -> None:
    """A season that is over has all its ticks, and everybody was marked at the last."""
    tables, season = case.books.tables, case.season
    count = (case.ends_at - case.starts_at) // season.tick_ms + 1
    if row_count(tables["ticks"]) != count:
        raise BrokenBooks(
            file="ticks.parquet", where={}, field="rows", stored=str(row_count(tables["ticks"])), recomputed=str(count)
        )
    played = tables["accounts"]["played_until"].values
    demand(tables, "accounts", "played_until", played + 1 >= case.ends_at, f"{instant_text(case.ends_at)} or later")


def _by_time(table: Table, key: str, field: str) -> dict[int, str]:
    column = table[field]
    present = np.ones(len(column), dtype=np.bool_) if column.present is None else column.present
    return {
        at: column.words[code] if here else ""
        for at, code, here in zip(table[key].values.tolist(), column.values.tolist(), present.tolist(), strict=True)
    }


def _check_market(case: _Case, feed: Feed) -> None:
    """A simulated market is what its seed makes of it."""
    recording = feed.recording(case.bars)
    if recording.instruments != case.season.instruments:
        pairs = zip(case.season.instruments, recording.instruments, strict=False)
        stored, made = next(((one, two) for one, two in pairs if one != two), (None, None))
        raise BrokenBooks(
            file="season.json",
            where={"symbol": stored.symbol if stored else ""},
            field="instruments",
            stored=str(stored or len(case.season.instruments)),
            recomputed=str(made or len(recording.instruments)),
        )
    for name, table in market_tables(recording, case.bars).items():
        compare_tables(case.books.tables, name, table)


def _check_snapshots(case: _Case, recording: Recording) -> None:
    """Every snapshot is the hash of what could be seen, in a chain from the first on."""
    tables = case.books.tables
    snapshots, market = tables["snapshots"], make_tables(recording)
    digest, seen = begin_snapshots(recording.symbols), 0
    for row, at in enumerate(snapshots["taken_at"].values.tolist()):
        bar, rest = divmod(at - case.market_at, case.season.bar_ms)
        if rest or not seen <= bar <= case.bars:
            raise differ(tables, "snapshots", row, "taken_at", "the start of a bar of the market")
        if int(snapshots["seen_from"].values[row]) != recording.bar_at(seen):
            raise differ(tables, "snapshots", row, "seen_from", instant_text(recording.bar_at(seen)))
        digest, seen = snapshot_digest(digest, market.bars, market.mark, seen, bar), bar
        column = snapshots["sha256"]
        if column.words[int(column.values[row])] != digest.hex():
            raise differ(tables, "snapshots", row, "sha256", digest.hex())


def _check_replay(case: _Case, recording: Recording, feed: Feed | None, report: Say) -> int:
    """Hand in the recorded decisions once more and compare all that comes of it; return how many there were."""
    tables, season = case.books.tables, case.season
    asked, rows = _read_asked(case)
    market = make_tables(recording)
    agents = [_agent(part) for part in case.document["agents"]]
    span = max(1, case.ends_at - case.starts_at)
    accounts = tables["accounts"]
    _check_everybody(case)

    def tell(now: int) -> None:
        report(f"replaying: {instant_text(now)}, {100 * (now - case.starts_at) // span} %")

    try:
        again = rerun(
            market=market,
            agents=agents,
            capital=season.capital,
            rules=season_rules.read_rates(case.document["rules"]),
            limits=season_rules.read_limits(case.document["rules"]),
            seed=season.seed,
            step=season.tick_ms // season.bar_ms,
            start_at=case.starts_at,
            asked=asked,
            played_until=accounts["played_until"].values.tolist(),
            tape_of=_tape_of(case, feed),
            report=tell,
        )
    except (BrokenInvariant, OverflowError) as error:
        raise BrokenBooks(
            file="decisions.parquet", where={}, field="replay", stored="a season", recomputed=str(error)
        ) from None
    _check_verdicts(case, rows, again.verdicts)
    report("comparing the replay")
    for name, table in make_season_tables(run=_run_of(case, recording, again), again=again, asset=season.asset).items():
        stored = {**tables, name: _held_rows(tables[name])} if name == "holdings" else tables
        compare_tables(stored, name, _held_rows(table) if name == "holdings" else table)
    return row_count(tables["decisions"])


def _check_everybody(case: _Case) -> None:
    """Every agent has one account, in the order of names, and none stands outside the season."""
    tables = case.books.tables
    accounts = tables["accounts"]
    stored = [accounts["agent"].words[code] for code in accounts["agent"].values.tolist()]
    if stored != list(case.season.agents):
        raise BrokenBooks(
            file="accounts.parquet",
            where={},
            field="agents",
            stored=", ".join(stored),
            recomputed=", ".join(case.season.agents),
        )
    played = accounts["played_until"].values
    last = case.market_at + (case.bars + 1) * case.season.bar_ms
    fits = (played >= case.starts_at - 1) & (played < max(last, case.starts_at))
    demand(tables, "accounts", "played_until", fits, "within the season and what is known of its market")


def _read_asked(case: _Case) -> tuple[list[Asked], list[int]]:
    """Return the decisions that asked for orders, and their rows."""
    tables = case.books.tables
    said, arrivals = tables["decisions"], tables["arrivals"]
    owner = case.ledger.codes("decisions", "agent", case.season.agents).tolist()
    instruments = {one.symbol: one for one in case.season.instruments}
    asked, rows = [], []
    for row in range(row_count(said)):
        spelled = read_orders(tables, row)
        if not spelled:
            continue
        try:
            requests = tuple(read_request(one, instruments) for one in spelled)
        except (Refusal, KeyError, TypeError, ValueError, AttributeError) as error:
            raise differ(tables, "arrivals", row, "orders", f"orders: {type(error).__name__}: {error}") from None
        decision = Decision(action="", reason="", orders=requests)
        asked.append(Asked(owner[row], int(arrivals["arrived_at"].values[row]), decision))
        rows.append(row)
    return asked, rows


def _check_verdicts(case: _Case, rows: Sequence[int], verdicts: Sequence[str]) -> None:
    tables = case.books.tables
    verdict, state = tables["decisions"]["verdict"], tables["arrivals"]["state"]
    ruled = dict(zip(rows, verdicts, strict=True))
    for row in range(len(verdict)):
        missed = state.words[int(state.values[row])] == MISSED
        wanted = MISSED if missed else ruled.get(row, NO_ORDERS)
        if missed and row in ruled:
            raise differ(tables, "arrivals", row, "orders", "none: the decision was missed")
        if verdict.words[int(verdict.values[row])] != wanted:
            raise differ(tables, "decisions", row, "verdict", wanted)


def _agent(part: dict[str, Any]) -> Agent:
    """Return an agent as the engine needs it: its name, and what its strategy may trade."""
    kinds: dict[str, type[Strategy]] = {kind.name: kind for kind in list_strategies()}
    if part.get("strategy") not in kinds:
        raise ForeignSeason(f"season.json: {part.get('name')}: no strategy is called {part.get('strategy')!r}")
    return Agent(part["name"], kinds[part["strategy"]](part.get("parameters")))


def _tape_of(case: _Case, feed: Feed | None) -> Callable[[int], Any] | None:
    if not case.season.with_quotes:
        return None
    every_ms = int(case.document["rules"]["quote_every"]) * 1000
    if feed is None:
        raise ForeignSeason("season.json: quotes that nobody recorded come from a seed, and the market has none")

    @lru_cache(maxsize=4)
    def tape(bar: int) -> Any:
        return feed.tape(bar, every_ms)

    return tape


def _run_of(case: _Case, recording: Recording, again: Rerun) -> Run:
    marks, ticks = marks_of(again)
    nothing: Any = np.zeros((0, len(case.season.agents)), dtype=np.int32)
    return Run(
        recording=recording,
        rules=season_rules.read_rates(case.document["rules"]),
        capital=case.season.capital,
        tick_ms=case.season.tick_ms,
        seed=case.season.seed,
        agents=tuple(AgentCard(name, "", {}) for name in case.season.agents),
        exchange=again.exchange,
        marks=marks,
        ticks=ticks,
        decisions=DecisionLog(nothing, nothing, nothing, nothing, (), ()),
        season=case.season.name,
    )


def _held_rows(table: Table) -> Table:
    """Return the holdings without those that say nothing: flat, at 1×, in cross margin."""
    modes = table["margin_mode"]
    cross = np.array([word == "CROSS" for word in modes.words] or [True])[modes.values]
    kept = (table["quantity"].values != 0) | (table["leverage"].values != 1) | ~cross
    kept |= (table["cost_basis"].values != 0) | (table["margin"].values != 0)
    return {
        name: replace(
            column,
            values=column.values[kept],
            step=None if column.step is None else column.step[kept],
            present=None if column.present is None else column.present[kept],
        )
        for name, column in table.items()
    }


def _settled_at(case: _Case) -> int:
    """Return an instant by which everything due is certainly kept: the last closed tick but one, or the end."""
    ticks = case.books.tables["ticks"]
    closed = [
        at
        for at, code in zip(ticks["at"].values.tolist(), ticks["state"].values.tolist(), strict=True)
        if ticks["state"].words[code] == "CLOSED"
    ]
    if case.is_final:
        return case.ends_at
    return closed[-2] if len(closed) > 1 else -1


def _check_standings(case: _Case, recording: Recording) -> None:
    stored = case.books.leaderboard
    made = make_standings(case.books, recording)
    if (stored.get("benchmark") or None) != made["benchmark"]:
        raise BrokenBooks(
            file="leaderboard.json",
            where={},
            field="benchmark",
            stored=str(stored.get("benchmark")),
            recomputed=str(made["benchmark"]),
        )
    check_leaderboard(case.books)


def make_standings(books: Books, recording: Recording) -> dict[str, Any]:
    """Return what `leaderboard.json` holds for a season's tables and market."""
    season = parse_season(books.season)
    at = books.tables["equity"]["at"].values
    return make_leaderboard(
        tables=books.tables,
        agents=season.agents,
        step_ms=season.tick_ms,
        benchmark=_benchmark(recording, int(at.min()), int(at.max())),
    )


def _benchmark(recording: Recording, starts_at: int, until: int) -> Benchmark | None:
    """Return Bitcoin's marks at two instants, or None where it does not trade."""
    column = bitcoin_column(recording.symbols)
    if column < 0:
        return None
    first_bar, last_bar = (
        (at - recording.candles.start_at) // recording.candles.interval_ms for at in (starts_at, until)
    )
    if last_bar > recording.bar_count:
        return None
    return Benchmark(
        symbol=recording.symbols[column],
        first_price=int(recording.mark[first_bar, column]),
        last_price=int(recording.mark[last_bar, column]),
    )
