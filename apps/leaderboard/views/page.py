"""What do all pages do alike: find their season, read their address, and answer?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_cache_control

from apps.arenas.models import Season
from apps.leaderboard.selectors import race, seasons
from apps.leaderboard.selectors.seasons import Moment

TABLE_ROWS = 12
DRAWN_POINTS = 240
"""A drawing in the page is as fine as it need be to be read; the script fetches the rest."""


def answer(request: HttpRequest, name: str, moment: Moment, context: Mapping[str, Any]) -> HttpResponse:
    """Return a page of a season; every visit asks whether it is still the newest."""
    response = render(request, f"leaderboard/{name}.html", {"moment": moment, **context})
    patch_cache_control(response, no_cache=True)
    return response


def season_or_404(request: HttpRequest, slug: str) -> Season:
    """Return the season that an address names by its number, else the newest; raise `Http404` without one."""
    number = request.GET.get("season", "")
    wanted = int(number) if number.isascii() and number.isdigit() and len(number) < 7 else None
    season = seasons.get_season(arena=slug, number=wanted)
    if season is None:
        raise Http404(f"no season in {slug}")
    return season


def view_of(request: HttpRequest) -> dict[str, Any]:
    """Return how a chart is to be seen, from the address."""
    given = request.GET
    return {
        "span": given["range"] if given.get("range") in race.RANGES else "all",
        "unit": "pct" if given.get("unit") == "pct" else "usd",
        "scale": "log" if given.get("scale") == "log" else "linear",
        "names": [name for name in given.getlist("agent") if name][: race.LINES_MAX],
    }


def number_in(request: HttpRequest, name: str) -> int | None:
    """Return a whole number from the address, None for anything else."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
