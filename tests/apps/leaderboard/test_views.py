"""Does every public page say what it must, in few queries and few bytes, to whoever asks?"""

import gzip
from datetime import timedelta

import pytest
from django.urls import reverse

from apps.leaderboard.models import Standing
from apps.trades.models import Decision
from tests.factories import arena_without_seasons, season_with

TABS = ["leaderboard", "decisions", "positions", "trades", "rules", "data"]
HTML_BYTES_MAX = 25_000
QUERIES_MAX = 10


def text_of(response) -> str:
    assert response.status_code == 200, response.status_code
    return response.content.decode()


@pytest.fixture
def made(db):
    return season_with(agents=9, ticks=120)


def pages_of(made) -> list[str]:
    acted = Decision.objects.exclude(verdict="NO_ORDERS").first()
    agent = acted.entry.version.agent.slug
    return [
        "/",
        "/arenas/",
        "/arenas/open/",
        *(f"/arenas/open/{tab}/" for tab in TABS),
        f"/agents/{agent}/",
        *(f"/agents/{agent}/{tab}/" for tab in ("trades", "decisions", "record")),
        f"/agents/{agent}/decisions/{acted.pk}/",
    ]


def test_every_page_answers_and_says_mode_and_disclaimer(client, made):
    for page in pages_of(made):
        text = text_of(client.get(page))
        assert 'class="mode paper"' in text, page
        assert "no real money moves" in text, page
        assert "style=" not in text, f"{page}: an inline style would not pass the policy"
        assert "<script>" not in text, page


def test_every_page_is_light_and_asks_little(client, made, django_assert_max_num_queries):
    for page in pages_of(made):
        with django_assert_max_num_queries(16):
            response = client.get(page)
        weight = len(gzip.compress(response.content, 6))
        print(page, weight, len(response.content))
        assert weight <= HTML_BYTES_MAX, page
