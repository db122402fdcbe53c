"""The clock of a season and its ticks: rules A1 to A4, with several who drive at once."""

import threading
import time
from contextlib import nullcontext
from datetime import timedelta

import pytest
from django.db import connections, transaction

from apps.arenas.models import Season, Tick
from apps.arenas.selectors import market_now, tick_at
from apps.arenas.services import ticks
from apps.arenas.services.seasons import BadSeason
from apps.arenas.services.ticks import Lease
from apps.market.services import make_instant
from apps.trades.models import Decision, EquityPoint
from apps.trades.services import acting
from bitnerve.domain.decisions.decision import hold
from bitnerve.domain.strategies.catalog import Agent, list_agents
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS, parse_instant
from tests.apps.trades.arena import open_season, simulated_market
from tests.apps.trades.together import run_together
from worker import graph
from worker.schedule import Dispatcher

START = parse_instant("2026-01-01", field="start")
STARTS_AT = make_instant(START)
LONG = 600.0


def roster(count: int) -> list[Agent]:
    return list(list_agents()[:count])


@pytest.fixture
def season(committed_db):
    """Ten ticks as fast as they are driven, with three entries; candles begin a day before."""
    market = simulated_market(seed=3, start_at=START - DAY_MS, symbol_count=2)
    return open_season(market, starts_at=STARTS_AT, ends_at=STARTS_AT + timedelta(minutes=50), seed=3, agents=roster(3))


@pytest.fixture
def sent(monkeypatch):
    """What is sent to the broker, which loses all of it."""
    messages = []
    monkeypatch.setattr(graph.dispatch, "send", lambda name, **ids: messages.append((name, ids)))
    return messages


def test_a_season_begins_where_its_ticks_are_marked(db):
    """One whose ticks fall between the instants at which accounts are marked would rank nobody."""
    market = simulated_market(seed=3, start_at=START - DAY_MS, symbol_count=2)
    four_hours = {"tick_ms": 4 * HOUR_MS, "seed": 3, "agents": []}
    for hours, refused in ((1, True), (4, False)):
        starts_at = STARTS_AT + timedelta(hours=hours)
        with pytest.raises(BadSeason, match="whole multiples of a tick") if refused else nullcontext():
            open_season(market, starts_at=starts_at, ends_at=starts_at + timedelta(hours=8), **four_hours)


def hold_one(season: Season, holder: str, seconds: float = LONG) -> Lease | None:
    found = [lease for lease in ticks.hold_leases(holder=holder, seconds=seconds) if lease.season_id == season.pk]
    return found[0] if found else None


def run_out(season: Season) -> None:
    """Let the lease of a season run out, as if its holder had been silent for as long."""
    Season.objects.filter(pk=season.pk).update(lease_until=Season.objects.get(pk=season.pk).anchored_at)


def set_speed(season: Season, speed: float) -> None:
    Season.objects.filter(pk=season.pk).update(speed=speed)


def wait_for(done, seconds=30.0):
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "waited in vain"
        threading.Event().wait(0.01)


def test_A1_two_dispatchers_open_a_tick_once(season, sent):
    """Five who all believe that they may, each with the same lease: one row a number, in one piece."""
    lease = hold_one(season, "ada")
    for _ in range(3):
        claimed = run_together([lambda: ticks.claim_tick(lease)] * 5)
        assert sum(tick is not None for tick in claimed) == 1
        Tick.objects.update(state=Tick.State.CLOSED)
    assert list(Tick.objects.values_list("number", flat=True).order_by("number")) == [0, 1, 2]


def test_A1_only_one_of_many_gets_the_lease(season):
    held = run_together([lambda name=name: hold_one(season, name) for name in ("ada", "bob", "cyd", "dot", "eve")])
    assert sum(lease is not None for lease in held) == 1
    season.refresh_from_db()
    assert season.lease_epoch == 1


def test_A1_dispatchers_that_take_over_from_each_other_run_every_tick_once(season, sent):
    """Two dispatchers take turns by chance; the second is refused until the first lets go."""
    first, second = Dispatcher(), Dispatcher()
    for dispatcher in (first, second, first):
        dispatcher.turn()
    assert [name for name, _ in sent] == [graph.OPEN_TICK]
    ticks.release_leases(holder=first.holder)
    second._renewed_at = float("-inf")
    second.turn()
    assert second.leases
    assert Tick.objects.get().epoch == second.leases[0].epoch > 1


def test_A2_a_holder_whose_lease_was_taken_over_writes_nothing(season):
    old = hold_one(season, "ada")
    tick = ticks.claim_tick(old)
    chunks = acting.open_tick(tick_id=tick.pk, epoch=old.epoch)
    run_out(season)
    new = hold_one(season, "bob")
    assert new.epoch == old.epoch + 1
    assert ticks.claim_tick(old) is None
    assert ticks.adopt_open_tick(old).epoch == old.epoch
    # Until the new holder adopts the tick, whoever works on it may go on; from then on nobody of before may.
    assert ticks.adopt_open_tick(new).epoch == new.epoch

    assert acting.open_tick(tick_id=tick.pk, epoch=old.epoch) == []
    acted = acting.act(tick_id=tick.pk, epoch=old.epoch, entry_ids=chunks[0])
    assert (acted.decided, acted.complete) == (0, False)
    assert acting.close_tick(tick_id=tick.pk, epoch=old.epoch) is None
    assert Decision.objects.count() == 0
    assert Tick.objects.get().state == Tick.State.OPEN

    assert acting.act(tick_id=tick.pk, epoch=new.epoch, entry_ids=chunks[0]).complete
    assert acting.close_tick(tick_id=tick.pk, epoch=new.epoch).state == Tick.State.CLOSED


def test_A2_a_worker_that_sleeps_while_it_decides_writes_nothing_when_it_wakes(season, monkeypatch):
    """The epoch is asked for again in the transaction that writes, not only before."""
    old = hold_one(season, "ada")
    tick = ticks.claim_tick(old)
    chunks = acting.open_tick(tick_id=tick.pk, epoch=old.epoch)

    def sleep_meanwhile(**given):
        run_out(season)
        ticks.adopt_open_tick(hold_one(season, "bob"))
        return [hold("awake again")] * len(given["agents"])

    monkeypatch.setattr(acting, "decide", sleep_meanwhile)
    assert acting.act(tick_id=tick.pk, epoch=old.epoch, entry_ids=chunks[0]).decided == 0
    assert Decision.objects.count() == 0
    assert EquityPoint.objects.filter(at__gt=season.starts_at).count() == 0


def test_A2_an_epoch_never_comes_back(season):
    epochs = []
    for holder in ("ada", "bob", "ada", "ada"):
        epochs.append(hold_one(season, holder).epoch)
        run_out(season)
    assert epochs == [1, 2, 3, 4]
    ticks.release_leases(holder="ada")
    assert hold_one(season, "ada").epoch == 5
    assert hold_one(season, "ada").epoch == 5


def test_the_clock_runs_only_while_the_lease_is_held(season):
    set_speed(season, 1000.0)
    assert market_now(season) == market_now(season) == season.starts_at
    hold_one(season, "ada")
    begun = market_now(season)
    wait_for(lambda: market_now(season) > begun)
    ticks.release_leases(holder="ada")
    stopped = market_now(season)
    assert stopped > begun
    threading.Event().wait(0.05)
    assert market_now(season) == stopped
    # It goes on from where it stood: a look right after may be a moment later, never before.
    hold_one(season, "bob")
    assert stopped <= market_now(season) < stopped + timedelta(hours=10)


def test_the_clock_of_a_holder_that_died_stops_where_its_lease_ends(season):
    set_speed(season, 1000.0)
    hold_one(season, "ada", seconds=0.05)
    season.refresh_from_db()
    end = season.starts_at + (season.lease_until - season.anchored_at) * 1000
    wait_for(lambda: market_now(season) == end)
    threading.Event().wait(0.05)
    assert market_now(season) == end
    hold_one(season, "bob")
    season.refresh_from_db()
    assert season.clock_at == end


def test_the_clock_never_jumps_when_a_lease_is_renewed(season):
    """Neither back nor forward: all renewals together count no more than the time between the first and the last."""
    set_speed(season, 1000.0)
    hold_one(season, "ada")
    season.refresh_from_db()
    first, seen = season.anchored_at, season.starts_at
    for _ in range(200):
        hold_one(season, "ada")
        now = market_now(season)
        assert now >= seen
        seen = now
    season.refresh_from_db()
    # Rounded to a microsecond at each renewal, the market's time and the database's are the same.
    apart = (season.clock_at - season.starts_at) - (season.anchored_at - first) * 1000
    assert abs(apart) < timedelta(microseconds=200)


def test_the_clock_does_not_jump_when_a_renewal_waits_for_the_row(season):
    """A renewal that waits behind somebody who changes the row, as every frame does, must not count its wait twice."""
    set_speed(season, 1000.0)
    hold_one(season, "ada")
    season.refresh_from_db()
    first = season.anchored_at
    locked, release = threading.Event(), threading.Event()

    def show_slowly():
        with transaction.atomic():
            Season.objects.filter(pk=season.pk).update(frame=1)
            locked.set()
            assert release.wait(30)

    def renew():
        assert locked.wait(30)
        threading.Timer(0.3, release.set).start()
        hold_one(season, "ada")

    run_together([show_slowly, renew])
    season.refresh_from_db()
    assert (season.clock_at - season.starts_at) - (season.anchored_at - first) * 1000 < timedelta(milliseconds=1)


def test_a_dispatcher_with_a_wrong_clock_changes_nothing(season, sent, monkeypatch):
    """The host's clock is an hour ahead, then an hour behind: ticks are due by the database's clock alone (rule M8)."""
    set_speed(season, 1.0)
    dispatcher = Dispatcher()
    real = time.time
    for wrong in (3600.0, -3600.0):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: real() + wrong)
        dispatcher._renewed_at = float("-inf")
        dispatcher.turn()
    season.refresh_from_db()
    assert list(Tick.objects.values_list("number", "state")) == [(0, Tick.State.OPEN)]
    assert market_now(season) < season.starts_at + timedelta(minutes=5)
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        assert abs(cursor.fetchone()[0] - Tick.objects.get().claimed_at) < timedelta(minutes=5)


def test_A4_missed_ticks_are_recorded_and_never_run_late(season):
    set_speed(season, 1.0)
    lease = hold_one(season, "ada")
    # As if nobody had looked while the clock ran on for three and a half ticks; the deadline is a minute.
    Season.objects.filter(pk=season.pk).update(clock_at=tick_at(season, 3) + timedelta(minutes=2, seconds=30))
    assert ticks.claim_tick(lease) is None
    missed = list(Tick.objects.order_by("number"))
    assert [tick.number for tick in missed] == [0, 1, 2, 3]
    assert {tick.state for tick in missed} == {Tick.State.MISSED}
    assert {tick.reason for tick in missed} == {ticks.MISSED_REASON}
    assert all(tick.closed_at is not None for tick in missed)
    for tick in missed:
        assert acting.open_tick(tick_id=tick.pk, epoch=lease.epoch) == []
        assert acting.close_tick(tick_id=tick.pk, epoch=lease.epoch) is None

    Season.objects.filter(pk=season.pk).update(clock_at=tick_at(season, 4) + timedelta(seconds=1))
    tick = ticks.claim_tick(lease)
    assert (tick.number, tick.state) == (4, Tick.State.OPEN)
    for ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
        acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    assert acting.close_tick(tick_id=tick.pk, epoch=tick.epoch).state == Tick.State.CLOSED
    # The accounts met every bar on the way, and were marked at each.
    assert EquityPoint.objects.filter(at=tick.at).count() == 3
    assert set(Decision.objects.values_list("tick__number", flat=True)) == {4}


def test_A4_the_last_tick_is_never_missed(season):
    """Everybody must be marked at the end, however late that is done."""
    set_speed(season, 1.0)
    lease = hold_one(season, "ada")
    Season.objects.filter(pk=season.pk).update(clock_at=season.ends_at + timedelta(days=1))
    tick = ticks.claim_tick(lease)
    assert (tick.number, tick.state) == (10, Tick.State.OPEN)
    assert Tick.objects.filter(state=Tick.State.MISSED).count() == 10
    assert acting.open_tick(tick_id=tick.pk, epoch=tick.epoch) == []
    acting.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    season.refresh_from_db()
    assert (season.state, season.clock_at) == (Season.State.FINAL, season.ends_at)
    assert EquityPoint.objects.filter(at=season.ends_at).count() == 3


def test_A3_a_lost_message_is_found_again_whichever_it_was(season, sent):
    """The broker loses everything once; the dispatcher asks the database what is missing, and sends that."""
    dispatcher = Dispatcher()
    dispatcher.turn()
    (opened,) = sent
    assert opened[0] == graph.OPEN_TICK
    tick = Tick.objects.get()

    def swept():
        sent.clear()
        dispatcher._sent_at[tick.pk] = float("-inf")
        dispatcher.turn()
        return list(sent)

    assert swept() == [opened]
    (chunk,) = acting.open_tick(**opened[1])
    assert swept() == [(graph.ACT, {"tick_id": tick.pk, "epoch": tick.epoch, "entry_ids": sorted(chunk)})]
    # One of three acted before its task was lost: only the others are asked for.
    acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=chunk[:1])
    assert swept() == [(graph.ACT, {"tick_id": tick.pk, "epoch": tick.epoch, "entry_ids": sorted(chunk[1:])})]
    acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=chunk)
    assert swept() == [(graph.CLOSE_TICK, {"tick_id": tick.pk, "epoch": tick.epoch})]
    acting.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    assert swept() == [(graph.OPEN_TICK, {"tick_id": tick.pk + 1, "epoch": tick.epoch})]


def test_A3_another_dispatcher_finds_the_tick_that_a_dead_one_left_open(season, sent):
    first = Dispatcher()
    first.turn()
    run_out(season)
    second = Dispatcher()
    second.turn()
    tick = Tick.objects.get()
    assert tick.epoch == second.leases[0].epoch
    # It is not sent at once, for a task of the first may be under way; but the sweep finds it.
    second._sent_at[tick.pk] = float("-inf")
    second.turn()
    assert sent[-1] == (graph.OPEN_TICK, {"tick_id": tick.pk, "epoch": tick.epoch})
    # What the first one had sent arrives late, and does nothing.
    assert acting.open_tick(**sent[0][1]) == []


def test_A3_a_tick_whose_deadline_passed_is_closed_without_those_who_are_silent(season, sent):
    set_speed(season, 1.0)
    dispatcher = Dispatcher()
    dispatcher.turn()
    acting.open_tick(**sent[0][1])
    Season.objects.filter(pk=season.pk).update(clock_at=season.starts_at + timedelta(seconds=61))
    dispatcher._sent_at.clear()
    dispatcher.turn()
    tick = Tick.objects.get()
    dispatcher._sent_at[tick.pk] = float("-inf")
    dispatcher.turn()
    assert sent[-1] == (graph.CLOSE_TICK, {"tick_id": tick.pk, "epoch": tick.epoch})
    assert acting.close_tick(tick_id=tick.pk, epoch=tick.epoch).state == Tick.State.CLOSED
    assert set(Decision.objects.values_list("state", flat=True)) == {Decision.State.MISSED}
    assert Decision.objects.count() == 3
