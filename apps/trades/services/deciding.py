"""Ask strategies what they want, and be answered by all of them: a failure, a hang or nonsense is a HOLD.

Each strategy decides in a thread that is left behind when it takes too long, so that one which hangs costs the others
its time allowance and nothing more (rule A7).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.market.models import Market
from bitnerve.domain.decisions.decision import CancelRequest, Decision, OrderRequest, hold
from bitnerve.domain.strategies.base import History, Strategy
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.engine.desk import Desk
from bitnerve.engine.replay import AgentView, make_history
from bitnerve.engine.tables import MarketTables

HISTORY_BARS = 4032
"""Bars that signals are made from: two weeks of five minutes. The longest signal looks back eleven days."""
REASON_MAX = 500
"""Characters of a reason that are kept."""
ACTION_MAX = 32


@dataclass(frozen=True, slots=True)
class _Computed:
    """The signals of bars [first, until) of a market."""

    first: int
    until: int
    signals: Any


class SignalShelf:
    """The newest signals of each strategy, kept while the market does not move past them.

    A signal at a bar is made from the bars before alone, bit for bit the same whatever comes after, so signals that
    reach further than a tick serve it too.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], _Computed] = {}
        self._lock = threading.Lock()

    def get(self, market: Market, tables: MarketTables, strategy: Strategy, bar: int) -> tuple[int, Any]:
        """Return the first bar that the signals know, and the signals of at least the bars before `bar`."""
        key = (market.pk, *strategy.signals_key)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or not kept.first + min(bar, HISTORY_BARS) <= bar <= kept.until:
            first = max(0, bar - HISTORY_BARS)
            history = cut_history(tables, first)
            kept = _Computed(first, tables.recording.bar_count, strategy.signals(history))
            with self._lock:
                self._kept[key] = kept
        return kept.first, kept.signals


def cut_history(tables: MarketTables, first: int) -> History:
    """Return the market from a bar on as signals see it."""
    recording = tables.recording
    candles = recording.candles
    rows = {name: getattr(candles, name)[first:] for name in ("open", "high", "low", "close", "volume", "quote_volume")}
    shorter = type(candles)(candles.start_at + first * candles.interval_ms, candles.interval_ms, **rows)
    return make_history(replace(recording, candles=shorter))


class _View(AgentView):
    """An agent's sight, with bars counted from the first that its signals know."""

    def __init__(self, desk: Desk, a: int, first: int) -> None:
        super().__init__(desk, a)
        self._first = first

    @property
    def bar(self) -> int:
        """The next bar to open."""
        return self._world.bar - self._first


def decide(
    *,
    desk: Desk,
    market: Market,
    tables: MarketTables,
    agents: Sequence[Agent],
    shelf: SignalShelf,
    seconds_each: float,
    until: float,
) -> list[Decision]:
    """Return a decision for every agent of a desk.

    `seconds_each` is what one strategy may take, `until` when all must be done, by the monotonic clock.
    """

    # Strategies that share their signals share the time of making them.
    def ask(number: int) -> Decision:
        agent = agents[number]
        first, signals = shelf.get(market, tables, agent.strategy, desk.bar)
        return checked(agent.strategy.decide(_View(desk, number, first), signals))

    return ask_all(ask, len(agents), seconds_each=seconds_each, until=until)


def ask_all(ask: Callable[[int], Decision], count: int, *, seconds_each: float, until: float) -> list[Decision]:
    """Return what `ask` answers for each number, or a HOLD that says why there is no answer."""
    answers: list[Decision | None] = [None] * count
    begin = 0
    while begin < count:
        turn = _Turn(ask, answers, begin)
        stuck = turn.wait(seconds_each, until)
        if stuck is None:
            break
        answers[stuck] = hold(f"the strategy took longer than {seconds_each:g} s")
        begin = stuck + 1
        if time.monotonic() >= until:
            break
    return [answer or hold("no time was left to ask the strategy") for answer in answers]


class _Turn:
    """A thread that asks one after the other, and a watch over how long each takes."""

    def __init__(self, ask: Callable[[int], Decision], answers: list[Decision | None], begin: int) -> None:
        self._ask, self._answers = ask, answers
        self._given_up = False
        self._asking, self._since = begin, time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(begin,), name="strategies", daemon=True)
        self._thread.start()

    def _run(self, begin: int) -> None:
        from django.db import connection

        for number in range(begin, len(self._answers)):
            self._asking, self._since = number, time.monotonic()
            answer = self._answer(number)
            if self._given_up:
                break
            self._answers[number] = answer
        connection.close()
        self._done.set()

    def _answer(self, number: int) -> Decision:
        try:
            return self._ask(number)
        except Exception as error:
            return hold(f"the strategy failed: {type(error).__name__}: {error}"[:REASON_MAX])

    def wait(self, seconds_each: float, until: float) -> int | None:
        """Return None when all have answered, or the number of the one that is taking too long, and give it up."""
        while True:
            limit = min(self._since + seconds_each, until)
            if self._done.wait(max(0.0, limit - time.monotonic()) + 0.001):
                return None
            if time.monotonic() >= min(self._since + seconds_each, until):
                self._given_up = True
                return self._asking


class NotADecision(TypeError):
    """What a strategy returned is no decision, or asks for what is no order."""


def checked(decision: Any) -> Decision:
    """Return a strategy's answer if it is a decision that can be written down, else raise `NotADecision`."""
    if not isinstance(decision, Decision):
        raise NotADecision(f"{type(decision).__name__} is not a decision")
    if not isinstance(decision.action, str) or not 0 < len(decision.action) <= ACTION_MAX:
        raise NotADecision(f"the action {decision.action!r} is not a word of at most {ACTION_MAX} letters")
    if not isinstance(decision.reason, str):
        raise NotADecision(f"the reason is {type(decision.reason).__name__}, not text")
    stated = decision.confidence
    if stated is not None and not (isinstance(stated, int | float) and 0.0 <= stated <= 1.0):
        raise NotADecision(f"the confidence {stated!r} does not lie in 0..1")
    for request in decision.orders:
        if not isinstance(request, OrderRequest | CancelRequest):
            raise NotADecision(f"{type(request).__name__} is not an order")
    if len(decision.reason) > REASON_MAX or "\0" in decision.reason:
        return Decision(
            decision.action, decision.reason[:REASON_MAX].replace("\0", ""), decision.orders, decision.confidence
        )
    return decision
