"""A real season runs, a real browser watches: does the page show what the database holds, tick by tick and between?

Dispatcher, workers and stream run as they do in the demo; frames go over the house's own bus to the server that serves
the page. What a page showed is looked up afterwards, among rows that nobody can change any more.
"""

import threading
import time
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from apps.accounts.models import Account, Line
from apps.arenas.models import Tick
from apps.market.services import make_instant
from apps.trades.models import EquityPoint, Fill, FundingPayment
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, parse_instant
from tests.apps.leaderboard.ground import GRAIN, per_cent, written
from tests.apps.trades.arena import open_season, simulated_market

pytestmark = pytest.mark.chromium

START = parse_instant("2026-01-01T23:30", field="start")
SPEED = 60.0
"""A tick in five seconds."""
HANG_SECONDS = 120.0

WATCH = """() => {
  window.told = [];
  const text = (from, selector) => { const one = from.querySelector(selector); return one && one.textContent; };
  document.addEventListener("bitnerve:show", ({detail: {frame, board}}) => {
    const rows = {}, legend = {};
    for (const row of document.querySelectorAll("[data-board] tbody tr")) rows[row.dataset.entry] = {
      equity: text(row, "[data-field=equity]"), exact: row.querySelector("[data-field=equity]").title,
      total_return: text(row, "[data-field=total_return]"),
    };
    for (const line of document.querySelectorAll("[data-line]")) legend[line.dataset.line] = text(line, "b");
    const {at, season, tick, prices, points} = board;
    window.told.push({at, season, tick, prices: {...prices}, points_at: points && points.at, rows, legend});
  });
}"""


@pytest.fixture
def season(committed_db, server, monkeypatch):
    """A season between whose ticks there are quotes; nothing has happened in it yet."""
    # The browser's driver runs a loop in this thread, which Django would take for its own.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    starts_at = make_instant(START)
    return open_season(
        simulated_market(seed=3, start_at=START - DAY_MS, symbol_count=3),
        slug="watched",
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=24),
        seed=3,
        speed=SPEED,
        quote_every_ms=MINUTE_MS,
        deadline_ms=4 * MINUTE_MS,
    )


@pytest.fixture
def run(season):
    """Return what lets the season run, as the demo does."""
    from worker.process import Arena

    arena = Arena()
    yield arena
    arena.stop()


def wait_for(done):
    until = time.monotonic() + HANG_SECONDS
    while not (found := done()):
        assert time.monotonic() < until, "waited in vain"
        threading.Event().wait(0.05)
    return found


def shown(page, wanted):
    """Return the first state of a page that a test wants to see; the page's own script keeps them all."""

    def look():
        return next((one for one in page.evaluate("window.told") if wanted(one)), None)

    until = time.monotonic() + HANG_SECONDS
    while (found := look()) is None:
        assert time.monotonic() < until, page.evaluate("window.told.slice(-2)")
        page.wait_for_timeout(100)
    return found


def instant(text):
    return datetime.fromisoformat(text)


def is_of_tick(one, *, after):
    """Whether a state shows the values of a tick rather than of a moment between two."""
    return one["tick"]["number"] > after and one["tick"]["state"] == "CLOSED" and one["at"] == one["tick"]["at"]


def is_between(one, *, after):
    """Whether a state shows a moment at which everybody's decisions at the last tick are stored."""
    if one["tick"]["number"] <= after or one["tick"]["state"] != "CLOSED":
        return False
    return instant(one["at"]) - instant(one["tick"]["at"]) > timedelta(minutes=2)


def worth(account, at, prices):
    """Return what an account is worth at an instant: its capital, all that flowed since, and what it holds."""
    held = defaultdict(Fraction)
    found = Fraction(account.capital)
    fills = Fill.objects.filter(account=account, filled_at__lte=at).select_related("instrument")
    for one in fills:
        size = Fraction(one.quantity) * (1 if one.side == "BUY" else -1)
        held[one.instrument.symbol] += size
        found -= size * Fraction(one.price) + Fraction(one.fee)
    paid = FundingPayment.objects.filter(account=account, funded_at__lte=at, amount__isnull=False)
    charges = Line.objects.filter(
        posting__account=account,
        posting__kind="LIQUIDATION_FEE",
        posting__posted_at__lte=at,
        account_name=f"cash:{account.name}",
    )
    found += sum(map(Fraction, [*paid.values_list("amount", flat=True), *charges.values_list("amount", flat=True)]))
    found += sum(size * Fraction(prices[symbol]) for symbol, size in held.items())
    # Every fill and every position is rounded by itself.
    return found, GRAIN * (len(fills) + len(held))


def test_a_page_follows_a_season_that_runs_and_shows_what_is_stored(season, run, server, open_page):
    run.start()
    wait_for(lambda: Tick.objects.filter(season=season, state=Tick.State.CLOSED).count() >= 2)
    address = f"{server}/arenas/{season.arena.slug}/"
    board = open_page(f"{address}leaderboard/", feed=True)
    race = open_page(address, feed=True)
    for page in (board, race):
        page.evaluate(WATCH)
    race.wait_for_selector(".plot.drawn canvas")
    # What is told from here on is kept by the page itself: whoever loaded it again would lose it.
    begun = int(board.inner_text("[data-tick]"))
    names = board.eval_on_selector_all("[data-board] tbody tr", "rows => rows.map(row => row.dataset.entry)")

    at_tick = shown(board, lambda one: is_of_tick(one, after=begun))
    between = shown(board, lambda one: is_between(one, after=at_tick["tick"]["number"] - 1))
    later = shown(board, lambda one: is_of_tick(one, after=at_tick["tick"]["number"]))
    legend = shown(race, lambda one: one["points_at"] and instant(one["points_at"]) >= instant(at_tick["at"]))
    # What is open is finished, and what was shown last is stored.
    run.stop()

    accounts = {one.name: one for one in Account.objects.filter(book=season.slug)}
    assert set(names) == accounts.keys() == at_tick["rows"].keys()
    for state in (at_tick, later):
        points = EquityPoint.objects.filter(account__book=season.slug, at=instant(state["at"]))
        assert points.count() == len(names)
        for point in points.select_related("account"):
            row = state["rows"][point.account.name]
            assert Fraction(row["exact"]) == point.equity
            assert row["equity"] == written(point.equity, 2)
            gain = Fraction(point.equity) / Fraction(point.account.capital) - 1
            assert row["total_return"] == per_cent(gain, 2, signed=True)
    for name, account in accounts.items():
        exact, noise = worth(account, instant(between["at"]), between["prices"])
        assert abs(Fraction(between["rows"][name]["exact"]) - exact) <= noise, name
        assert between["rows"][name]["equity"] == written(Fraction(between["rows"][name]["exact"]), 2)
    drawn = EquityPoint.objects.filter(account__name__in=legend["legend"], at=instant(legend["points_at"]))
    assert len(drawn) == len(legend["legend"]) - 1, "everybody who is drawn, and Bitcoin"
    for point in drawn.select_related("account"):
        assert legend["legend"][point.account.name] == written(point.equity, 2)
    for before, after in ((at_tick, between), (between, later)):
        assert [name for name in names if after["rows"][name]["equity"] != before["rows"][name]["equity"]]
