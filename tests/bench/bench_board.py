"""How long does the server take for the board of two hundred agents, and how heavy is what it sends?"""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterator
from typing import Any

from tests.bench.measure import fastest, figure

AGENTS, TICKS = 200, 60
AIM_MS, AIM_BYTES, AIM_QUERIES = 60.0, 25_000, 10
RUNS = 25
DATABASE = "bench_board"

# The peer: the same rows by a template, as a page of a usual house would have them.
TEMPLATE = """{% load figures %}{% for row in rows %}
<tr data-entry="{{ row.name }}" tabindex="-1"><td data-field="rank">{{ row.rank }}</td><th scope="row"><a href="/agents/{{ row.slug }}/">{{ row.name }}</a><small><i class="brain">{{ row.brain|brain }}</i> <i class="mode paper">paper</i> <i class="dot {{ row.state|lower }}" data-field="state">{{ row.state|lower }}</i></small></th><td data-field="equity" title="{{ row.equity|exact }}">{{ row.equity|money }}</td><td class="{{ row.total_return|move }}" data-field="total_return">{{ row.total_return|percent }}</td><td class="{{ row.excess_return|move }}" data-field="excess_return">{{ row.excess_return|points }}</td><td data-field="sharpe">{{ row.sharpe|ratio }}</td><td><b data-field="drawdown_max">{{ row.drawdown_max|share }}</b><small data-field="drawdown_now">{{ row.drawdown_now|share }}</small></td><td data-field="profit_factor" title="profit factor {{ row.profit_factor|money }}"><b data-field="trades">{{ row.trades }}</b><small data-field="win_rate">{{ row.win_rate|share:0 }}</small></td><td><svg class="bar" aria-hidden="true" width="60" height="6"><path class="long" d="M30 3h{{ row.exposure_long|bar:2.0 }}"/><path class="short" d="M30 3h-{{ row.exposure_short|bar:2.0 }}"/></svg><small data-field="exposure">{{ row.exposure_gross|times }}</small></td><td><b data-field="fees" title="{{ row.fees|exact }}">{{ row.fees|money }}</b><small data-field="funding" title="{{ row.funding|exact }}">{{ row.funding|change }}</small></td><td>{{ row.holding_ms_median|duration_ms }}</td><td><svg class="spark" aria-hidden="true" width="94" height="24"><path d="{{ row.sparkline|spark:2 }}"/></svg></td><td><b data-field="last_action">{{ row.last_action|humanized }}</b><small><time datetime="{{ row.last_action_at|iso }}" data-age>{{ row.last_action_at|since:now }}</time></small></td></tr>{% endfor %}"""  # noqa: E501


def run() -> list[dict[str, Any]]:
    """Return the milliseconds, queries and bytes of the board; raise when it does not show everybody."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "bitnerve.settings.test"
    import django

    django.setup()
    with _database():
        return _measure()


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """Have a database of one's own on the tests' server, and drop it afterwards."""
    from django.conf import settings
    from django.db import connections
    from psycopg import sql

    from apps.common import database
    from tests.conftest import _execute

    with database.running_database():
        names = {alias: connections[alias].settings_dict["NAME"] for alias in ("default", "owner")}
        try:
            if settings.HAS_OWN_SERVER:
                database._make_roles()
            _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            for alias in names:
                connections[alias].settings_dict["NAME"] = DATABASE
            database.prepare_database()
            yield
        finally:
            connections.close_all()
            for alias, name in names.items():
                connections[alias].settings_dict["NAME"] = name
            _execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(DATABASE)))


def _measure() -> list[dict[str, Any]]:
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connection
    from django.template import engines
    from django.test import RequestFactory
    from django.test.utils import CaptureQueriesContext

    from apps.leaderboard.selectors import board, seasons
    from tests.factories import season_with

    made = season_with(agents=AGENTS, ticks=TICKS)
    handler = WSGIHandler()
    # The whole house answers, its middleware with it; only the socket is left out, and packing is another figure.
    request = RequestFactory().get("/arenas/open/leaderboard/")

    def answer() -> bytes:
        return handler.get_response(request).content

    with CaptureQueriesContext(connection) as queries:
        content = answer()
    if content.count(b"<tr data-entry=") != AGENTS:
        raise AssertionError("the board does not show everybody")
    took = 1000 * fastest(answer, times=RUNS)
    packed = gzip.compress(content, 6)
    packing = 1000 * fastest(lambda: gzip.compress(content, 6), times=RUNS)
    rows, moment = board.list_rows(season=made.season), seasons.read_moment(made.season)
    template = engines["django"].from_string(TEMPLATE)
    peer = 1000 * fastest(lambda: template.render({"rows": rows, "now": moment.market_now}), times=RUNS)
    work = f"board of {AGENTS} agents"
    return [
        figure(
            work=f"{work}, server time",
            value=took,
            unit="ms",
            aim=f"<= {AIM_MS:g} ms",
            met=took <= AIM_MS,
            peer=f"its rows alone by a Django template: {peer:.0f} ms; gzip {packing:.0f} ms more",
        ),
        figure(
            work=f"{work}, page after gzip",
            value=len(packed) / 1000,
            unit="kB",
            aim=f"<= {AIM_BYTES / 1000:g} kB",
            met=len(packed) <= AIM_BYTES,
            peer=f"before: {len(content) / 1000:.0f} kB",
        ),
        figure(
            work=f"{work}, SQL statements",
            value=float(len(queries)),
            unit="",
            aim=f"<= {AIM_QUERIES}",
            met=len(queries) <= AIM_QUERIES,
        ),
    ]
