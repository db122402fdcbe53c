"""Post fills in batches beside `pgbench`, on one durable server: the process that `bench_fills` measures.

Arguments: the address of a database for `pgbench` alone, and of the program where there is one. DATABASE_URL names the
season's. Prints one line of JSON.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

from bitnerve.domain.decisions.decision import BUY, SELL, Decision, close
from bitnerve.domain.strategies.benchmarks import buy_share
from bitnerve.domain.units import SCALE
from bitnerve.engine.replay import AgentView
from tests.bench.by_hand import begin_tick, end_tick, open_for_hands, set_clock

BATCH, ROUNDS, BATCHES = 200, 4, 6
WARM = 2
PEER_SECONDS, PEER_SCALE = 5, 10
HOLDER = "bench"


def main(peer_database: str, pgbench: str) -> None:
    """Open the season, post batches and run the peer in turns, check the books, and tell what both took."""
    import django

    django.setup()
    from django.db import connection

    from apps.common import database

    database.prepare_database()
    season = open_for_hands(BATCH, WARM + ROUNDS * BATCHES)
    if pgbench:
        subprocess.run([pgbench, "-i", "-q", "-s", str(PEER_SCALE), peer_database], check=True, capture_output=True)
    for _ in range(WARM):
        _post_batch(season)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(BATCH * BATCHES / sum(_post_batch(season) for _ in range(BATCHES)))
        if pgbench:
            theirs.append(_run_peer(pgbench, peer_database))
    _check_books(batches=WARM + ROUNDS * BATCHES)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        settings = cursor.fetchone()
    print(json.dumps({"fills": ours, "tps": theirs, "fsync": settings[0], "synchronous_commit": settings[1]}))


def _post_batch(season: Any) -> float:
    """Let every entry trade at a tick, and return the seconds in which the fills of the next minutes were stored."""
    from apps.arenas.models import Entry
    from apps.market.services import at_ms
    from apps.trades.models import Fill
    from apps.trades.services import acting

    before = Fill.objects.count()
    tick = begin_tick(season, HOLDER, _trade)
    until = tick.at + timedelta(minutes=2)
    set_clock(season, until)
    sitting = acting.sit(tick.season, list(Entry.objects.filter(season=season).select_related("version", "account")))
    sitting.desk.play_until(at_ms(until))
    start = time.perf_counter()
    stored = acting.store(sitting, None, 0, {})
    seconds = time.perf_counter() - start
    if not stored or Fill.objects.count() != before + BATCH:
        raise AssertionError(f"a batch of {Fill.objects.count() - before} fills")
    end_tick(tick)
    return seconds


def _trade(number: int, view: AgentView) -> Decision:
    """Buy a little of one's own symbol, and sell it at the next tick."""
    column = number % len(view.symbols)
    if view.quantity(column):
        return Decision("CLOSE", "enough", (close(view.symbols[column], SELL),))
    order = buy_share(view, column, SCALE // 20)
    assert order is not None
    assert order.side == BUY
    return Decision("BUY", "measured", (order,))


def _run_peer(pgbench: str, database: str) -> float:
    """Return the transactions a second of one client: TPC-B as the server's own tool has it."""
    told = subprocess.run(
        [pgbench, "-c", "1", "-T", str(PEER_SECONDS), database], check=True, capture_output=True, text=True
    ).stdout
    found = re.search(r"^tps = ([0-9.]+)", told, re.MULTILINE)
    assert found is not None, told
    return float(found[1])


def _check_books(*, batches: int) -> None:
    """Raise unless every fill has its posting, the journal balances, and every account holds what it says."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT (SELECT count(*) FROM trades_fill),
                      (SELECT count(*) FROM accounts_posting JOIN trades_fill ON fill_id = source_id),
                      (SELECT sum(amount) FROM accounts_line),
                      (SELECT count(*) FROM accounts_account account WHERE cash <> (
                          SELECT sum(amount) FROM accounts_line WHERE account_name = 'cash:' || account.name))"""
        )
        fills, posted, left_over, wrong = cursor.fetchone()
    if not fills == posted == BATCH * batches or left_over != 0 or wrong:
        raise AssertionError(f"{fills} fills, {posted} posted, {left_over} left over, {wrong} accounts wrong")


if __name__ == "__main__":
    main(*sys.argv[1:])
