"""The front page, the list of arenas, and the way to the leaderboard."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from apps.leaderboard.selectors import board, decisions, market, seasons
from apps.leaderboard.views.arena import read_race
from apps.leaderboard.views.page import answer


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Show the race that is on, what agents say, and the five best."""
    season = seasons.featured_season()
    if season is None:
        return render(request, "leaderboard/landing.html", {"moment": None})
    moment = seasons.read_moment(season)
    rows = board.list_rows(season=season)
    context = {
        **read_race(request, moment, rows),
        "rows": rows[:5],
        "entry_count": len(rows),
        "quotes": market.list_quotes(season=season, moment=moment),
        "decisions": decisions.list_decisions(season=season, kind="acted", limit=10),
    }
    return answer(request, "landing", moment, context)


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
