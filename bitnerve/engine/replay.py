"""What would these agents have done on this market, tick after tick?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.errors import BrokenInvariant, Refusal
from bitnerve.domain.market.instrument import Instrument, bitcoin_column
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.signals.indicators import observed_closes, observed_prices, observed_turnover
from bitnerve.domain.strategies.base import History
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import ceil_to, floor_to, instant_text, interval_text
from bitnerve.domain.trading import account
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.units import SCALE
from bitnerve.engine.run import UNSTATED, AgentCard, DecisionLog, Run
from bitnerve.engine.snapshots import begin_snapshots, snapshot_digest
from bitnerve.engine.tables import make_tables
from bitnerve.engine.world import World

NO_ORDERS = "NO_ORDERS"
"""The verdict on a decision that asks for nothing."""

Progress = Callable[[World, int, int], None]
"""Called after every tick with the world, the ticks done and the ticks to do."""


class BadWindow(Refusal):
    """A tick length, a start and an end that do not fit the bars or each other."""

    code = "BAD_WINDOW"


class BadAgent(BrokenInvariant):
    """A strategy that raised, or that decided something that is not a decision."""


@dataclass(frozen=True, slots=True)
class Window:
    """The ticks of a run: bar indices of the first and the last equity row, and the bars between two ticks."""

    first: int
    last: int
    step: int

    @property
    def tick_count(self) -> int:
        """The number of equity rows, both ends included."""
        return (self.last - self.first) // self.step + 1


def choose_window(recording: Recording, *, tick_ms: int, start_at: int | None, until: int | None) -> Window:
    """Return the ticks from `start_at` (inclusive) to `until` (exclusive) in milliseconds, or raise `BadWindow`.

    Without bounds the run takes all bars, from the first tick boundary to the last.
    """
    interval = recording.candles.interval_ms
    if tick_ms % interval:
        raise BadWindow(f"tick: {interval_text(tick_ms)} is not a multiple of the bars' {interval_text(interval)}")
    begin, end = recording.bar_at(0), recording.bar_at(recording.bar_count)
    first = ceil_to(begin, tick_ms) if start_at is None else start_at
    last = floor_to(end, tick_ms) if until is None else until
    for name, at in (("from", first), ("to", last)):
        if at % tick_ms:
            raise BadWindow(f"{name}: {instant_text(at)} is not on the {interval_text(tick_ms)} tick grid")
        if not begin <= at <= end:
            raise BadWindow(
                f"{name}: {instant_text(at)} lies outside the bars, {instant_text(begin)} to {instant_text(end)}"
            )
    if first >= last:
        raise BadWindow(f"from: {instant_text(first)} is not before to: {instant_text(last)}")
    return Window((first - begin) // interval, (last - begin) // interval, tick_ms // interval)


def make_history(recording: Recording) -> History:
    """Return the recording as signals see it."""
    candles = recording.candles
    return History(
        symbols=recording.symbols,
        bitcoin=bitcoin_column(recording.symbols),
        first_bar=candles.start_at // candles.interval_ms,
        interval_ms=candles.interval_ms,
        open=observed_prices(candles.open, volume=candles.volume),
        high=observed_prices(candles.high, volume=candles.volume),
        low=observed_prices(candles.low, volume=candles.volume),
        close=observed_closes(candles),
        turnover=observed_turnover(candles),
    )


class AgentView:
    """One agent's sight of the world at a tick; satisfies `strategies.base.View`."""

    def __init__(self, world: World, a: int) -> None:
        self._world = world
        self._a = a
        self.agent = world.agents[a].name
        self.symbols = world.symbols
        self.instruments: tuple[Instrument, ...] = world.instruments
        self.seed = world.seed

    @property
    def at(self) -> int:
        """The instant of the tick, in milliseconds."""
        return self._world.recording.bar_at(self._world.bar)

    @property
    def bar(self) -> int:
        """The next bar to open."""
        return self._world.bar

    @property
    def equity(self) -> int:
        """Equity at this tick's marks, in money units."""
        return self._world.equities[self._a]

    @property
    def cash(self) -> int:
        """Wallet balance in money units."""
        return int(self._world.exchange.accounts[self._a, account.CASH])

    def mark(self, column: int) -> int:
        """Return the mark price of a symbol, 0 before its first bar."""
        return int(self._world.mark[self._world.bar, column])

    def quantity(self, column: int) -> int:
        """Return the position in lots."""
        return self._world.quantities[self._a][column]

    def has_orders(self, column: int) -> bool:
        """Return whether an order that may open or add still works for a symbol."""
        return column in self.pending

    @property
    def pending(self) -> tuple[int, ...]:
        """The columns of the symbols for which an order that may open or add still works."""
        return self._world.pending(self._a)

    @property
    def held(self) -> tuple[int, ...]:
        """The columns of the symbols with an open position."""
        return self._world.held[self._a]


class Snapshots:
    """The content hash of what can be seen at each tick, as `engine.snapshots` says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._digest = begin_snapshots(world.symbols)
        self._seen = 0

    def take(self) -> str:
        """Return the hash at the world's instant, in hex."""
        bar = self._world.bar
        self._digest = snapshot_digest(self._digest, self._world.bars, self._world.mark, self._seen, bar)
        self._seen = bar
        return self._digest.hex()


class _Minutes:
    """Keeps the decisions of a run while it goes on."""

    def __init__(self) -> None:
        self._texts: defaultdict[str, int] = defaultdict()
        # A text that nobody has said before gets the next number.
        self._texts.default_factory = self._texts.__len__
        self._snapshots: list[str] = []
        self._action: list[int] = []
        self._reason: list[int] = []
        self._verdict: list[int] = []
        self._confidence: list[int] = []

    def write(self, snapshot: str, decisions: Sequence[Decision], verdicts: Sequence[str]) -> None:
        """Write the decisions of all agents at the next tick."""
        number = self._texts
        self._snapshots.append(snapshot)
        self._action += [number[one.action] for one in decisions]
        self._reason += [number[one.reason] for one in decisions]
        self._verdict += [number[verdict] for verdict in verdicts]
        self._confidence += [UNSTATED if one.confidence is None else round(one.confidence * SCALE) for one in decisions]

    def close(self) -> DecisionLog:
        shape = len(self._snapshots), -1
        return DecisionLog(
            action=np.array(self._action, dtype=np.int32).reshape(shape),
            confidence=np.array(self._confidence, dtype=np.int64).reshape(shape),
            reason=np.array(self._reason, dtype=np.int32).reshape(shape),
            verdict=np.array(self._verdict, dtype=np.int32).reshape(shape),
            texts=tuple(self._texts),
            snapshots=tuple(self._snapshots),
        )


def replay(
    *,
    recording: Recording,
    agents: Sequence[Agent],
    capital: int,
    tick_ms: int,
    start_at: int | None = None,
    until: int | None = None,
    seed: int = 0,
    rules: Rules | None = None,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run agents over a recording and return all that happened; the same arguments give the same run, bit for bit.

    `capital` is in money units. At every tick all accounts are marked, all agents decide on the same snapshot, and
    their orders meet the market from the bar that opens then.
    """
    window = choose_window(recording, tick_ms=tick_ms, start_at=start_at, until=until)
    agents = tuple(sorted(agents, key=lambda agent: agent.name))
    rules = rules or Rules()
    world = World(
        market=make_tables(recording),
        agents=agents,
        capital=capital,
        rules=rules,
        limits=limits or Limits(),
        seed=seed,
        tick_count=window.tick_count,
    )
    signals = _compute_signals(make_history(recording), agents)
    views = [AgentView(world, a) for a in range(len(agents))]
    seats = list(zip(agents, views, signals, strict=True))
    snapshots = Snapshots(world)
    minutes = _Minutes()
    world.start_at(window.first)
    for tick in range(window.tick_count - 1):
        snapshot = snapshots.take()
        decisions = [agent.strategy.decide(view, signal) for agent, view, signal in seats]
        verdicts = [world.submit(a, one).verdict if one.orders else NO_ORDERS for a, one in enumerate(decisions)]
        minutes.write(snapshot, decisions, verdicts)
        world.advance(world.bar + window.step)
        if progress:
            progress(world, tick + 1, window.tick_count - 1)
    return Run(
        recording=recording,
        rules=rules,
        capital=capital,
        tick_ms=tick_ms,
        seed=seed,
        agents=tuple(AgentCard(one.name, one.strategy.name, one.strategy.parameters) for one in agents),
        exchange=world.exchange,
        marks=world.marks,
        ticks=np.arange(window.tick_count, dtype=np.int64) * tick_ms + recording.bar_at(window.first),
        decisions=minutes.close(),
    )


def _compute_signals(history: History, agents: Sequence[Agent]) -> list[Any]:
    """Compute each distinct set of signals once."""
    computed: dict[tuple[Any, ...], Any] = {}
    for agent in agents:
        key = agent.strategy.signals_key
        if key not in computed:
            computed[key] = agent.strategy.signals(history)
    return [computed[agent.strategy.signals_key] for agent in agents]
