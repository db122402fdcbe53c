"""How many fills a second are stored durably, in batches, with their orders, postings and accounts? Peer: `pgbench`.

Both work on the machine's PostgreSQL in turns, each in a database of its own, one connection each. A fill is stored
with its order, its posting of several lines, its position and its account; TPC-B changes three rows and adds one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tests.bench.fills_season import BATCH, BATCHES, PEER_SECONDS, ROUNDS
from tests.bench.measure import figure
from tests.bench.server import NOT_MEASURED, ask_program, find_user, own_database

AIM_TIMES = 5.0


def run() -> list[dict[str, Any]]:
    """Return the fills a second; raise when the books do not balance afterwards."""
    work = f"storing fills durably, {BATCH} in a transaction ({ROUNDS} x {BATCHES})"
    aim = f">= {AIM_TIMES:g} x pgbench -c 1"
    user = find_user()
    if user is None:
        return [figure(work=work, value=None, unit=NOT_MEASURED, aim=aim)]
    pgbench = _find_pgbench()
    with own_database(user, "fills") as environment, own_database(user, "pgbench") as other:
        told = ask_program("fills_season", other["DATABASE_URL"], pgbench, environment=environment)
    ours, theirs = max(told["fills"]), max(told["tps"], default=None)
    is_durable = told["fsync"] == told["synchronous_commit"] == "on"
    peer = f"{ours / theirs:.1f} x TPC-B's {theirs:,.0f} tps in {PEER_SECONDS} s" if theirs else "no pgbench here"
    return [
        figure(
            work=work,
            value=ours,
            unit="fills/s",
            aim=aim,
            met=ours >= AIM_TIMES * theirs if theirs and is_durable else None,
            peer=f"{peer}; fsync {told['fsync']}, synchronous_commit {told['synchronous_commit']}",
        )
    ]


def _find_pgbench() -> str:
    """Return the newest `pgbench` that Debian's packages have put here, else the one on the path; "" without any."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), key=lambda path: int(path.parts[-3]))
    return str(packaged[-1]) if packaged else shutil.which("pgbench") or ""
