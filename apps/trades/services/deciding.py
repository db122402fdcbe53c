"""Ask strategies what they want, and be answered by all of them: a failure, a hang or nonsense is a HOLD.

Each strategy decides in a thread that is left behind when it takes too long, so that one which hangs costs the others
its time allowance once and nothing more (rule A7).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from apps.market.models import Market
from apps.trades.services.asking import Asker
from apps.trades.services.checking import checked
from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.strategies.base import History, Strategy
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.engine.desk import Desk
from bitnerve.engine.replay import AgentView, make_history
from bitnerve.engine.tables import MarketTables

HISTORY_BARS = 4032
"""Bars that signals are made from: two weeks of five minutes. The longest signal looks back eleven days."""

_signal_makers, _strategies = Asker("the strategy's signals"), Asker("the strategy")


@dataclass(frozen=True, slots=True)
class Allowance:
    """What deciding may take, in seconds of the wall clock."""

    strategy: float
    """One strategy, to decide."""
    signals: float
    """One strategy, to make signals of everything before: much is made at once, and shared."""
    together: float
    """All strategies of a desk, and all their signals once more."""


@dataclass(frozen=True, slots=True)
class _Computed:
    """The signals of bars [since, until) of a market, counted from `first`, the oldest that they were made from."""

    first: int
    since: int
    until: int
    signals: Any


class SignalShelf:
    """The newest signals of each strategy, kept while the market does not move past them.

    A signal at a bar is made from the bars before alone, bit for bit the same whatever comes after, so signals that
    reach further than a tick serve it too.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[Any, ...], _Computed] = {}
        self._histories: dict[int, tuple[MarketTables, int, History]] = {}
        """By market: the newest, for all strategies see the same."""
        self._lock = threading.Lock()

    def get(self, market: Market, tables: MarketTables, strategy: Strategy, bar: int) -> tuple[int, Any]:
        """Return the first bar that the signals know, and the signals of at least the bar before `bar`."""
        key = (market.pk, *strategy.signals_key)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or not kept.since < bar <= kept.until:
            first, since = max(0, bar - HISTORY_BARS), max(0, bar - 1)
            history = replace(self._history(market, tables, first), since=since - first)
            kept = _Computed(first, since, tables.recording.bar_count, strategy.signals(history))
            with self._lock:
                self._kept[key] = kept
        return kept.first, kept.signals

    def _history(self, market: Market, tables: MarketTables, first: int) -> History:
        with self._lock:
            known = self._histories.get(market.pk)
        if known is None or known[0] is not tables or known[1] != first:
            known = (tables, first, cut_history(tables, first))
            with self._lock:
                self._histories[market.pk] = known
        return known[2]


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
    allowance: Allowance,
) -> list[Decision]:
    """Return a decision for every agent of a desk; signals, which strategies share, are made before they are asked."""
    keys = [(market.pk, *agent.strategy.signals_key) for agent in agents]
    makers = {key: agent.strategy for key, agent in zip(keys, agents, strict=True)}
    made = _signal_makers.ask_all(
        {key: lambda one=one: shelf.get(market, tables, one, desk.bar) for key, one in makers.items()},
        seconds_each=allowance.signals,
        seconds=allowance.together,
    )

    def ask(number: int) -> Decision:
        first, signals = made[keys[number]]
        return checked(agents[number].strategy.decide(_View(desk, number, first), signals))

    able = [number for number, key in enumerate(keys) if not isinstance(made[key], Decision)]
    answers = _strategies.ask_all(
        {(market.pk, agents[number].name): lambda number=number: ask(number) for number in able},
        seconds_each=allowance.strategy,
        seconds=allowance.together,
    )
    return [
        made[key] if isinstance(made[key], Decision) else answers[market.pk, agent.name]
        for key, agent in zip(keys, agents, strict=True)
    ]
