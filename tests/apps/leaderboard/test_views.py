"""Does every public page say what it must, in few queries and few bytes, to whoever asks?"""

import gzip
import json
import re
from datetime import timedelta
from itertools import accumulate

import pytest

from apps.arenas.models import Entry, Season
from apps.leaderboard.models import Standing
from apps.leaderboard.templatetags import figures
from apps.trades.models import Decision, EquityPoint
from tests.factories import arena_without_seasons, season_with

TABS = ["leaderboard", "decisions", "positions", "trades", "rules", "data"]
HTML_BYTES_MAX = 25_000
POINTS_BYTES_MAX = 25_000
QUERIES_MAX = {"/agents/": 16, "/arenas/": 10, "/": 11}


def text_of(response) -> str:
    assert response.status_code == 200, response.status_code
    return response.content.decode()


@pytest.fixture
def made(db):
    return season_with(agents=9, ticks=120)


def pages_of() -> list[str]:
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


def test_every_page_says_mode_and_disclaimer_and_keeps_the_policy(client, made):
    for page in pages_of():
        text = text_of(client.get(page))
        assert 'class="mode paper"' in text, page
        assert "no real money moves" in text, page
        assert " style=" not in text, f"{page}: an inline style would not pass the policy"
        assert "<script>" not in text, page
        assert not re.search(r"\bon[a-z]+=", text), page
        assert "{{" not in text, page


def test_every_page_is_light_and_asks_little(client, made, django_assert_max_num_queries):
    for page in pages_of():
        most = next(count for start, count in QUERIES_MAX.items() if page.startswith(start))
        with django_assert_max_num_queries(most):
            response = client.get(page)
        assert len(gzip.compress(response.content, 6)) <= HTML_BYTES_MAX, page


def test_the_board_of_two_hundred_is_light_and_asks_little(client, db, django_assert_max_num_queries):
    season_with(agents=200, ticks=60)
    for page in ("/arenas/open/leaderboard/", "/", "/arenas/open/", "/arenas/open/positions/"):
        with django_assert_max_num_queries(10):
            response = client.get(page)
        assert len(gzip.compress(response.content, 6)) <= HTML_BYTES_MAX, page
    assert text_of(client.get("/arenas/open/leaderboard/")).count("<tr data-entry=") == 200


def test_board_and_agent_page_and_front_page_never_disagree(client, made):
    board, front = text_of(client.get("/arenas/open/leaderboard/")), text_of(client.get("/"))
    for standing in Standing.objects.select_related("entry__version__agent", "entry__account"):
        last = EquityPoint.objects.filter(account=standing.entry.account).order_by("-at").first()
        value, gain = figures.money(last.equity), figures.percent(standing.total_return)
        agent = text_of(client.get(f"/agents/{standing.entry.version.agent.slug}/"))
        row = re.search(rf'<tr data-entry="{standing.entry.name}".*?</tr>', board).group()
        assert f">{value}</td>" in row
        assert f">{gain}</td>" in row
        assert f">{value}</dd>" in agent
        assert f">{gain}</dd>" in agent
        assert f'title="{figures.exact(last.equity)}"' in row
        if standing.rank <= 5:
            assert f">{value}</b>" in front


def test_the_board_sorts_and_filters_by_the_address(client, made):
    def names(query):
        return re.findall(r'<tr data-entry="([^"]+)"', text_of(client.get(f"/arenas/open/leaderboard/{query}")))

    by_value = list(Standing.objects.order_by("equity", "rank").values_list("entry__name", flat=True))
    assert names("?sort=equity") == by_value
    assert names("?sort=name") == sorted(by_value)
    assert names("?brain=EXTERNAL") == ["coin-008"]
    assert names("?q=AMPLI&sort=name") == [name for name in sorted(by_value) if name.startswith("ampli")]
    assert set(names("?trades=1")) == set(Standing.objects.filter(trades__gte=1).values_list("entry__name", flat=True))
    assert names("?sort=nonsense&trades=²&brain=x") == names("")


def test_a_pressed_header_leads_to_an_address_that_says_it(client, made):
    answer = client.get("/arenas/open/leaderboard/?sort=rank&brain=LLM&trades=&q=&by=-equity")
    assert (answer.status_code, answer["Location"]) == (302, "/arenas/open/leaderboard/?sort=-equity&brain=LLM")
    text = text_of(client.get("/arenas/open/leaderboard/?sort=-equity"))
    assert '<th scope="col" aria-sort="descending"><button id="by-equity" name="by" value="equity">' in text


def test_htmx_is_given_the_table_alone_and_the_address(client, made):
    answer = client.get("/arenas/open/leaderboard/?sort=-equity&q=a", headers={"HX-Request": "true"})
    assert answer["HX-Push-Url"] == "/arenas/open/leaderboard/?sort=-equity&q=a"
    assert answer.content.decode().startswith('<div id="board"')


def test_nobody_passes_a_filter(client, made):
    assert "Nobody passes this filter" in text_of(client.get("/arenas/open/leaderboard/?q=nobody"))


def test_hostile_names_are_words_and_nothing_else(client, made):
    evil = '"><script>alert(1)</script>'
    Entry.objects.filter(name="random").update(name=evil, halted_because=evil, state="HALTED")
    for page in ("/arenas/open/leaderboard/", "/", "/arenas/open/positions/"):
        text = text_of(client.get(page))
        assert "<script>alert" not in text
    assert "&quot;&gt;&lt;script&gt;" in text_of(client.get("/arenas/open/leaderboard/"))


@pytest.mark.parametrize(
    ("age", "word"),
    [(3, "live"), (14, "live"), (16, "delayed"), (119, "delayed"), (121, "stale")],
)
def test_freshness_is_about_the_wall_whatever_the_market_time(client, db, age, word):
    season_with(agents=2, ticks=12, age=timedelta(seconds=age), speed=3600.0)
    assert f'class="chip {word}" data-chip' in text_of(client.get("/arenas/open/leaderboard/"))


def test_a_final_season_is_closed_and_frozen(client, db):
    season_with(agents=2, ticks=12, state=Season.State.FINAL)
    text = text_of(client.get("/arenas/open/data/"))
    assert 'class="chip closed"' in text
    assert "This season is final" in text
    assert "data-countdown" not in text


def test_a_skipped_tick_and_flawed_prices_are_said(client, db):
    season_with(agents=2, ticks=12, skipped=[12], flaws=[{"symbol": "ETHUSDT", "rule": "STALE"}])
    for page in ("/", "/arenas/open/leaderboard/", "/agents/random/"):
        text = text_of(client.get(page))
        assert "Tick 12 was skipped, nobody traded: no new risk: 3 of 6 prices" in text
        assert "No new risk at tick 12: ETHUSDT (STALE)" in text


def test_an_empty_house_says_what_will_be_there(client, db):
    assert "No season runs here yet" in text_of(client.get("/"))
    assert "No arena yet" in text_of(client.get("/arenas/"))
    assert client.get("/leaderboard/")["Location"] == "/arenas/"
    arena_without_seasons()
    assert "No season yet" in text_of(client.get("/arenas/"))
    assert client.get("/arenas/open/").status_code == 404


@pytest.mark.parametrize(
    "page",
    [
        "/arenas/none/",
        "/arenas/open/none/",
        "/arenas/open/?season=9",
        "/agents/none/",
        "/agents/random/none/",
        "/agents/random/decisions/999999/",
        "/arenas/none/race.json",
        "/agents/none/points.json",
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(client, made, page):
    answer = client.get(page)
    assert answer.status_code == 404
    assert b"There is nothing here" in answer.content


def test_the_points_of_a_race_are_those_of_the_database(client, made):
    told = json.loads(client.get("/arenas/open/race.json").content)
    seconds = list(accumulate(told["seconds"]))
    assert len(seconds) == 121
    names = [line["name"] for line in told["lines"]]
    assert names[-1] == "hold BTC"
    assert len(names) == 10
    for line in told["lines"][:-1]:
        points = EquityPoint.objects.filter(account__name=line["name"]).order_by("at")
        assert [round(point.at.timestamp()) for point in points] == seconds
        assert list(accumulate(line["cents"])) == [round(100 * float(point.equity)) for point in points]


def test_a_long_race_is_thinned_to_its_extremes_and_stays_light(client, db):
    season_with(agents=14, ticks=2000, symbols=3)
    answer = client.get("/arenas/open/race.json")
    told = json.loads(answer.content)
    assert told["thinned"]
    assert len(told["lines"]) == 12
    assert len(told["seconds"]) <= 800
    assert len(gzip.compress(answer.content, 6)) <= POINTS_BYTES_MAX
    assert all(step > 0 for step in told["seconds"])
    for line in told["lines"][:-1]:
        cents = list(accumulate(line["cents"]))
        points = EquityPoint.objects.filter(account__name=line["name"]).order_by("at")
        worth = [round(100 * float(point.equity)) for point in points]
        assert (min(cents), max(cents), cents[-1]) == (min(worth), max(worth), worth[-1])
    day = json.loads(client.get("/arenas/open/race.json?range=24h&agent=cash").content)
    assert [line["name"] for line in day["lines"]] == ["cash", "hold BTC"]
    assert len(day["seconds"]) == 289


def test_points_that_have_not_changed_are_not_sent_again(client, made):
    for page in ("/arenas/open/race.json?range=72h", "/agents/random/points.json"):
        tag = client.get(page)["ETag"]
        assert client.get(page, headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/arenas/open/race.json?range=all")["ETag"] != tag


def test_a_decision_opens_to_snapshot_verdict_orders_and_postings(client, db):
    season_with(agents=60, ticks=60)
    trimmed = Decision.objects.filter(verdict__contains="TRIMMED", placed__isnull=False).first()
    agent = trimmed.entry.version.agent.slug
    text = text_of(client.get(f"/agents/{agent}/decisions/{trimmed.pk}/"))
    ruling = json.loads(trimmed.verdict)[0]
    order = trimmed.placed.get()
    fill = order.fills.first()
    for told in (
        trimmed.tick.snapshot.sha256,
        trimmed.reason,
        ruling["asked"],
        ruling["allowed"],
        order.order_id,
        figures.price(fill.price, order.instrument.tick_size),
        f"cash:{trimmed.entry.name}",
    ):
        assert told in text, told
    marks = set(re.findall(r"<td>([\d.\u202f]+)</td></tr>", text))
    assert len(marks) >= 6


def test_older_decisions_and_trades_are_a_page_away(client, db):
    season_with(agents=14, ticks=288)
    for start in ("/arenas/open/decisions/", "/arenas/open/trades/", "/agents/coin-011/decisions/"):
        first = text_of(client.get(start))
        older = re.search(r'<p class="more"><a href="([^"]+)"', first).group(1).replace("&amp;", "&")
        second = text_of(client.get(start + older))
        keys = [set(re.findall(r'data-decision="(\d+)"', text)) for text in (first, second)]
        assert not keys[0] & keys[1]


def test_a_season_before_its_first_tick_has_everybody_and_no_figures(client, db):
    from tests.factories.season import enter_only

    enter_only(agents=4)
    text = text_of(client.get("/arenas/open/leaderboard/"))
    assert text.count("<tr data-entry=") == 4
    assert "Nobody has traded yet" in text
    assert "No line has begun yet" in text_of(client.get("/arenas/open/"))
    assert "The line begins at 10\u202f000.00" in text_of(client.get("/agents/random/"))
    assert "Everybody is flat" in text_of(client.get("/arenas/open/positions/"))
