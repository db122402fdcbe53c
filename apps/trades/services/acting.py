"""Run a tick: open it, let entries act in it, close it; and between ticks let the quotes meet the accounts.

Every function may be called again, beside itself, or too late: what is written is written once, by whoever is first,
while the tick is open under the epoch it was claimed with.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.utils import InterfaceError, OperationalError

from apps.arenas.models import Entry, Season, Tick
from apps.arenas.selectors import agent_of, capital_of, limits_of, market_now, rules_of, tick_count, tick_step
from apps.arenas.services.ticks import end_season, is_over, lock_open_tick
from apps.market import services as markets
from apps.market.models import Market, Snapshot
from apps.market.selectors import MarketIncomplete, Window, open_window
from apps.market.services import at_ms, bars_until
from apps.trades.models import Decision as DecisionRow
from apps.trades.services.checking import clean_text
from apps.trades.services.deciding import Allowance, SignalShelf, decide
from apps.trades.services.desks import Ruled, Superseded, Taken, put_down, take_up
from bitnerve.domain.decisions.decision import Decision, hold
from bitnerve.domain.market.soundness import JUMP, STALE
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.engine.desk import Desk, TapeOf
from bitnerve.engine.replay import NO_ORDERS
from bitnerve.engine.tables import MarketTables

CHUNK = 200
"""Entries that one task lets act."""
ALLOWED = Allowance(strategy=2.0, signals=15.0, together=20.0)
"""What a chunk may take by the wall clock, however fast its market runs."""
ALLOWED_STEPPED = Allowance(strategy=20.0, signals=20.0, together=25.0)
"""The same where nobody waits: what a stepped season decides must not depend on how busy a machine is."""
ATTEMPTS = 8
MISSED = "MISSED"
"""The verdict on a decision that did not come."""

logger = logging.getLogger(__name__)

NOBODYS_FAULT = (OperationalError, InterfaceError, MarketIncomplete)
"""The database is away or ended a deadlock, or bars are missing."""

Result = TypeVar("Result")
Broken = tuple[Entry, Exception]
"""Who broke, and by what."""

_shelf = SignalShelf()


@dataclass(frozen=True, slots=True)
class Acted:
    """What became of a chunk."""

    decided: int
    complete: bool
    """Whether nobody's decision is missing any more."""


def open_tick(*, tick_id: int, epoch: int) -> list[list[int]]:
    """Store what can be seen at a tick, and return the chunks of entries that may act on it.

    None may where the market has nothing new to show: the tick is then skipped, and says so.
    """
    tick = Tick.objects.select_related("season__market").get(pk=tick_id)
    season = tick.season
    market = markets.collect(season.market, until=tick.at)
    with transaction.atomic():
        # Alone, so that two who open it at once do not wait for each other.
        if lock_open_tick(tick_id=tick_id, epoch=epoch, alone=True) is None:
            return []
        reason = _why_skip(market, tick)
        if reason:
            Tick.objects.filter(pk=tick_id).update(reason=reason)
            return []
        snapshot = markets.capture(
            market=market,
            series=season.slug,
            at=tick.at,
            window=open_window(market),
            limits=limits_of(season),
            quote_every_ms=season.rules["quote_every"] * 1000 if season.with_quotes else 0,
        )
        is_last = tick.number >= tick_count(season)
        # At the end everybody must be marked, at whatever prices there are.
        reason = "" if is_last else _why_nobody_can(market, snapshot)
        Tick.objects.filter(pk=tick_id, snapshot=None).update(snapshot=snapshot, reason=reason)
        if reason:
            return []
    if tick.number >= tick_count(season):
        return []
    ids = list(
        Entry.objects.filter(season=season, state=Entry.State.ACTIVE).order_by("name").values_list("pk", flat=True)
    )
    return [ids[begin : begin + CHUNK] for begin in range(0, len(ids), CHUNK)]


def _why_skip(market: Market, tick: Tick) -> str:
    if market.collected_until >= tick.at:
        return ""
    late = (tick.at - market.collected_until).total_seconds()
    return f"market data ends {late:.0f} s before the tick: nobody trades on old prices"


def _why_nobody_can(market: Market, snapshot: Snapshot) -> str:
    flawed = {flaw["symbol"] for flaw in snapshot.flaws}
    bar = bars_until(market, snapshot.taken_at)
    recording = open_window(market).tables(bar).recording
    listed = {symbol for symbol, mark in zip(recording.symbols, recording.mark[bar].tolist(), strict=True) if mark > 0}
    if not flawed or listed - flawed:
        return ""
    rules = ", ".join(sorted({flaw["rule"] for flaw in snapshot.flaws}))
    return f"no symbol has a price to trade on: {rules}"[:200]


def rehearse(season: Season) -> None:
    """Do once what a tick will do, and store nothing: kernels, candles and signals are then where they are needed."""
    entries = list(Entry.objects.filter(season=season).select_related("version", "account").order_by("name")[:CHUNK])

    def rehearse_together(group: Sequence[Entry]) -> None:
        sitting = sit(season, group)
        sitting.desk.play_until(sitting.desk.now)
        decide(
            desk=sitting.desk,
            market=season.market,
            tables=sitting.tables,
            agents=sitting.agents,
            shelf=_shelf,
            allowance=ALLOWED_STEPPED,
        )

    for group in by_bar(season, entries):
        # Who breaks is told and halted by the tick itself.
        apart(group, rehearse_together)


def act(*, tick_id: int, epoch: int, entry_ids: Sequence[int]) -> Acted:
    """Let entries decide at a tick, review what they want, execute it and settle what comes of it."""
    tick = Tick.objects.select_related("season__market", "snapshot").get(pk=tick_id)
    if tick.state != Tick.State.OPEN or tick.epoch != epoch or tick.snapshot is None:
        return Acted(0, complete=False)
    decided: dict[int, Decision] = {}
    count = 0
    for _ in range(ATTEMPTS):
        entries = list(_undecided(tick).filter(pk__in=entry_ids).select_related("version", "account"))
        if not entries:
            break
        broken: list[Broken] = []
        # Whoever stands at another bar (a late joiner, somebody's unfinished work) gets a desk of its own.
        for group in by_bar(tick.season, entries):
            with contextlib.suppress(Superseded):
                done, failed = apart(group, partial(_act_together, tick, epoch, decided=decided))
                count += sum(done)
                broken += failed
        _halt(tick, epoch, broken, everybody=not DecisionRow.objects.filter(tick=tick).exists())
    return Acted(count, complete=not _undecided(tick).exists())


def waiting_chunks(tick: Tick) -> list[list[int]]:
    """Return the chunks of entries whose decision an open tick still waits for; none once its deadline has passed."""
    if tick.reason or tick.number >= tick_count(tick.season) or is_over(tick):
        return []
    ids = list(_undecided(tick).order_by("pk").values_list("pk", flat=True))
    return [ids[begin : begin + CHUNK] for begin in range(0, len(ids), CHUNK)]


def _undecided(tick: Tick) -> QuerySet[Entry]:
    """Return the entries that a tick waits for."""
    return Entry.objects.filter(season=tick.season, state=Entry.State.ACTIVE).exclude(
        pk__in=DecisionRow.objects.filter(tick=tick).values("entry_id")
    )


def by_bar(season: Season, entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the entries by the bar at which their accounts stand."""
    groups: dict[int, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(_bar(season, at_ms(entry.account.played_until)), []).append(entry)
    return [groups[bar] for bar in sorted(groups)]


def _bar(season: Season, played_until: int) -> int:
    """Return the bar at which an account stands that has met everything up to an instant."""
    return (played_until + 1 - at_ms(season.market.starts_at)) // season.market.interval_ms


def apart(entries: Sequence[Entry], work: Callable[[Sequence[Entry]], Result]) -> tuple[list[Result], list[Broken]]:
    """Do a work for entries together; where it breaks, for each alone. Return what was done, and who broke.

    One account that is wrong must stop, and must not keep the others from their tick. What breaks everybody of a group
    is no account's fault: it is raised, and the sweep tries again.
    """
    try:
        return [work(entries)], []
    except (Superseded, *NOBODYS_FAULT):
        raise
    except Exception as error:
        if len(entries) == 1:
            return [], [(entries[0], error)]
        logger.exception("%s: a group of %d entries broke", entries[0].season, len(entries))
    done: list[Result] = []
    broken: list[Broken] = []
    for entry in entries:
        try:
            done.append(work([entry]))
        except (Superseded, *NOBODYS_FAULT):
            raise
        except Exception as error:
            broken.append((entry, error))
    if len(broken) == len(entries):
        raise broken[0][1]
    return done, broken


def _halt(tick: Tick, epoch: int, broken: Sequence[Broken], *, everybody: bool) -> None:
    """Halt who broke, unless `everybody` says that nobody got further: then what broke is raised."""
    for entry, error in broken:
        if everybody:
            raise error
        why = f"{type(error).__name__}: {error}"
        with transaction.atomic():
            if lock_open_tick(tick_id=tick.pk, epoch=epoch) is None:
                return
            halted = Entry.objects.filter(pk=entry.pk, state=Entry.State.ACTIVE).update(
                state=Entry.State.HALTED, halted_because=clean_text(why)[:200]
            )
        if halted:
            logger.error("%s, tick %d: %s is halted: %s", tick.season, tick.number, entry.name, why)


def _act_together(tick: Tick, epoch: int, entries: Sequence[Entry], decided: dict[int, Decision]) -> int:
    """Return how many decisions were stored: all, or none because somebody moved an account meanwhile."""
    season = tick.season
    sitting = sit(season, entries)
    desk, taken = sitting.desk, sitting.taken
    at = at_ms(tick.at)
    desk.play_until(at)
    missing = [number for number, entry in enumerate(taken.entries) if entry.pk not in decided]
    if missing:
        found = decide(
            desk=desk,
            market=season.market,
            tables=sitting.tables,
            agents=sitting.agents,
            shelf=_shelf,
            allowance=ALLOWED if season.speed > 0.0 else ALLOWED_STEPPED,
        )
        decided |= {taken.entries[number].pk: found[number] for number in missing}
    arrived_at = _arrive(tick, desk)
    late = arrived_at > at_ms(tick.deadline_at) and season.speed > 0.0
    if late:
        return 0
    desk.flaws = _no_risk(tick)
    ruled = {}
    for number, entry in enumerate(taken.entries):
        # When the venue takes the orders: a replay of the season must hand them in at the same instant.
        ruled[number] = _rule(desk, number, decided[entry.pk], desk.now)
    return len(ruled) if store(sitting, tick, epoch, ruled) else 0


def _no_risk(tick: Tick) -> dict[str, str]:
    """Return what is wrong with a tick's symbols, as far as the governor does not see it in the prices itself."""
    flaws = tick.snapshot.flaws if tick.snapshot else []
    return {flaw["symbol"]: flaw["rule"] for flaw in flaws if flaw["rule"] not in (STALE, JUMP)}


def _arrive(tick: Tick, desk: Desk) -> int:
    """Return when the decisions arrive, in the market's time, with everything up to then played.

    On bars all prices come at once, so whoever thought longer fills no later: a decision arrives at its tick.
    """
    if not tick.season.with_quotes:
        return at_ms(tick.at)
    arrived_at = max(at_ms(market_now(tick.season)), *desk.played_until, at_ms(tick.at))
    desk.play_until(arrived_at)
    return arrived_at


def _rule(desk: Desk, number: int, decision: Decision, arrived_at: int) -> Ruled:
    first = desk.order_count
    verdict = desk.submit(number, decision).verdict if decision.orders else NO_ORDERS
    return Ruled(decision, verdict, DecisionRow.State.DECIDED, arrived_at, range(first, desk.order_count))


@dataclass(frozen=True, slots=True)
class Sitting:
    """Some accounts of a season on a desk."""

    taken: Taken
    desk: Desk
    agents: tuple[Agent, ...]
    tables: MarketTables
    window: Window


def sit(season: Season, entries: Sequence[Entry]) -> Sitting:
    """Take up the accounts of entries that stand at the same bar.

    Raises `Superseded` where somebody moved some of them meanwhile so that they do not, and `MarketIncomplete` where
    the bars before them are not stored yet.
    """
    window = open_window(season.market)
    taken = take_up(season=season, entries=entries, window=window)
    bars = {_bar(season, until) for until in taken.played_until}
    if len(bars) > 1:
        raise Superseded
    # Whoever moved them may know more of the market than this season's row did when it was read.
    tables = window.tables(max(bars_until(season.market, season.market.collected_until), *bars))
    agents = tuple(agent_of(entry) for entry in taken.entries)
    desk = Desk(
        market=tables,
        agents=agents,
        capital=capital_of(season),
        rules=rules_of(season),
        limits=limits_of(season),
        seed=season.seed,
        step=tick_step(season),
        carried=taken.carried,
        played_until=taken.played_until,
        tape_of=tapes_of(season),
    )
    return Sitting(taken, desk, agents, tables, window)


def tapes_of(season: Season) -> TapeOf | None:
    """Return where a desk of a season finds the quotes of a bar; None in a season of bars."""
    if not season.with_quotes:
        return None
    return partial(_tape, season.market_id, season.rules["quote_every"] * 1000)


@lru_cache(maxsize=64)
def _tape(market_id: int, every_ms: int, bar: int):  # type: ignore[no-untyped-def]
    return markets.open_feed(Market.objects.get(pk=market_id)).tape(bar, every_ms)


def store(sitting: Sitting, tick: Tick | None, epoch: int, ruled: dict[int, Ruled]) -> bool:
    """Store what happened on a desk if the tick is still open; return whether it was."""
    try:
        with transaction.atomic():
            if tick is not None and lock_open_tick(tick_id=tick.pk, epoch=epoch) is None:
                return False
            if (
                tick is not None
                and DecisionRow.objects.filter(
                    tick=tick, entry__in=[sitting.taken.entries[number].pk for number in ruled]
                ).exists()
            ):
                # Somebody decided for them between when they were looked for and when they were read.
                return False
            put_down(
                taken=sitting.taken,
                changes=sitting.desk.changes(),
                played_until=sitting.desk.played_until,
                market=sitting.tables,
                window=sitting.window,
                tick_id=tick.pk if tick else None,
                tick_at=at_ms(tick.at) if tick else 0,
                snapshot_sha256=tick.snapshot.sha256 if tick and tick.snapshot else "",
                ruled=ruled,
            )
    except Superseded:
        return False
    return True


def play(*, season: Season, until: datetime, entries: Sequence[Entry]) -> list[Broken]:
    """Let accounts meet everything up to an instant and store what happened; without quotes, up to a bar's end.

    Return whose account breaks there; it stays where it stood.
    """

    def play_together(group: Sequence[Entry]) -> None:
        sitting = sit(season, group)
        sitting.desk.play_until(at_ms(until))
        store(sitting, None, 0, {})

    broken: dict[int, Broken] = {}
    # On bars an account that has crossed a bar's end stands in its last millisecond.
    enough = until if season.with_quotes else until - timedelta(milliseconds=1)
    for _ in range(ATTEMPTS):
        left = [entry for entry in entries if entry.account.played_until < enough and entry.pk not in broken]
        if not left:
            break
        for group in by_bar(season, left):
            with contextlib.suppress(Superseded):
                _, failed = apart(group, play_together)
                broken |= {one[0].pk: one for one in failed}
        entries = list(Entry.objects.filter(pk__in=[entry.pk for entry in left]).select_related("version", "account"))
    return list(broken.values())


def close_tick(
    *, tick_id: int, epoch: int, also: Callable[[Season, Tick], None] = lambda season, tick: None
) -> Tick | None:
    """Close a tick that is complete or whose deadline has passed, and return it; None where it is neither, or closed.

    Who has not decided is missed. Everybody is marked but whose account breaks: that one is halted. After the last tick
    the season is final. `also` is done in the transaction that closes: a tick is never closed without it.
    """
    tick = Tick.objects.select_related("season__market", "snapshot").get(pk=tick_id)
    if tick.state != Tick.State.OPEN or tick.epoch != epoch:
        return None
    season = tick.season
    skipped = bool(tick.reason)
    waits = not skipped and tick.number < tick_count(season) and _undecided(tick).exists()
    if waits and market_now(season) <= tick.deadline_at:
        return None
    if not skipped:
        broken = play(season=season, until=tick.at, entries=list(_behind(tick).select_related("version", "account")))
        stuck = {entry.pk for entry, _ in broken}
        _halt(tick, epoch, broken, everybody=len(stuck) == Entry.objects.filter(season=season).count())
        if waits:
            _miss(tick, epoch, stuck)
        if _behind(tick).exclude(pk__in=stuck).exists():
            # Somebody moves accounts as fast as we do; who is not marked now will be at the next attempt.
            return None
    with transaction.atomic():
        if lock_open_tick(tick_id=tick_id, epoch=epoch, alone=True) is None:
            return None
        tick.state = Tick.State.SKIPPED if skipped else Tick.State.CLOSED
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE arenas_tick SET state = %s, closed_at = clock_timestamp() WHERE id = %s RETURNING closed_at",
                [tick.state, tick.pk],
            )
            tick.closed_at = cursor.fetchone()[0]
        also(season, tick)
        if tick.number >= tick_count(season):
            end_season(season)
    return tick


def _behind(tick: Tick) -> QuerySet[Entry]:
    """Return the entries that have not been marked at a tick."""
    # Who has met the last millisecond before it has crossed it.
    return Entry.objects.filter(season=tick.season, account__played_until__lt=tick.at - timedelta(milliseconds=1))


def _miss(tick: Tick, epoch: int, stuck: Set[int]) -> None:
    """Record that entries did not decide in time, but for those whose accounts cannot be played."""
    for _ in range(ATTEMPTS):
        silent = list(_undecided(tick).exclude(pk__in=stuck).select_related("version", "account"))
        if not silent:
            return
        for group in by_bar(tick.season, silent):
            with contextlib.suppress(Superseded):
                _miss_together(tick, epoch, group)


def _miss_together(tick: Tick, epoch: int, entries: Sequence[Entry]) -> None:
    sitting = sit(tick.season, entries)
    missed = Ruled(
        hold("no decision came before the deadline"),
        MISSED,
        DecisionRow.State.MISSED,
        max(at_ms(tick.deadline_at), *sitting.desk.played_until),
        range(0),
    )
    store(sitting, tick, epoch, dict.fromkeys(range(len(entries)), missed))
