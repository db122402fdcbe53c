"""Let the quotes of a season meet a thousand accounts with positions and stops: the process of `bench_frames`.

Arguments: how many entries, how many ticks, how many turns after each tick. DATABASE_URL and REDIS_URL name the
servers. Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bitnerve.domain.decisions.decision import SELL, Decision, hold
from bitnerve.domain.strategies.benchmarks import buy_share
from bitnerve.domain.units import SCALE
from bitnerve.engine.replay import AgentView
from tests.bench.by_hand import begin_tick, end_tick, open_for_hands, set_clock

TURN = timedelta(minutes=1)
"""As in the demo: a minute of the market a second, in which every symbol has a new quote."""
NEAR_TO_FAR = 8
"""Stops and targets lie half a percent to so many halves of a percent away."""
SHARE, LEVERAGE = SCALE // 10, 10


def main(entries: int, ticks: int, turns: int) -> None:
    """Open the season, take the turns after each tick, and tell what each took and what happened in it."""
    import django

    django.setup()
    from apps.arenas.models import Season
    from apps.arenas.services.ticks import hold_leases
    from apps.common import database
    from apps.common.bus import RedisBus, get_bus
    from apps.leaderboard.services import live
    from apps.trades.services.streaming import Stream
    from worker.schedule import Dispatcher
    from worker.stream import Streamer

    database.prepare_database()
    season = open_for_hands(entries, ticks)
    dispatcher = Dispatcher()
    dispatcher.leases = hold_leases(holder=dispatcher.holder, seconds=3600)
    bus = get_bus()
    assert isinstance(bus, RedisBus)
    shown_at: list[float] = []

    def show(stream: Stream) -> None:
        live.show(stream)
        # A thread of its own hands the frame to Redis.
        assert bus.flush(60.0)
        shown_at.append(time.perf_counter())

    streamer = Streamer(dispatcher, show=show)
    taken: list[dict[str, Any]] = []
    for _ in range(ticks):
        tick = begin_tick(season, dispatcher.holder, _wish)
        end_tick(tick)
        for turn in range(turns):
            set_clock(season, tick.at + (turn + 1) * TURN)
            before, frame = _count_protections(), Season.objects.get(pk=season.pk).frame
            start = time.perf_counter()
            streamer.turn()
            whole = time.perf_counter() - start
            if Season.objects.get(pk=season.pk).frame != frame + 1:
                raise AssertionError("a turn without a frame")
            fired = _count_protections() - before
            taken.append({"turn": turn, "seconds": shown_at[-1] - start, "whole": whole, "fired": fired})
    print(json.dumps({"turns": taken, "held": _count_held(), "working": _count_working()}))


def _wish(number: int, view: AgentView) -> Decision:
    """Open one's own symbol whenever one is flat, with a stop and a target as far away as one's number says."""
    column = number % len(view.symbols)
    if column in view.held or view.has_orders(column):
        return hold("holding")
    order = buy_share(view, column, SHARE)
    assert order is not None
    mark, step = view.mark(column), view.instruments[column].tick_size
    apart = mark * (1 + number % NEAR_TO_FAR) // 200 // step * step
    low, high = mark // step * step - apart, mark // step * step + apart
    order = replace(order, leverage=LEVERAGE, stop_loss=low, take_profit=high)
    if number // len(view.symbols) % 2:
        order = replace(order, side=SELL, stop_loss=high, take_profit=low)
    return Decision("BUY" if order.side > 0 else "SELL", "measured", (order,))


def _count_protections() -> int:
    """Return how many stops, targets and liquidations have been filled."""
    from apps.trades.models import Fill

    return Fill.objects.filter(reason__in=("STOP", "TAKE_PROFIT", "LIQUIDATION")).count()


def _count_held() -> int:
    from apps.trades.models import Position

    return Position.objects.exclude(quantity=0).count()


def _count_working() -> int:
    from apps.trades.models import Order

    return Order.objects.filter(ended_at=None).count()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
