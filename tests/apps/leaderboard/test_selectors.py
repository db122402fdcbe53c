"""Do the reads say what the books say: positions and their danger, verdicts, gaps, and the season's own clock?"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from apps.arenas.models import Entry, Season
from apps.leaderboard.drawings.parts import differences
from apps.leaderboard.drawings.small import spark_path
from apps.leaderboard.selectors import agents, board, decisions, positions, race, seasons
from apps.leaderboard.selectors.seasons import Moment
from apps.leaderboard.templatetags import figures
from apps.trades.models import Decision, Position, PositionPoint
from tests.factories import season_with


@pytest.fixture
def made(db):
    return season_with(agents=9, ticks=120)


def left_over(entry: Entry, points: list[PositionPoint], moved: PositionPoint, price: Decimal) -> Decimal:
    """Return cross balance minus maintenance with one mark moved, in plain decimals from the tiers' text."""
    total = entry.account.cash
    for point in points:
        mark = price if point.pk == moved.pk else point.mark_price
        notional = abs(point.quantity) * mark
        tier = next(
            one
            for one in point.instrument.tiers
            if one["notional_until"] is None or notional <= Decimal(one["notional_until"])
        )
        total += point.quantity * mark - point.cost_basis
        total -= notional * Decimal(tier["maintenance_rate"]) - Decimal(tier["deduction"])
    return total


def test_a_liquidation_price_is_the_first_tick_in_breach(db):
    season_with(agents=200, ticks=60)
    looked_at = 0
    for entry in Entry.objects.select_related("account", "standing").order_by("-standing__exposure_gross")[:25]:
        holdings = {one.symbol: one for one in positions.list_holdings(entry)}
        newest = entry.standing.as_of
        points = list(PositionPoint.objects.filter(account=entry.account, at=newest).select_related("instrument"))
        for point in points:
            level = holdings[point.instrument.symbol].liquidation_price
            if level is None:
                continue
            tick = point.instrument.tick_size
            nearer = level + tick if point.quantity > 0 else level - tick
            assert left_over(entry, points, point, level) < 0
            assert left_over(entry, points, point, nearer) >= 0
            looked_at += 1
    assert looked_at > 20


def test_the_matrix_shows_what_is_held(made):
    matrix = positions.read_matrix(made.season)
    shown = {
        (name, symbol): cell.quantity
        for name, _, cells in matrix.rows
        for symbol, cell in zip(matrix.symbols, cells, strict=True)
        if cell
    }
    held = Position.objects.exclude(quantity=0).values_list("account__name", "instrument__symbol", "quantity")
    assert shown == {(name, symbol): quantity for name, symbol, quantity in held}
    assert len(matrix.rows) + matrix.flat == 9
    assert sum(map(sum, matrix.totals)) == len(shown)


@pytest.mark.parametrize(
    ("state", "verdict", "orders", "word"),
    [
        ("DECIDED", "NO_ORDERS", 0, "no orders"),
        ("DECIDED", "ACCEPTED", 1, "accepted"),
        ("DECIDED", '[{"order":0,"outcome":"TRIMMED","rule":"MARGIN","asked":"2","allowed":"1"}]', 1, "trimmed"),
        ("DECIDED", '[{"order":0,"outcome":"REFUSED","rule":"DATA","asked":"2","allowed":"0"}]', 1, "refused"),
        ("DECIDED", '[{"order":1,"outcome":"REFUSED","rule":"DATA","asked":"2","allowed":"0"}]', 2, "trimmed"),
        ("MISSED", "", 0, "missed"),
    ],
)
def test_a_verdict_is_one_word(state, verdict, orders, word):
    decision = Decision(state=state, verdict=verdict, orders=[{}] * orders)
    assert decisions.read_verdict(decision).word == word


def test_a_gap_in_the_points_stays_a_gap():
    whole = race._Grid(0.0, 40.0, 10.0, thinned=False)
    assert whole.values({0: (0, 0, 0, 1.0), 2: (0, 0, 0, 3.0), 4: (0, 0, 0, 5.0)}) == [1.0, None, 3.0, None, 5.0]
    thinned = race._Grid(0.0, 25.0, 10.0, thinned=True)
    values = thinned.values({0: (1.0, 9.0, 9.0, 1.0), 2: (2.0, 3.0, 2.0, 3.0)})
    assert thinned.seconds == [2.5, 7.5, 12.5, 17.5, 22.5, 25.0]
    assert values == [9.0, 1.0, None, None, 2.0, 3.0]
    assert differences([5, None, 7]) == [5, None, 2]


def moment(**changes) -> Moment:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values = {"state": Season.State.LIVE, "speed": 60.0, "clock_at": at, "anchored_at": at, "tick_ms": 300_000}
    season = Season(starts_at=at, ends_at=at + timedelta(days=1), **(values | changes))
    return Moment(season=season, tick=None, now=at + timedelta(seconds=2), updated_at=None, freshness="waiting")


def test_the_seasons_clock_runs_at_its_own_speed():
    running = moment()
    assert running.market_now == datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert running.next_in == timedelta(0)
    standing = moment(anchored_at=None)
    assert standing.market_now == standing.season.clock_at
    assert standing.next_in is None


def test_uptime_counts_what_was_due_and_decided(made):
    entry = agents.get_entry(agent="random")
    uptime = agents.read_uptime(entry)
    assert uptime.decided == Decision.objects.filter(entry=entry).count() == 120
    assert 0.99 < uptime.rate <= 1


def test_the_drawdown_of_a_short_view_knows_the_peak_before_it(db):
    season_with(agents=9, ticks=600)
    entry = agents.get_entry(agent="buy-and-hold")
    whole, day = agents.read_series(entry=entry), agents.read_series(entry=entry, span="24h")
    assert len(day.seconds) == 289
    assert day.drawdown == whole.drawdown[-289:]
    assert max(whole.drawdown) == pytest.approx(entry.standing.drawdown_max)
    assert whole.drawdown[-1] == pytest.approx(entry.standing.drawdown_now)
    assert whole.long[-1] == pytest.approx(entry.standing.exposure_gross)


def test_what_is_unknown_comes_last_either_way(made):
    for descending in (False, True):
        query = board.BoardQuery(sort="holding_ms_median", descending=descending)
        known = [row.holding_ms_median is not None for row in board.list_rows(season=made.season, query=query)]
        assert known == sorted(known, reverse=True)


def test_the_page_speaks_of_the_newest_season_unless_told_otherwise(made):
    later = Season.objects.get(pk=made.season.pk)
    later.pk, later.number, later.slug = None, 2, "open-2"
    later.starts_at += timedelta(days=40)
    later.save()
    assert seasons.get_season(arena="open").number == 2
    assert seasons.get_season(arena="open", number=1).pk == made.season.pk
    assert seasons.featured_season().number == 2
    assert [arena.newest.number for arena in seasons.list_arenas()] == [2]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (figures.money(Decimal("1234567.885")), "1\u202f234\u202f567.88"),
        (figures.money(Decimal("0.015")), "0.02"),
        (figures.change(Decimal("-0.004")), "0.00"),
        (figures.change(Decimal("3")), "+3.00"),
        (figures.percent(-0.1234567), "\u221212.35\u202f%"),
        (figures.price(Decimal("97445.2"), Decimal("0.10")), "97\u202f445.2"),
        (figures.price(Decimal("7"), Decimal("10")), "7"),
        (figures.quantity(Decimal("-0.1200")), "0.12"),
        (figures.quantity(Decimal("1E+3")), "1\u202f000"),
        (figures.exact(Decimal("10177.45411430")), "10177.4541143"),
        (figures.money(None), "\u2013"),
        (figures.duration(5400), "1 h 30 min"),
        (figures.duration(86400 * 12 + 5), "12 d"),
        (figures.move(0.0), ""),
    ],
)
def test_figures_read_as_they_should(written, read):
    assert written == read


def test_a_sparkline_keeps_to_its_box():
    assert spark_path([1.0]) == ""
    assert spark_path([2.0, 2.0, 2.0]) == "M0 12h94"
    path = spark_path([float(value % 7) for value in range(48)])
    assert path.startswith("M0 22")
    assert len(path) < 400
