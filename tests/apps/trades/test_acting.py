"""Every step of a tick may run zero, one or three times, or beside itself, and one that fails is alone with it."""

import hashlib
import threading
import time
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.db import connections
from django.utils.html import escape

from apps.accounts.models import Account
from apps.arenas.models import Entry, Season, Tick
from apps.arenas.services import ticks
from apps.leaderboard.models import Standing
from apps.leaderboard.services import closing, standings
from apps.market.services import make_instant
from apps.trades import selectors
from apps.trades.models import Decision, EquityPoint, Order, Position
from apps.trades.services import acting
from apps.trades.services.deciding import Allowance
from apps.trades.services.streaming import Stream
from bitnerve.domain.decisions.decision import BUY, OrderRequest, hold
from bitnerve.domain.decisions.decision import Decision as Wish
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, parse_instant
from bitnerve.domain.trading import orders
from bitnerve.engine.export import make_books
from tests.apps.trades.arena import open_season, simulated_market
from tests.apps.trades.rows import check_rows
from tests.apps.trades.together import run_together

START = parse_instant("2026-01-01", field="start")
STARTS_AT = make_instant(START)


class Trades(Strategy):
    """Buys when flat and sells when not, in one symbol after the other: every tick moves the account."""

    name = "trades"
    summary = "Trades at every tick."

    def decide(self, view, signals):
        column = view.bar % len(view.symbols)
        lots = view.instruments[column].min_quantity * 20
        if view.quantity(column):
            side = -1 if view.quantity(column) > 0 else 1
            return Wish("CLOSE", "enough", (OrderRequest(view.symbols[column], side, 0, close_position=True),), 0.5)
        return Wish("BUY", "why not", (OrderRequest(view.symbols[column], BUY, lots, leverage=3),), 0.25)


class Does(Strategy):
    """Does whatever a test wants."""

    name = "does"
    summary = "Anything."

    def __init__(self, what):
        super().__init__()
        self.what = what

    def decide(self, view, signals):
        return self.what(view)


@pytest.fixture
def enter(committed_db, monkeypatch):
    """Open a season for named strategies, which are found again by the names of their entries."""

    def open_for(strategies, *, minutes=50, **rules):
        agents = [Agent(name, strategy) for name, strategy in strategies.items()]
        for module in (acting, selectors):
            monkeypatch.setattr(module, "agent_of", lambda entry: Agent(entry.name, strategies[entry.name]))
        market = simulated_market(seed=3, start_at=START - DAY_MS, symbol_count=3)
        return open_season(
            market, starts_at=STARTS_AT, ends_at=STARTS_AT + timedelta(minutes=minutes), seed=3, agents=agents, **rules
        )

    return open_for


def claim(season: Season) -> Tick:
    (lease,) = ticks.hold_leases(holder="test", seconds=600)
    return ticks.claim_tick(lease)


def facts() -> str:
    """Return one hash of every row that a tick writes, the database's own times and row ids apart."""
    digest = hashlib.sha256()
    with connections["default"].cursor() as cursor:
        for query in (
            "SELECT number, state, reason FROM arenas_tick ORDER BY number",
            """SELECT t.number, e.name, d.state, d.action, d.reason, d.verdict, d.orders, d.arrived_at, d.chain_sha256
               FROM trades_decision d JOIN arenas_tick t ON t.id = tick_id JOIN arenas_entry e ON e.id = entry_id
               ORDER BY 1, 2""",
            "SELECT name, cash, locked, sequence, tick, ordinal, played_until, chain_sha256 FROM accounts_account "
            "ORDER BY 1",
            "SELECT order_id, status, filled, ended_at FROM trades_order ORDER BY 1",
            "SELECT fill_id, price, quantity, fee, realized_pnl FROM trades_fill ORDER BY 1",
            "SELECT account_id, at, equity, chain_sha256 FROM trades_equitypoint ORDER BY 1, 2",
            "SELECT account_id, at, instrument_id, quantity FROM trades_positionpoint ORDER BY 1, 2, 3",
            "SELECT account_id, instrument_id, quantity, cost_basis FROM trades_position ORDER BY 1, 2",
            "SELECT entry_id, rank, equity, trades FROM leaderboard_standing ORDER BY 1",
        ):
            cursor.execute(query)
            digest.update(repr(cursor.fetchall()).encode())
    return digest.hexdigest()


def run_tick(season: Season, times: dict[str, int], *, at_once: bool) -> None:
    """Run a tick with each step as often as `times` says, one after the other or all at the same moment."""
    tick = claim(season)
    epoch = tick.epoch

    def repeat(step, call):
        calls = [call] * times[step]
        found = run_together(calls) if at_once else [one() for one in calls]
        return found[0]

    chunks = repeat("open", lambda: acting.open_tick(tick_id=tick.pk, epoch=epoch))
    for ids in chunks:
        repeat("act", lambda ids=ids: acting.act(tick_id=tick.pk, epoch=epoch, entry_ids=ids))
    repeat("close", lambda: closing.close_tick(tick_id=tick.pk, epoch=epoch))


@pytest.mark.parametrize("quotes", [0, MINUTE_MS], ids=["bars", "quotes"])
def test_a_step_run_once_thrice_or_at_once_gives_the_same_rows(enter, quotes):
    """The same four ticks, in three ways; the accounts trade at each of them."""
    # Tests whose rows were rolled back have used up row ids.
    empty()
    found = []
    for times, at_once in ((1, False), (3, False), (3, True)):
        season = enter({"ada": Trades(), "bob": Trades()}, quote_every_ms=quotes)
        for _ in range(4):
            run_tick(season, {"open": times, "act": times, "close": times}, at_once=at_once)
        found.append(facts())
        assert Order.objects.count() >= 8
        assert Tick.objects.filter(state=Tick.State.CLOSED).count() == 4
        empty()
    assert found[0] == found[1] == found[2]


def empty() -> None:
    from django.apps import apps

    from tests import conftest

    connections["default"].close()
    tables = ", ".join(f'"{model._meta.db_table}"' for model in apps.get_models() if model._meta.managed)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    connections["owner"].close()
    conftest._forget()


def test_a_step_that_never_ran_leaves_the_tick_open(enter):
    """A close before everybody has acted, and an act before the snapshot is there, do nothing."""
    season = enter({"ada": Trades()})
    tick = claim(season)
    (entry,) = Entry.objects.all()
    assert acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=[entry.pk]).decided == 0
    acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is None
    assert Decision.objects.count() == 0
    assert Tick.objects.get().state == Tick.State.OPEN


def nonsense(view):
    return "buy everything"


NONSENSE = {
    "none": (lambda view: None, "NoneType is not a decision"),
    "text": (nonsense, "str is not a decision"),
    "raises": (lambda view: 1 // 0, "ZeroDivisionError"),
    "leaves": (lambda view: (_ for _ in ()).throw(SystemExit(3)), "SystemExit"),
    "cannot_say": (lambda view: (_ for _ in ()).throw(Unspeakable()), "Unspeakable"),
    "nan": (lambda view: hold("sure?", confidence=float("nan")), "confidence nan"),
    "sure": (lambda view: hold("sure!", confidence=7), "confidence 7"),
    "orders": (lambda view: Wish("BUY", "one", 5), "not a sequence"),
    "no_order": (lambda view: Wish("BUY", "one", ("BTC",)), "str is not an order"),
    "half": (lambda view: ask(view, quantity=1.5), "quantity 1.5 is not a whole number"),
    "less": (lambda view: ask(view, quantity=-5), "quantity is below zero"),
    "vast": (lambda view: ask(view, quantity=10**3000), "more than 256 bits"),
    "side": (lambda view: ask(view, side=0), "neither buy nor sell"),
    "type": (lambda view: ask(view, type=99), "type 99"),
    "liquidates": (lambda view: ask(view, reason=orders.LIQUIDATED), "nobody's to ask for"),
    "flag": (lambda view: ask(view, reduce_only="yes"), "reduce_only"),
    "nul_symbol": (lambda view: Wish("BUY", "x", (OrderRequest("B\0TC", BUY, 1),)), "symbol"),
    "action": (lambda view: Wish("", "no word"), "action"),
    "number_reason": (lambda view: Wish("HOLD", 5), "reason is int"),
}


class Unspeakable(Exception):
    """Cannot even be put into words."""

    def __str__(self):
        raise ValueError("no words")


def ask(view, **fields):
    values = {"symbol": view.symbols[0], "side": BUY, "quantity": 1, **fields}
    return Wish("BUY", "try", (OrderRequest(**values),))


def test_an_entry_that_fails_or_talks_nonsense_holds_and_the_others_trade(enter):
    """Each beside two who trade; all in one chunk."""
    strategies = {name: Does(what) for name, (what, _) in NONSENSE.items()}
    season = enter({"aaa": Trades(), **strategies, "zzz": Trades()})
    run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    said = {one.entry.name: one for one in Decision.objects.select_related("entry")}
    assert len(said) == len(strategies) + 2
    for name, (_, words) in NONSENSE.items():
        assert said[name].action == "HOLD", name
        assert words in said[name].reason, name
        assert said[name].state == Decision.State.DECIDED
    assert {said[name].action for name in ("aaa", "zzz")} == {"BUY"}
    assert Order.objects.count() == 2
    assert not Entry.objects.exclude(state=Entry.State.ACTIVE).exists()
    assert Tick.objects.get().state == Tick.State.CLOSED


def test_what_a_governor_can_refuse_is_refused_by_its_rule(enter):
    """Absurd but well formed: recorded as it was asked, refused with a rule, and nothing is traded."""
    asked = {
        "unknown": (lambda view: Wish("BUY", "?", (OrderRequest("NOSUCHUSDT", BUY, 1),)), "UNKNOWN_SYMBOL"),
        "huge": (lambda view: ask(view, quantity=10**40, limit_price=10**40), "PRICE_BAND"),
        "levered": (lambda view: ask(view, leverage=10**30), "LEVERAGE"),
        "many": (lambda view: Wish("BUY", "?", (OrderRequest(view.symbols[0], BUY, 10),) * 60), "TOO_MANY_ORDERS"),
        "numpy": (lambda view: ask(view, quantity=np.int64(2**62), limit_price=np.int64(2**62)), "PRICE_BAND"),
    }
    season = enter({"aaa": Trades(), **{name: Does(what) for name, (what, _) in asked.items()}})
    run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    said = {one.entry.name: one for one in Decision.objects.select_related("entry")}
    for name, (_, rule) in asked.items():
        assert rule in said[name].verdict, name
        assert said[name].orders
    assert said["aaa"].verdict == "ACCEPTED"
    assert check_books(make_books(run=selectors.load_run(season)))


def test_a_reason_of_any_text_is_stored_as_far_as_it_can_be(enter):
    texts = {"nul": "a\0b", "long": "x" * 10_240, "half": "broken \ud800 pair", "none": "", "odd": "🙂 “–” \u202e"}
    season = enter({name: Does(lambda view, text=text: hold(text)) for name, text in texts.items()})
    run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    said = dict(Decision.objects.values_list("entry__name", "reason"))
    assert said == {"nul": "ab", "long": "x" * 500, "half": "broken ? pair", "none": "", "odd": texts["odd"]}


def spin(view):
    while True:
        pass


def test_A7_an_entry_that_hangs_holds_and_the_others_are_on_time(enter, monkeypatch):
    """One spins, one sleeps in the system; at the next tick neither costs the others anything."""
    monkeypatch.setattr(acting, "ALLOWED_STEPPED", Allowance(strategy=0.5, signals=20.0, together=20.0))
    asleep = threading.Event()
    asked = []

    def sleep(view):
        asked.append(view.bar)
        asleep.wait(60)
        return hold("woken")

    season = enter({"ada": Trades(), "rests": Does(sleep), "spins": Does(spin), "zoe": Trades()})
    for _ in range(3):
        run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    said = {(one.tick.number, one.entry.name): one for one in Decision.objects.select_related("entry", "tick")}
    assert said[0, "rests"].reason == said[0, "spins"].reason == "the strategy took longer than 0.5 s"
    # The one inside the system cannot be ended and is not asked again; the one that spins was ended.
    assert said[1, "rests"].reason == said[2, "rests"].reason == "the strategy has not come back from an earlier tick"
    assert len(asked) == 1
    for number in range(3):
        assert {said[number, name].action for name in ("ada", "zoe")} <= {"BUY", "CLOSE"}
        assert said[number, "spins"].action == "HOLD"
    asleep.set()
    until = time.monotonic() + 30
    while any(thread.name == "strategies" and thread.is_alive() for thread in threading.enumerate()):
        assert time.monotonic() < until, "a thread was left behind for good"
        threading.Event().wait(0.05)


def test_A7_signals_that_hang_hold_those_who_use_them_alone(enter, monkeypatch):
    monkeypatch.setattr(acting, "ALLOWED_STEPPED", Allowance(strategy=20.0, signals=0.5, together=20.0))

    class Broods(Trades):
        name = "broods"

        def signals(self, history):
            spin(None)

    season = enter({"ada": Trades(), "broods": Broods(), "zoe": Trades()})
    run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    said = dict(Decision.objects.values_list("entry__name", "reason"))
    assert said["broods"] == "the strategy's signals took longer than 0.5 s"
    assert said["ada"] == said["zoe"] == "why not"


def test_one_account_that_breaks_is_halted_and_the_others_trade(enter, monkeypatch):
    """Not the strategy but what is done with its decision breaks, as only a bug can make it."""
    season = enter({"ada": Trades(), "bob": Trades(), "cyd": Trades()})
    rule = acting._rule

    def break_bob(desk, number, decision, arrived_at):
        if desk.agents[number].name == "bob":
            raise RuntimeError("a bug\0")
        return rule(desk, number, decision, arrived_at)

    monkeypatch.setattr(acting, "_rule", break_bob)
    for _ in range(2):
        run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    bob = Entry.objects.get(name="bob")
    assert (bob.state, bob.halted_because) == (Entry.State.HALTED, "RuntimeError: a bug")
    assert set(Decision.objects.values_list("entry__name", flat=True)) == {"ada", "cyd"}
    assert Decision.objects.count() == 4
    # It is marked on.
    assert EquityPoint.objects.filter(account__entry=bob).count() == 2


def test_what_breaks_everybody_halts_nobody(enter, monkeypatch):
    season = enter({"ada": Trades(), "bob": Trades()})
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)

    def fail(*given):
        raise RuntimeError("everywhere")

    with monkeypatch.context() as patch:
        patch.setattr(acting, "_rule", fail)
        with pytest.raises(RuntimeError):
            acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    assert not Entry.objects.exclude(state=Entry.State.ACTIVE).exists()
    assert acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids).complete


def worth_too_much():
    return {"quantity": Decimal(10) ** 10}


def of_another_market():
    other = simulated_market(seed=4, start_at=START - DAY_MS, symbol_count=1, slug="other")
    return {"instrument_id": other.instruments.get().pk}


@pytest.mark.parametrize("wrong", [worth_too_much, of_another_market])
@pytest.mark.parametrize("quotes", [0, MINUTE_MS], ids=["bars", "quotes"])
def test_an_account_that_breaks_while_it_is_played_holds_nobody_up(enter, client, quotes, wrong):
    """A row of one account is wrong: its entry is halted and says why, the others are played, marked and ranked."""
    season = enter({"ada": Trades(), "bob": Trades(), "cyd": Trades()}, quote_every_ms=quotes)
    once = {"open": 1, "act": 1, "close": 1}
    for _ in range(2):
        run_tick(season, once, at_once=False)
    held = Position.objects.exclude(quantity=0).filter(account__name="bob")
    right, standing = held.values("quantity", "instrument_id").get(), Standing.objects.get(entry__name="bob")
    held.update(**wrong())

    if quotes:
        Season.objects.update(clock_at=STARTS_AT + timedelta(minutes=8))
        stream = Stream(season.pk)
        for _ in range(2):
            assert stream.turn()
            assert stream.worth.keys() == {"ada", "cyd"}
    for number in (2, 3):
        run_tick(season, once, at_once=False)
        # As in a process that has just been started.
        standings.forget_boards()
        tick = Tick.objects.get(number=number)
        assert tick.state == Tick.State.CLOSED
        assert set(Decision.objects.filter(tick=tick).values_list("entry__name", flat=True)) == {"ada", "cyd"}
        for one in Standing.objects.exclude(entry__name="bob").select_related("entry"):
            assert one.as_of == tick.at
            assert one.equity == EquityPoint.objects.get(account=one.entry.account_id, at=tick.at).equity
    bob = Entry.objects.get(name="bob")
    assert bob.state == Entry.State.HALTED
    assert bob.halted_because.split(":")[0] == {worth_too_much: "OverflowError", of_another_market: "KeyError"}[wrong]
    # It keeps the figures of its own last tick, and a rank among the others.
    assert facts_of(Standing.objects.get(entry=bob)) == facts_of(standing)
    assert sorted(Standing.objects.values_list("rank", flat=True)) == [1, 2, 3]
    board, page = (client.get(address).content.decode() for address in ("/arenas/arena/leaderboard/", "/agents/bob/"))
    assert f'data-field="state" title="{escape(bob.halted_because)}">halted</i>' in board
    assert f"<span>{escape(bob.halted_because)}</span>" in page

    # Set right again, it is marked at whatever it has missed.
    held.update(**right)
    run_tick(season, once, at_once=False)
    assert EquityPoint.objects.filter(account__name="bob").count() == 5
    assert set(Standing.objects.values_list("as_of", flat=True)) == {Tick.objects.get(number=4).at}
    check_rows()


def facts_of(standing):
    return {name: value for name, value in vars(standing).items() if name not in ("_state", "rank")}


@pytest.mark.parametrize("count", [1, 3])
def test_what_breaks_everybody_while_they_are_played_is_raised(enter, monkeypatch, count):
    season = enter({f"entry-{number}": Trades() for number in range(count)}, quote_every_ms=MINUTE_MS)
    run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)

    def fail(*given):
        raise RuntimeError("everywhere")

    with monkeypatch.context() as patch:
        patch.setattr(acting.Desk, "play_until", fail)
        for call in (
            lambda: acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids),
            Stream(season.pk).turn,
        ):
            with pytest.raises(RuntimeError, match="everywhere"):
                call()
        # Its deadline is over, and still nobody is to blame.
        Season.objects.filter(pk=season.pk).update(clock_at=tick.deadline_at + timedelta(seconds=1), speed=1e-6)
        with pytest.raises(RuntimeError, match="everywhere"):
            closing.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    assert not Entry.objects.exclude(state=Entry.State.ACTIVE).exists()
    assert acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids).decided == 0
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch).state == Tick.State.CLOSED


def test_a_decision_that_comes_after_the_deadline_is_missed(enter, monkeypatch):
    """The clock runs on while the strategy thinks; its orders reach no venue."""
    season = enter({"ada": Trades()}, quote_every_ms=MINUTE_MS, speed=1.0)
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)
    late = tick.deadline_at + timedelta(seconds=1)

    def think(**given):
        Season.objects.filter(pk=season.pk).update(clock_at=late)
        return [ask_late(given["desk"])]

    def ask_late(desk):
        return Wish("BUY", "at last", (OrderRequest(desk.symbols[0], BUY, 10),))

    monkeypatch.setattr(acting, "decide", think)
    acted = acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    assert (acted.decided, acted.complete) == (0, False)
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch).state == Tick.State.CLOSED
    decision = Decision.objects.get()
    assert (decision.state, decision.action, decision.verdict) == ("MISSED", "HOLD", "MISSED")
    assert decision.arrived_at >= tick.deadline_at
    assert Order.objects.count() == 0


@pytest.mark.parametrize("quotes", [0, MINUTE_MS], ids=["bars", "quotes"])
def test_an_account_that_somebody_moves_meanwhile_is_decided_for_once_and_loses_nothing(enter, monkeypatch, quotes):
    """While `act` decides at a tick, `play` moves one of the accounts on; act is superseded and tries again."""
    strategies = {"ada": Trades(), "bob": Trades()}
    season = enter(strategies, quote_every_ms=quotes)
    for _ in range(2):
        run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)
    decide, asked, stored = acting.decide, [], []
    store = acting.store

    def interfere(**given):
        asked.append([agent.name for agent in given["agents"]])
        if len(asked) == 1:
            ada = list(Entry.objects.filter(name="ada").select_related("version", "account"))
            acting.play(season=season, until=tick.at, entries=ada)
            if not quotes:
                # Up to the tick without what is done there: as if a closer had been first.
                Account.objects.filter(name="ada").update(revision=Account.objects.get(name="ada").revision + 1)
        return decide(**given)

    def count(sitting, at, epoch, ruled):
        done = store(sitting, at, epoch, ruled)
        if at is not None:
            stored.append(done)
        return done

    monkeypatch.setattr(acting, "decide", interfere)
    monkeypatch.setattr(acting, "store", count)
    assert acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids).complete
    assert stored[0] is False
    assert stored[-1] is True
    closing.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    assert Decision.objects.filter(tick=tick).count() == 2
    # Both did the same thing at every tick, so they must have the same money: nothing was lost, nothing done twice.
    ada, bob = Account.objects.get(name="ada"), Account.objects.get(name="bob")
    assert (ada.cash, ada.equity, ada.sequence) == (bob.cash, bob.equity, bob.sequence)
    check_rows()
    if not quotes:
        assert check_books(make_books(run=selectors.load_run(season)))


@pytest.mark.parametrize("names", [("ada",), ("ada", "bob")], ids=len)
def test_who_is_decided_for_before_the_account_is_read_is_not_at_fault(enter, monkeypatch, names):
    """Another worker is done with the same entries between when they are looked for and when they are read."""
    season = enter({name: Trades() for name in names})
    tick = claim(season)
    (ids,) = acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)
    sit = acting.sit

    def be_late(*given):
        monkeypatch.setattr(acting, "sit", sit)
        assert acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids).decided == len(names)
        return sit(*given)

    monkeypatch.setattr(acting, "sit", be_late)
    late = acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    assert (late.decided, late.complete) == (0, True)
    assert Decision.objects.count() == Order.objects.count() == len(names)
    assert not Entry.objects.exclude(state=Entry.State.ACTIVE).exists()


def test_stream_and_tasks_at_once_lose_nothing(enter):
    """The stream plays quotes in one thread while ticks open, act and close in another; the books stay clean."""
    season = enter({"ada": Trades(), "bob": Trades()}, quote_every_ms=MINUTE_MS, speed=600.0, deadline_ms=240_000)
    ended = threading.Event()
    ticks.hold_leases(holder="test", seconds=600)

    def stream():
        one = Stream(season.pk)
        while not ended.is_set():
            one.turn()
            ended.wait(0.02)

    def tasks():
        until = time.monotonic() + 60
        try:
            while Season.objects.get(pk=season.pk).state != Season.State.FINAL:
                assert time.monotonic() < until, "the season does not end"
                tick = claim(season)
                if tick is None or tick.state != Tick.State.OPEN:
                    ended.wait(0.05)
                    continue
                for ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
                    acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
                while closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is None:
                    assert time.monotonic() < until, "the tick does not close"
                    ended.wait(0.05)
        finally:
            ended.set()

    run_together([stream, tasks])
    # Marked at the start, at every tick's time and at the end, whoever played there.
    assert EquityPoint.objects.count() == 2 * 11
    check_rows()
    assert Standing.objects.count() == 2


def test_the_last_close_that_dies_half_way_is_found_again_with_its_standings(enter, monkeypatch):
    """Whoever closes the last tick ranks everybody in the same transaction: after it nobody would come again."""
    season = enter({"ada": Trades()}, minutes=5)
    run_tick(season, {"open": 1, "act": 1, "close": 1}, at_once=False)
    tick = claim(season)
    acting.open_tick(tick_id=tick.pk, epoch=tick.epoch)

    def die(*given):
        raise SystemError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(closing.standings, "update_standings", die)
        with pytest.raises(SystemError):
            closing.close_tick(tick_id=tick.pk, epoch=tick.epoch)
    season.refresh_from_db()
    assert season.state == Season.State.LIVE
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch).state == Tick.State.CLOSED
    assert Standing.objects.get().as_of == season.ends_at
