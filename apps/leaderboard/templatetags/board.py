"""What does a row of the board look like?

Written here and not in a template, which would take longer over two hundred rows than the whole page does now.

The cells carry `data-field` under the names of the feed, so that the page's script can keep them up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from apps.leaderboard.selectors.board import BoardRow
from apps.leaderboard.selectors.seasons import Moment
from apps.leaderboard.templatetags import figures
from bitnerve.engine.scales import UNKNOWN

register = template.Library()

EXPOSURE_FULL = 2.0
"""The exposure to one side that fills half a bar, unless somebody has more."""
MANY = 100
"""From so many rows on, sparklines are drawn in coarser steps: two hundred must not outweigh the page."""


@register.simple_tag
def board_rows(rows: Sequence[BoardRow], moment: Moment) -> SafeString:
    """Return the rows of the board's body."""
    full = max([EXPOSURE_FULL, *(row.exposure_gross or 0.0 for row in rows)])
    mode, now = moment.season.mode.lower(), moment.market_now
    grain = 2 if len(rows) > MANY else 1
    # Every text from outside is escaped where it is written; numbers are made of our own words.
    return mark_safe("".join(_row(row, mode=mode, now=now, full=full, grain=grain) for row in rows))


def _row(row: BoardRow, *, mode: str, now: datetime, full: float, grain: int) -> str:
    name, state = escape(row.name), row.state.lower()
    because = f' title="{escape(row.halted_because)}"' if row.halted_because else ""
    return (
        f'\n<tr data-entry="{name}" tabindex="-1"><td data-field="rank">{row.rank or UNKNOWN}</td>'
        f'<th scope="row"><a href="/agents/{escape(row.slug)}/">{name}</a><small>'
        f'<i class="brain">{figures.brain(row.brain)}</i> <i class="mode {mode}">{mode}</i> '
        f'<i class="dot {state}" data-field="state"{because}>{state}</i></small></th>'
        f'<td data-field="equity" title="{figures.exact(row.equity)}">{figures.money(row.equity)}</td>'
        f"{_move('total_return', row.total_return, figures.percent(row.total_return))}"
        f"{_move('excess_return', row.excess_return, figures.points(row.excess_return))}"
        f'<td data-field="sharpe">{figures.ratio(row.sharpe)}</td>'
        f'<td><b data-field="drawdown_max">{figures.share(row.drawdown_max)}</b>'
        f'<small data-field="drawdown_now">{figures.share(row.drawdown_now)}</small></td>'
        f'<td data-field="profit_factor" title="profit factor {figures.money(row.profit_factor)}">'
        f'<b data-field="trades">{UNKNOWN if row.trades is None else row.trades}</b>'
        f'<small data-field="win_rate">{figures.share(row.win_rate, 0)}</small></td>'
        f"<td>{_exposure(row, full)}</td>"
        f'<td><b data-field="fees" title="{figures.exact(row.fees)}">{figures.money(row.fees)}</b>'
        f'<small data-field="funding" title="{figures.exact(row.funding)}">{figures.change(row.funding)}</small></td>'
        f"<td>{figures.duration_ms(row.holding_ms_median)}</td>"
        f'<td><svg class="spark" aria-hidden="true" width="94" height="24">'
        f'<path d="{figures.spark(row.sparkline, grain)}"/></svg></td><td>{_last_action(row, now)}</td></tr>'
    )


def _move(field: str, value: float | None, text: str) -> str:
    kind = figures.move(value)
    marked = f' class="{kind}"' if kind else ""
    return f'<td{marked} data-field="{field}">{text}</td>'


def _exposure(row: BoardRow, full: float) -> str:
    long, short = (figures.bar(part, full, 30) for part in (row.exposure_long, row.exposure_short))
    return (
        f'<svg class="bar" aria-hidden="true" width="60" height="6"><path class="long" d="M30 3h{long}"/>'
        f'<path class="short" d="M30 3h-{short}"/></svg>'
        f'<small data-field="exposure">{figures.times(row.exposure_gross)}</small>'
    )


def _last_action(row: BoardRow, now: datetime) -> str:
    word = escape(figures.humanized(row.last_action or UNKNOWN))
    if row.last_action_at is None:
        return f'<b data-field="last_action">{word}</b>'
    return (
        f'<b data-field="last_action">{word}</b><small><time datetime="{figures.iso(row.last_action_at)}" data-age>'
        f"{figures.since(row.last_action_at, now)}</time></small>"
    )
