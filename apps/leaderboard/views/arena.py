"""An arena's season, one tab at a time."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from apps.agents.models import AgentVersion
from apps.leaderboard.drawings.race import draw_race, summarize, tabulate
from apps.leaderboard.selectors import board, decisions, positions, race, seasons
from apps.leaderboard.selectors.board import BoardQuery
from apps.leaderboard.selectors.seasons import Moment
from apps.leaderboard.views.page import DRAWN_POINTS, TABLE_ROWS, answer, number_in, season_or_404, view_of

TABS = {
    "race": "Race",
    "leaderboard": "Leaderboard",
    "decisions": "Decisions",
    "positions": "Positions now",
    "trades": "Trades",
    "rules": "Rules",
    "data": "Data",
}


@require_safe
def arena(request: HttpRequest, slug: str, tab: str = "race") -> HttpResponse:
    """Show one tab of an arena's newest season, or of the one whose number the address names."""
    season = season_or_404(request, slug)
    if tab not in TABS:
        raise Http404(f"no tab {tab}")
    if "by" in request.GET:
        return _resorted(request, slug)
    moment = seasons.read_moment(season)
    context = {"tabs": TABS, "tab": tab, "tab_name": TABS[tab], **_TAB[tab](request, moment)}
    if tab == "leaderboard" and getattr(request, "htmx", False):
        response = render(request, "leaderboard/_board.html", {"moment": moment, **context})
        response["HX-Push-Url"] = _address(slug, context["query"])
        return response
    return answer(request, "arena", moment, context)


def _resorted(request: HttpRequest, slug: str) -> HttpResponse:
    """Send whoever pressed a header to the address that says the new order."""
    given = request.GET.copy()
    given["sort"] = given.pop("by")[-1]
    return redirect(_address(slug, board.read_query(given)))


def _address(slug: str, query: BoardQuery) -> str:
    told = query.address()
    return reverse("arena-tab", kwargs={"slug": slug, "tab": "leaderboard"}) + (f"?{told}" if told else "")


def read_race(request: HttpRequest, moment: Moment, rows: list[board.BoardRow]) -> dict[str, Any]:
    """Return what the section with the race shows."""
    view = view_of(request)
    season = moment.season
    # The rows are at hand, best first: whoever is drawn is chosen among them.
    names = race.choose(ranked=[row.name for row in rows], wanted=view["names"])
    data = race.read_race(season=season, names=names, span=view["span"], points_max=DRAWN_POINTS)
    drawn = {"unit": view["unit"], "log": view["scale"] == "log"}
    return {
        "view": view,
        "race": data,
        "drawing": draw_race(data, **drawn),
        "drawing_narrow": draw_race(data, **drawn, narrow=True),
        "summary": summarize(data, rows),
        "table": tabulate(data, count=TABLE_ROWS),
        "ranges": list(race.RANGES),
        "picked": set(names),
        "all_names": [row.name for row in rows],
    }


def _race_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    rows = board.list_rows(season=moment.season)
    return {**read_race(request, moment, rows), "entry_count": len(rows)}


def _board_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    query = board.read_query(request.GET)
    rows = board.list_rows(season=moment.season, query=query)
    return {
        "query": query,
        "rows": rows,
        "columns": [_column(query, key) for key in COLUMNS],
        "sorts": [(_first_click(key), label) for key, label in board.SORTS.items()],
        "brains": AgentVersion.Brain.choices,
        "as_of": max((row.as_of for row in rows if row.as_of), default=None),
    }


COLUMNS = (
    "rank", "name", "equity", "total_return", "excess_return", "sharpe", "drawdown_max", "trades", "exposure_gross",
    "costs", "holding_ms_median", "", "last_action_at",
)  # fmt: skip


def _first_click(key: str) -> str:
    return key if key in board.ASCENDING else f"-{key}"


def _column(query: BoardQuery, key: str) -> dict[str, str]:
    """Return a header: its words, what pressing it asks for, and how the column is sorted now."""
    if not key:
        return {"key": "", "label": "Last 7 days", "by": "", "sorted": ""}
    by, sorted_as = _first_click(key), ""
    if query.sort == key:
        by = key if query.descending else f"-{key}"
        sorted_as = "descending" if query.descending else "ascending"
    return {"key": key, "label": board.SORTS[key], "by": by, "sorted": sorted_as}


def _decisions_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    kind = request.GET.get("show", "acted")
    kind = kind if kind in decisions.FILTERS else "acted"
    found = decisions.list_decisions(season=moment.season, kind=kind, before=number_in(request, "before"))
    return {
        "kind": kind,
        "kinds": decisions.FILTERS,
        "decisions": found,
        "older": found[-1].pk if len(found) == decisions.PAGE else 0,
    }


def _positions_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    return {"matrix": positions.read_matrix(moment.season)}


def _trades_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    fills = decisions.list_season_fills(season=moment.season, before=number_in(request, "before"))
    return {"fills": fills, "older": min(fill.pk for fill in fills) if len(fills) == 60 else 0}


def _rules_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    return {"instruments": list(moment.season.market.instruments.all()), "entry_count": moment.season.entries.count()}


def _data_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    season = moment.season
    return {"roots": list(season.day_roots.order_by("-day")), "counts": seasons.count_ticks(season)}


_TAB = {
    "race": _race_tab,
    "leaderboard": _board_tab,
    "decisions": _decisions_tab,
    "positions": _positions_tab,
    "trades": _trades_tab,
    "rules": _rules_tab,
    "data": _data_tab,
}
