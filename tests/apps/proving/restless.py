"""Seasons in the database in which much happens: every kind of order, protection, liquidations, late decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from apps.arenas.models import Entry, Season
from apps.arenas.services import ticks
from apps.leaderboard.services import closing
from apps.trades.services import acting
from bitnerve.domain.decisions.decision import CancelRequest, Decision, OrderRequest, close, hold
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.benchmarks import Cash
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.units import SCALE
from bitnerve.engine.desk import Desk

NAMES = ("ada", "bob", "cyd", "dee", "eve")
BOLD = Limits(
    leverage_max=50, symbol_share_max=40 * SCALE, daily_loss_max=SCALE, drawdown_max=SCALE, jump_max=10 * SCALE
)


def agents() -> list[Agent]:
    """Return entries whose own strategy does nothing; `decide` speaks for them."""
    return [Agent(name, Cash()) for name in NAMES]


def decide(*, desk: Desk, agents: Sequence[Agent], **_: Any) -> list[Decision]:
    """Return a decision of every agent: any kind of order, keyed by its name and the tick."""
    return [_decide(desk, a, agent.name) for a, agent in enumerate(agents)]


def _decide(desk: Desk, a: int, name: str) -> Decision:
    rng = np.random.default_rng([desk.bar, *name.encode()])
    if rng.random() < 0.45:
        return hold("nothing today", confidence=None if rng.random() < 0.5 else round(float(rng.random()), 3))
    column = int(rng.integers(len(desk.symbols)))
    symbol, contract = desk.symbols[column], desk.instruments[column]
    lots = int(desk.exchange.positions[a, column, positions.QUANTITY])
    if lots and rng.random() < 0.3:
        return Decision("CLOSE", "enough", (CancelRequest(symbol), close(symbol, -1 if lots > 0 else 1)), 0.9)
    mark = int(desk.exchange.prices[account.MARK, column])
    side = 1 if rng.random() < 0.5 else -1
    all_in = rng.random() < 0.15
    leverage = 40 if all_in else int(rng.choice([2, 5, 20]))
    money = desk.equity(a) * (30 if all_in else int(rng.integers(1, 8)) / 4)
    value = mark * contract.lot_numerator // contract.lot_denominator
    wanted: dict[str, Any] = {
        "symbol": symbol,
        "side": side,
        "quantity": max(1, int(money / max(1, value))),
        "leverage": leverage,
        "isolated": bool(rng.random() < 0.3),
    }

    def level(away: float) -> int:
        return int(mark * (1 + away)) // contract.tick_size * contract.tick_size

    if all_in:
        return Decision("TRADE", "all in", (OrderRequest(**wanted),), 1.0)
    if rng.random() < 0.5:
        wanted |= {"stop_loss": level(-0.004 * side), "take_profit": level(0.006 * side)}
    elif rng.random() < 0.4:
        wanted["trailing_rate"] = SCALE // 200
    kind = rng.integers(5)
    if kind == 1:
        force = int(rng.integers(4))
        wanted |= {"type": orders.LIMIT, "time_in_force": force, "limit_price": level(-0.0007 * side * (force > 0))}
    elif kind == 2:
        wanted |= {"type": orders.STOP_MARKET, "trigger_price": level(0.001 * side)}
        wanted |= {"stop_loss": 0, "take_profit": 0, "trigger_by": int(rng.integers(2))}
    return Decision("TRADE", f"{name} likes {symbol}, naïvely", (OrderRequest(**wanted),), float(rng.random()))


def drive(season: Season, *, seed: int, ticks_max: int = 10**9) -> int:
    """Run ticks as workers do, entries in chunks at different moments, and let quotes meet some accounts between."""
    rng = np.random.default_rng(seed)
    closed = 0
    while closed < ticks_max:
        lease = next(one for one in ticks.hold_leases(holder="test", seconds=600) if one.season_id == season.pk)
        tick = ticks.claim_tick(lease)
        assert tick is not None
        for ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
            shuffled = [int(one) for one in rng.permutation(ids)]
            for part in (shuffled[:2], shuffled[2:]):
                if season.with_quotes and rng.random() < 0.5:
                    # Whoever has met quotes of the tick already decides after them.
                    play(season, part[:1], tick.at + timedelta(milliseconds=int(rng.integers(1, 50_000))))
                acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=part)
        assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None
        closed += 1
        season.refresh_from_db()
        if season.state == Season.State.FINAL:
            break
        if season.with_quotes and rng.random() < 0.6:
            some = rng.permutation([one.pk for one in Entry.objects.filter(season=season)])[: int(rng.integers(1, 5))]
            play(season, some.tolist(), tick.at + timedelta(milliseconds=int(rng.integers(60_000, 299_000))))
    return closed


def play(season: Season, entry_ids: Sequence[int], until: Any) -> None:
    """Let accounts meet the quotes up to an instant."""
    entries = list(Entry.objects.filter(pk__in=entry_ids).select_related("version", "account"))
    acting.play(season=season, until=until, entries=entries)
