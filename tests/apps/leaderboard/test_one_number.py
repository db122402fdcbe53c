"""The number on the board is the number on the agent's page, in the feed, in the export and in the rows.

Seasons in which much happens are stopped at several ticks. What each place tells is held against what the rows come to
(`ground.py`): text against the exact value put through the page's rounding, money against money to its last digit.
"""

import json
import re
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from html.parser import HTMLParser

import pytest
from django.test import Client

from apps.accounts.models import Account
from apps.arenas.services import ticks
from apps.common.bus import get_bus
from apps.leaderboard.services import closing, frames, live, proving
from apps.market.services import make_instant
from apps.trades.models import Fill, FundingPayment, Position
from apps.trades.services import acting
from apps.trades.services.streaming import Stream
from bitnerve.adapters.exports import archive
from bitnerve.domain.timeframe import HOUR_MS, MINUTE_MS, parse_instant
from bitnerve.engine.frames import merge_frame
from tests.apps.leaderboard import ground
from tests.apps.leaderboard.serving import Served, hear
from tests.apps.proving import restless
from tests.apps.proving.conftest import altered
from tests.apps.trades.arena import BAR_MS, open_season, simulated_market

ALIKE = Fraction(1, 10**12)
"""How close a ratio in floats comes to the fraction that it stands for."""
VOID = {"meta", "link", "input", "img", "path", "br"}

SEASONS = {
    "quotes": ({"seed": 11, "quote_every_ms": MINUTE_MS}, [1, 7, 16]),
    "quotes, another seed": ({"seed": 5, "quote_every_ms": MINUTE_MS}, [3, 12]),
    "bars": ({"seed": 23}, [2, 22]),
    # Long enough for a Sharpe ratio, which nobody is told in the first week.
    "bars, eight days": ({"seed": 7, "tick_ms": 12 * HOUR_MS, "start": "2026-01-02"}, [13, 15]),
}
SEASON = pytest.mark.parametrize(("rules", "stops"), SEASONS.values(), ids=list(SEASONS))


class Fields(HTMLParser):
    """The text and the tooltip of every marked field of a page, by entry, and the cells of each row."""

    def __init__(self, text):
        super().__init__()
        self.found, self.cells, self._open, self._entry, self._depth = {}, {}, [], None, 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "data-entry" in given:
            self._entry, self._depth = given["data-entry"], len(self._open)
            self.found.setdefault(self._entry, {})
            self.cells.setdefault(self._entry, [])
        field = given.get("data-field") if self._entry else None
        if field:
            self.found[self._entry][field] = ""
            if "title" in given:
                self.found[self._entry][f"{field} title"] = given["title"]
        if self._entry and tag in ("td", "th"):
            self.cells[self._entry].append("")
        if tag not in VOID:
            self._open.append((tag, field))

    def handle_endtag(self, tag):
        while tag not in VOID and self._open and self._open.pop()[0] != tag:
            pass
        if self._entry and len(self._open) <= self._depth:
            self._entry = None

    def handle_data(self, data):
        if not self._entry:
            return
        if self.cells[self._entry]:
            self.cells[self._entry][-1] += data
        field = next((field for _, field in reversed(self._open) if field), None)
        if field:
            self.found[self._entry][field] += data


@pytest.fixture
def server(committed_db, monkeypatch, quick):
    """The real server on the bus that ticks are told over; entries speak restlessly."""
    monkeypatch.setattr(acting, "decide", restless.decide)
    server = Served(get_bus())
    yield server
    server.stop()


@pytest.fixture
def told(server, tmp_path):
    """Return what compares all places with the rows: a set of (place, entry, field), empty where all agree."""
    return lambda season: set(differences(season, server, tmp_path))


def differences(season, server, folder):
    """Yield (place, entry, field) wherever a place tells something else than the rows."""
    tick, figures = ground.read_ground(season)
    for place, rows, wanted in (
        ("board", board(season), ground.as_board),
        ("agent", agents(season, figures), ground.as_agent),
        ("record", records(season, figures), as_record),
        ("front", front(), as_front),
        ("feed", feed(season, server, tick), ground.as_frame),
        ("recalled", recalled(season), ground.as_frame),
        ("export", exported(season, folder, tick), ground.as_export),
    ):
        assert place == "front" or rows.keys() == figures.keys()
        for name, row in rows.items():
            for field, value in wanted(figures[name]).items():
                if not is_told(row[field], value):
                    print(f"{place}: {name}: {field}: {row[field]!r} is not {value!r}")
                    yield place, name, field


def is_told(shown, value):
    """Money and text must be the same to the last digit; a float may differ from its fraction by its own noise."""
    if isinstance(value, Fraction) and isinstance(shown, float):
        return abs(Fraction(shown) - value) <= ALIKE * max(1, abs(value))
    if isinstance(value, Fraction):
        return shown is not None and Fraction(shown) == value
    return shown == value


def page(address):
    answer = Client().get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def board(season):
    fields = Fields(page(f"/arenas/{season.arena.slug}/leaderboard/?season={season.number}"))
    return {name: row | {"held": fields.cells[name][10]} for name, row in fields.found.items()}


def agents(season, figures):
    found = {}
    for name in figures:
        text = page(f"/agents/{name}/?season={season.slug}")
        said = re.search(rf">{name} stands at (.+?) \((.+?)\) after falling (.+?) at worst", text).groups()
        row = Fields(text).found[name]
        found[name] = row | dict(zip(("said equity", "said return", "said fall"), said, strict=True))
    return found


def records(season, figures):
    """Return the one row of each agent's record, by its columns."""
    found = {}
    for name in figures:
        text = page(f"/agents/{name}/record/?season={season.slug}")
        (row,) = re.findall(r'<tr><th scope="row"><a href="/agents/.*?</tr>', text)
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
        found[name] = dict(zip(("state", "rank", "equity", "total_return", "drawdown_max"), cells, strict=True))
    return found


def as_record(one):
    return {name: text for name, text in ground.as_board(one).items() if name in (
        "state", "rank", "equity", "total_return", "drawdown_max"
    )}  # fmt: skip


def front():
    """Return the five who lead as the front page names them."""
    found = Fields(page("/")).found
    assert len(found) == 5
    return found


def as_front(one):
    return {name: ground.as_board(one)[name] for name in ("rank", "equity", "equity title", "total_return")}


def feed(season, server, tick):
    """Return the rows that a spectator who comes now is sent over a real socket."""
    with server.open(season.arena.slug) as client:
        shown = None
        while shown is None or shown["tick"]["number"] < tick.number:
            shown = merge_frame(board=shown, frame=hear(client))
    assert (shown["tick"]["number"], shown["tick"]["state"]) == (tick.number, "CLOSED")
    return shown["rows"]


def recalled(season):
    """Return the rows of the frame that is made where nothing was broadcast."""
    return json.loads(frames.recall_broadcast(season_id=season.pk).snapshot)["rows"]


def exported(season, folder, tick):
    """Return the standings of the season's file; its table of equity ends with the same value."""
    file = folder / "season.zip"
    file.unlink(missing_ok=True)
    proving.export_season(slug=season.slug, file=file)
    books = archive.read_season(file)
    equity = books.tables["equity"]
    last = {}
    for code, at, units in zip(*(equity[name].values.tolist() for name in ("agent", "at", "equity")), strict=True):
        last[equity["agent"].words[code]] = (at, Fraction(units, 10**8))
    rows = {row["agent"]: {name: plain(value) for name, value in row.items()} for row in books.leaderboard["standings"]}
    at = round(tick.at.timestamp() * 1000)
    assert {name: (at, Fraction(row["equity"])) for name, row in rows.items()} == last
    return rows


def plain(value):
    """Return a number of a document as it is meant: money is spelled as text, a ratio is a number."""
    return float(value) if isinstance(value, Decimal) else value


def run_ticks(season, *, until):
    """Run ticks as workers do until one of this number is closed, everybody between ticks too."""
    season.refresh_from_db()
    done = season.ticks.count()
    if until - done > 1:
        restless.drive(season, seed=until, ticks_max=until - done - 1)
    lease = next(one for one in ticks.hold_leases(holder="test", seconds=600) if one.season_id == season.pk)
    tick = ticks.claim_tick(lease)
    for ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
        acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids)
    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None
    season.refresh_from_db()


def open_for(*, seed, stops, start="2026-01-01T23:20", tick_ms=BAR_MS, **rules):
    start_at = parse_instant(start, field="start")
    market = simulated_market(seed=seed, start_at=start_at - HOUR_MS, symbol_count=4)
    return open_season(
        market,
        starts_at=make_instant(start_at),
        ends_at=make_instant(start_at) + timedelta(milliseconds=(stops[-1] - 1) * tick_ms),
        seed=seed,
        agents=restless.agents(),
        limits=restless.BOLD,
        tick_ms=tick_ms,
        **rules,
    )


@SEASON
def test_every_place_tells_what_the_rows_come_to(told, rules, stops):
    season = open_for(stops=stops, **rules)
    for stop in stops:
        run_ticks(season, until=stop)
        assert told(season) == set(), stop
    assert season.state == "FINAL"
    # There was something to tell.
    assert Fill.objects.count() > 10
    assert FundingPayment.objects.exists()
    assert any(row["sharpe"] is not None for row in recalled(season).values()) is ("tick_ms" in rules)


@contextmanager
def between(season, seconds):
    """Let the season's clock stand so long after its newest tick."""
    last = season.ticks.latest("number")
    type(season).objects.filter(pk=season.pk).update(clock_at=last.at + timedelta(seconds=seconds), anchored_at=None)
    yield
    type(season).objects.filter(pk=season.pk).update(clock_at=last.at)


def test_between_ticks_the_feed_tells_cash_and_positions_at_the_prices_it_tells(server):
    """Whatever the quotes did to the accounts meanwhile is stored when it is told."""
    season = open_for(seed=11, stops=[60], quote_every_ms=MINUTE_MS)
    moved = 0
    for stop in (6, 11, 16):
        run_ticks(season, until=stop)
        _, before = ground.read_ground(season)
        with between(season, 150):
            stream = Stream(season.pk)
            assert stream.turn()
            live.show(stream)
            at = stream.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            with server.open(season.arena.slug) as client:
                shown = hear(client)
                while shown["at"] != at:
                    shown = merge_frame(board=shown, frame=hear(client))
        for account in Account.objects.filter(book=season.slug):
            held = Position.objects.filter(account=account).exclude(quantity=0).select_related("instrument")
            worth = Fraction(account.cash)
            for one in held:
                price = Fraction(shown["prices"][one.instrument.symbol])
                worth += Fraction(one.quantity) * price - Fraction(one.cost_basis)
            # Each position's value is rounded to the house's grain by itself.
            told_worth = Fraction(shown["rows"][account.name]["equity"])
            assert abs(told_worth - worth) <= len(held) * ground.GRAIN, account.name
            moved += told_worth != before[account.name].equity
        board_now = board(season)
        assert {name: row["equity title"] for name, row in board_now.items()} == {
            name: ground.in_full(one.equity) for name, one in before.items()
        }, "a page that is opened between ticks shows the tick"
    assert moved >= 8


SHOWN = {"board", "agent", "recalled"}
STANDING = "entry_id = (SELECT id FROM arenas_entry WHERE name = '{0}')"
NEWEST_FILL = (
    "id = (SELECT max(f.id) FROM trades_fill f JOIN accounts_account a ON a.id = account_id WHERE name = '{0}')"
)

ALTERED = {
    # By entry: table, column, its new value, the row, which field then differs, and where that is seen.
    "ada": ("leaderboard_standing", "equity", "equity + 0.01", STANDING, "equity", SHOWN | {"record"}),
    "bob": ("leaderboard_standing", "funding", "funding - 0.00000001", STANDING, "funding", {"recalled"}),
    "cyd": ("leaderboard_standing", "total_return", "total_return + 1e-4", STANDING, "total_return", SHOWN),
    "dee": ("leaderboard_standing", "trades", "trades + 1", STANDING, "trades", SHOWN),
    "eve": ("trades_fill", "fee", "fee + 0.01", NEWEST_FILL, "fees", SHOWN | {"feed"}),
}


def test_one_altered_row_is_told_apart(told):
    """The comparison can fail: by a cent, by the last digit, by a trade, wherever the row is shown."""
    season = open_for(seed=11, stops=[40], quote_every_ms=MINUTE_MS)
    run_ticks(season, until=10)
    with ExitStack() as alterations:
        for name, (table, column, value, row, _, _) in ALTERED.items():
            alterations.enter_context(altered(table, column, value, row.format(name)))
        found = told(season)
        for name, (*_, field, places) in ALTERED.items():
            assert {(place, name, field) for place in places} <= found
    assert told(season) == set()
