"""The public pages: an address in, one page out. What they show comes from the selectors as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_GET, require_safe

from apps.agents.models import AgentVersion
from apps.arenas.models import Season
from apps.leaderboard import charts
from apps.leaderboard.selectors import agents, board, decisions, market, positions, race, seasons
from apps.leaderboard.selectors.board import BoardQuery
from apps.leaderboard.selectors.seasons import Moment

TABS = {
    "race": "Race",
    "leaderboard": "Leaderboard",
    "decisions": "Decisions",
    "positions": "Positions now",
    "trades": "Trades",
    "rules": "Rules",
    "data": "Data",
}
AGENT_TABS = {"positions": "Positions", "trades": "Trades", "decisions": "Decisions", "record": "Record"}
TABLE_ROWS = 12
DRAWN_POINTS = 240
"""A drawing in the page is as fine as it need be to be read; the script fetches the rest."""


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Show the race that is on, what agents say, and the five best."""
    season = seasons.featured_season()
    if season is None:
        return render(request, "leaderboard/landing.html", {"moment": None})
    moment = seasons.read_moment(season)
    rows = board.list_rows(season=season)
    context = {
        **_race(request, moment, rows),
        "rows": rows[:5],
        "entry_count": len(rows),
        "quotes": market.list_quotes(season=season, moment=moment),
        "decisions": decisions.list_decisions(season=season, kind="acted", limit=10),
    }
    return _page(request, "landing", moment, context)


@require_safe
def arenas(request: HttpRequest) -> HttpResponse:
    """List the arenas."""
    return render(request, "leaderboard/arenas.html", {"arenas": seasons.list_arenas(), "moment": None})


@require_safe
def leaderboard(request: HttpRequest) -> HttpResponse:
    """Lead to the leaderboard of the season that the front page shows."""
    season = seasons.featured_season()
    if season is None:
        return redirect("arenas")
    return redirect("arena-tab", slug=season.arena.slug, tab="leaderboard")


@require_safe
def arena(request: HttpRequest, slug: str, tab: str = "race") -> HttpResponse:
    """Show one tab of an arena's newest season, or of the one whose number the address names."""
    season = _season_or_404(request, slug)
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
    return _page(request, "arena", moment, context)


def _season_or_404(request: HttpRequest, slug: str) -> Season:
    number = request.GET.get("season", "")
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else None
    season = seasons.get_season(arena=slug, number=wanted)
    if season is None:
        raise Http404(f"no season in {slug}")
    return season


def _resorted(request: HttpRequest, slug: str) -> HttpResponse:
    """Send whoever pressed a header to the address that says the new order."""
    given = request.GET.copy()
    given["sort"] = given.pop("by")[-1]
    return redirect(_address(slug, board.read_query(given)))


def _address(slug: str, query: BoardQuery) -> str:
    told = query.address()
    return reverse("arena-tab", kwargs={"slug": slug, "tab": "leaderboard"}) + (f"?{told}" if told else "")


def _page(request: HttpRequest, name: str, moment: Moment, context: Mapping[str, Any]) -> HttpResponse:
    response = render(request, f"leaderboard/{name}.html", {"moment": moment, **context})
    patch_cache_control(response, no_cache=True)
    return response


def _view_of(request: HttpRequest) -> dict[str, Any]:
    """Return how a chart is to be seen, from the address."""
    given = request.GET
    return {
        "span": given["range"] if given.get("range") in race.RANGES else "all",
        "unit": "pct" if given.get("unit") == "pct" else "usd",
        "scale": "log" if given.get("scale") == "log" else "linear",
        "names": [name for name in given.getlist("agent") if name][: race.LINES_MAX],
    }


def _race(request: HttpRequest, moment: Moment, rows: list[board.BoardRow]) -> dict[str, Any]:
    view = _view_of(request)
    season = moment.season
    # The rows are at hand, best first: whoever is drawn is chosen among them.
    names = race.choose(ranked=[row.name for row in rows], wanted=view["names"])
    data = race.read_race(season=season, names=names, span=view["span"], points_max=DRAWN_POINTS)
    drawn = {"unit": view["unit"], "log": view["scale"] == "log"}
    return {
        "view": view,
        "race": data,
        "drawing": charts.draw_race(data, **drawn),
        "drawing_narrow": charts.draw_race(data, **drawn, narrow=True),
        "summary": charts.summarize(data, rows),
        "table": charts.tabulate(data, count=TABLE_ROWS),
        "ranges": list(race.RANGES),
        "picked": set(names),
        "all_names": [row.name for row in rows],
    }


def _race_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    rows = board.list_rows(season=moment.season)
    return {**_race(request, moment, rows), "entry_count": len(rows)}


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


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _decisions_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    kind = request.GET.get("show", "acted")
    kind = kind if kind in decisions.FILTERS else "acted"
    found = decisions.list_decisions(season=moment.season, kind=kind, before=_number(request, "before"))
    return {
        "kind": kind,
        "kinds": decisions.FILTERS,
        "decisions": found,
        "older": found[-1].pk if len(found) == decisions.PAGE else 0,
    }


def _positions_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    return {"matrix": positions.read_matrix(moment.season)}


def _trades_tab(request: HttpRequest, moment: Moment) -> dict[str, Any]:
    fills = decisions.list_season_fills(season=moment.season, before=_number(request, "before"))
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


@require_GET
def race_points(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the points of a race as JSON: whole cents and seconds, each as the difference from the one before."""
    season = _season_or_404(request, slug)
    view = _view_of(request)
    names = race.choose_names(season=season, wanted=view["names"])
    data = race.read_race(season=season, names=names, span=view["span"])
    return JsonResponse(
        {
            "seconds": charts.differences(data.seconds),
            "capital": data.capital,
            "thinned": data.thinned,
            "lines": [
                {
                    "name": line.name,
                    "slug": line.slug,
                    "look": line.look,
                    "cents": charts.differences([None if v is None else round(100 * v) for v in line.values]),
                }
                for line in data.all_lines
            ],
        },
        json_dumps_params={"separators": (",", ":")},
    )


@require_safe
def agent(request: HttpRequest, slug: str, tab: str = "positions") -> HttpResponse:
    """Show an agent's account in a season, its newest one unless the address names another."""
    if tab not in AGENT_TABS:
        raise Http404(f"no tab {tab}")
    entry = agents.get_entry(agent=slug, season=request.GET.get("season", ""))
    if entry is None:
        known = agents.get_agent(slug)
        if known is None or request.GET.get("season"):
            raise Http404(f"no agent {slug}")
        return render(request, "leaderboard/agent_idle.html", {"agent": known, "moment": None})
    moment = seasons.read_moment(entry.season)
    view = _view_of(request)
    series = agents.read_series(entry=entry, span=view["span"], points_max=DRAWN_POINTS)
    context = {
        "entry": entry,
        "agent": entry.version.agent,
        "standing": getattr(entry, "standing", None),
        "entries": agents.list_entries(slug),
        "uptime": agents.read_uptime(entry),
        "series": series,
        "view": view,
        "ranges": list(race.RANGES),
        "drawing": charts.draw_agent(series),
        "drawing_narrow": charts.draw_agent(series, narrow=True),
        "table": charts.tabulate_agent(series, count=TABLE_ROWS),
        "tabs": AGENT_TABS,
        "tab": tab,
        "tab_name": AGENT_TABS[tab],
        **_agent_tab(request, tab, moment, entry),
    }
    return _page(request, "agent", moment, context)


def _agent_tab(request: HttpRequest, tab: str, moment: Moment, entry: Any) -> dict[str, Any]:
    if tab == "positions":
        return {"holdings": positions.list_holdings(entry)}
    if tab == "trades":
        fills = agents.list_fills(entry=entry, before=_number(request, "before"))
        return {
            "fills": fills,
            "older": fills[-1].sequence if len(fills) == 50 else 0,
            "histogram": charts.draw_histogram(agents.count_closings(entry)),
        }
    if tab == "decisions":
        kind = request.GET.get("show", "all")
        kind = kind if kind in decisions.FILTERS else "all"
        found = decisions.list_decisions(
            season=moment.season, entry=entry, kind=kind, before=_number(request, "before")
        )
        return {
            "kind": kind,
            "kinds": decisions.FILTERS,
            "decisions": found,
            "older": found[-1].pk if len(found) == decisions.PAGE else 0,
        }
    return {}


@require_GET
def agent_points(request: HttpRequest, slug: str) -> HttpResponse:
    """Return an account's course as JSON, in the differences of `race_points`."""
    entry = agents.get_entry(agent=slug, season=request.GET.get("season", ""))
    if entry is None:
        raise Http404(f"no agent {slug}")
    series = agents.read_series(entry=entry, span=_view_of(request)["span"])

    def column(values: list[float], scale: int) -> list[int | None]:
        return charts.differences([round(scale * value) for value in values])

    return JsonResponse(
        {
            "seconds": charts.differences(series.seconds),
            "capital": series.capital,
            "equity": column(series.equity, 100),
            "drawdown": column(series.drawdown, 10_000),
            "long": column(series.long, 1_000),
            "short": column(series.short, 1_000),
            "markers": [[round(one.seconds), one.kind, one.text, one.decision] for one in series.markers],
        },
        json_dumps_params={"separators": (",", ":")},
    )


@require_safe
def decision(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Open one decision to its ground: what was seen, what was wanted, what was allowed, and what was posted."""
    found = decisions.get_decision(agent=slug, number=number)
    if found is None:
        raise Http404(f"no decision {number}")
    moment = seasons.read_moment(found.tick.season)
    context = {
        "decision": found,
        "agent": found.entry.version.agent,
        "snapshot": found.tick.snapshot,
        "seen": decisions.read_snapshot(found),
        "consequences": decisions.read_consequences(found),
    }
    return _page(request, "decision", moment, context)
