"""The points of charts as JSON, thinned to what a screen can show, in few bytes."""

from __future__ import annotations

import hashlib

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import condition, require_GET

from apps.leaderboard.drawings.parts import differences
from apps.leaderboard.selectors import agents, race, seasons
from apps.leaderboard.views.page import season_or_404, view_of


def _tag_race(request: HttpRequest, slug: str) -> str:
    """Return a tag that changes with every tick and every wish, and costs two queries instead of ten thousand rows."""
    season = season_or_404(request, slug)
    return f'"{season.pk}-{seasons.newest_tick(season)}-{hash_of(request)}"'


def _tag_agent(request: HttpRequest, slug: str) -> str:
    entry = agents.get_entry(agent=slug, season=request.GET.get("season", ""))
    if entry is None:
        raise Http404(f"no agent {slug}")
    return f'"{entry.pk}-{seasons.newest_tick(entry.season)}-{hash_of(request)}"'


def hash_of(request: HttpRequest) -> str:
    """Return a short name of what an address asks for."""
    return hashlib.sha256(request.GET.urlencode().encode()).hexdigest()[:12]


@require_GET
@condition(etag_func=_tag_race)
def race_points(request: HttpRequest, slug: str) -> HttpResponse:
    """Return the points of a race as JSON: whole cents and seconds, each as the difference from the one before."""
    season = season_or_404(request, slug)
    view = view_of(request)
    names = race.choose_names(season=season, wanted=view["names"])
    data = race.read_race(season=season, names=names, span=view["span"])
    return JsonResponse(
        {
            "seconds": differences(data.seconds),
            "capital": data.capital,
            "thinned": data.thinned,
            "lines": [
                {
                    "name": line.name,
                    "slug": line.slug,
                    "look": line.look,
                    "cents": differences([None if v is None else round(100 * v) for v in line.values]),
                }
                for line in data.all_lines
            ],
        },
        json_dumps_params={"separators": (",", ":")},
    )


@require_GET
@condition(etag_func=_tag_agent)
def agent_points(request: HttpRequest, slug: str) -> HttpResponse:
    """Return an account's course as JSON, in the differences of `race_points`."""
    entry = agents.get_entry(agent=slug, season=request.GET.get("season", ""))
    if entry is None:
        raise Http404(f"no agent {slug}")
    series = agents.read_series(entry=entry, span=view_of(request)["span"])

    def column(values: list[float], scale: int) -> list[int | None]:
        return differences([round(scale * value) for value in values])

    return JsonResponse(
        {
            "seconds": differences(series.seconds),
            "capital": series.capital,
            "equity": column(series.equity, 100),
            "drawdown": column(series.drawdown, 10_000),
            "long": column(series.long, 1_000),
            "short": column(series.short, 1_000),
            "markers": [[round(one.seconds), one.kind, one.text, one.decision] for one in series.markers],
        },
        json_dumps_params={"separators": (",", ":")},
    )
