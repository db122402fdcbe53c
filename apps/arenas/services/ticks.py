"""Run the clocks of seasons, and claim each tick once, whoever else tries to.

Whoever drives a season holds its lease. The market's time runs while the lease is held, by the database's clock, and
stands still otherwise; a wrong clock on some host changes nothing. Every claim names the lease's epoch, so that a
driver that was paused and wakes up behind another's back writes nothing (rules A1, A2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from apps.arenas.models import Season, Tick
from apps.arenas.selectors import NOW, clock_at, latest_tick, market_now, tick_at, tick_count

MISSED_REASON = "nobody ran it in time"


@dataclass(frozen=True, slots=True)
class Lease:
    """A season that somebody drives, under an epoch."""

    season_id: int
    epoch: int


def hold_leases(*, holder: str, seconds: float) -> list[Lease]:
    """Take or renew the lease of every live season that nobody else drives, and return what is held now."""
    with connection.cursor() as cursor:
        cursor.execute(
            # One instant for all of it: whoever had to wait for the row must not count the wait twice.
            f"""WITH moment AS (SELECT clock_timestamp() AS now)
                UPDATE arenas_season SET
                    clock_at = {clock_at("moment.now")},
                    anchored_at = greatest(moment.now, anchored_at),
                    lease_epoch = lease_epoch
                        + CASE WHEN lease_holder = %(holder)s AND lease_until > moment.now THEN 0 ELSE 1 END,
                    lease_holder = %(holder)s,
                    lease_until = moment.now + %(seconds)s * interval '1 second'
                FROM moment
                WHERE state = 'LIVE' AND (lease_holder = %(holder)s OR lease_until IS NULL OR lease_until < moment.now)
                RETURNING id, lease_epoch""",
            {"holder": holder, "seconds": seconds},
        )
        return [Lease(*row) for row in cursor.fetchall()]


def release_leases(*, holder: str) -> None:
    """Stop every clock that this holder drives, at what it shows now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE arenas_season SET clock_at = {NOW}, anchored_at = NULL, lease_holder = '', lease_until = NULL
                WHERE lease_holder = %s""",
            [holder],
        )


def claim_tick(lease: Lease) -> Tick | None:
    """Return the season's next tick if it is due and this lease may open it, else None.

    A tick is opened only when the one before is closed. One whose deadline has passed is recorded as missed and never
    run late.
    """
    with transaction.atomic():
        season = _held(lease)
        if season is None:
            return None
        last = latest_tick(season)
        if last is not None and last.state == Tick.State.OPEN:
            return None
        number = last.number + 1 if last else 0
        if number > tick_count(season):
            return None
        now = market_now(season)
        if season.speed == 0.0:
            now = tick_at(season, number)
            Season.objects.filter(pk=season.pk).update(clock_at=now)
        return _open_due(season, lease, number, now)


def _held(lease: Lease) -> Season | None:
    """Return the season with its row locked, if the lease still holds."""
    found = Season.objects.raw(
        """SELECT * FROM arenas_season WHERE id = %s AND lease_epoch = %s AND state = 'LIVE'
           AND lease_until > clock_timestamp() FOR UPDATE""",
        [lease.season_id, lease.epoch],
    )
    return next(iter(found), None)


def _open_due(season: Season, lease: Lease, number: int, now: datetime) -> Tick | None:
    deadline = timedelta(seconds=season.rules["deadline"])
    if now < tick_at(season, number):
        return None
    due = min((now - season.starts_at) // timedelta(milliseconds=season.tick_ms), tick_count(season))
    while number < due or (now > tick_at(season, number) + deadline and number < tick_count(season)):
        _create(season, lease, number, Tick.State.MISSED)
        number += 1
        if number > due:
            return None
    return _create(season, lease, number, Tick.State.OPEN)


def _create(season: Season, lease: Lease, number: int, state: str) -> Tick:
    at = tick_at(season, number)
    missed = state == Tick.State.MISSED
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        claimed_at = cursor.fetchone()[0]
    return Tick.objects.create(
        season=season,
        number=number,
        at=at,
        deadline_at=at + timedelta(seconds=season.rules["deadline"]),
        state=state,
        reason=MISSED_REASON if missed else "",
        epoch=lease.epoch,
        claimed_at=claimed_at,
        closed_at=claimed_at if missed else None,
    )


def adopt_open_tick(lease: Lease) -> Tick | None:
    """Return the season's open tick, if it has one; one of an earlier driver goes on under this lease's epoch."""
    tick = Tick.objects.filter(season_id=lease.season_id, state=Tick.State.OPEN).first()
    if tick is not None and tick.epoch < lease.epoch:
        with transaction.atomic():
            if _held(lease) is None:
                return tick
            Tick.objects.filter(pk=tick.pk, state=Tick.State.OPEN).update(epoch=lease.epoch)
        tick.epoch = lease.epoch
    return tick


def is_over(tick: Tick) -> bool:
    """Return whether the deadline of a tick has passed in its market's time."""
    season = tick.season
    return season.speed > 0.0 and market_now(season) > tick.deadline_at


def lock_open_tick(*, tick_id: int, epoch: int, alone: bool = False) -> Tick | None:
    """Return a tick while it is open under this epoch, locked against being closed; None when it is not.

    `alone` locks it for whoever closes it. Call it inside a transaction.
    """
    strength = "FOR UPDATE" if alone else "FOR SHARE"
    found = Tick.objects.raw(
        f"SELECT * FROM arenas_tick WHERE id = %s AND epoch = %s AND state = 'OPEN' {strength}", [tick_id, epoch]
    )
    return next(iter(found), None)


def end_season(season: Season) -> None:
    """Make a season final: its clock stops at its end."""
    Season.objects.filter(pk=season.pk).update(
        state=Season.State.FINAL,
        clock_at=season.ends_at,
        anchored_at=None,
        lease_holder="",
        lease_until=None,
    )
