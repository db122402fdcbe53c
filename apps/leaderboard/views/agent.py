"""An agent, and each of its decisions down to the ground."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.arenas.models import Entry
from apps.leaderboard.drawings.agent import draw_agent, tabulate_agent
from apps.leaderboard.drawings.small import draw_histogram
from apps.leaderboard.selectors import agents, decisions, positions, race, seasons
from apps.leaderboard.selectors.seasons import Moment
from apps.leaderboard.views.page import DRAWN_POINTS, TABLE_ROWS, answer, number_in, view_of

AGENT_TABS = {"positions": "Positions", "trades": "Trades", "decisions": "Decisions", "record": "Record"}


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
    view = view_of(request)
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
        "drawing": draw_agent(series),
        "drawing_narrow": draw_agent(series, narrow=True),
        "table": tabulate_agent(series, count=TABLE_ROWS),
        "tabs": AGENT_TABS,
        "tab": tab,
        "tab_name": AGENT_TABS[tab],
        **_agent_tab(request, tab, moment, entry),
    }
    return answer(request, "agent", moment, context)


def _agent_tab(request: HttpRequest, tab: str, moment: Moment, entry: Entry) -> dict[str, Any]:
    if tab == "positions":
        return {"holdings": positions.list_holdings(entry)}
    if tab == "trades":
        fills = agents.list_fills(entry=entry, before=number_in(request, "before"))
        return {
            "fills": fills,
            "older": fills[-1].sequence if len(fills) == 50 else 0,
            "histogram": draw_histogram(agents.count_closings(entry)),
        }
    if tab == "decisions":
        kind = request.GET.get("show", "all")
        kind = kind if kind in decisions.FILTERS else "all"
        found = decisions.list_decisions(
            season=moment.season, entry=entry, kind=kind, before=number_in(request, "before")
        )
        return {
            "kind": kind,
            "kinds": decisions.FILTERS,
            "decisions": found,
            "older": found[-1].pk if len(found) == decisions.PAGE else 0,
        }
    return {}


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
    return answer(request, "decision", moment, context)
