"""Does an open page follow the frames, keep still under a hand, and say when it cannot follow any more?"""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.chromium

BOARD = "/arenas/open/leaderboard/"
NORMAL = pytest.mark.parametrize("site", ["stale"], indirect=True)

TELL = """([rows, rest]) => {
  const season = document.body.dataset.season;
  const board = window.told || (window.told = {rows: {}, season, season_state: "LIVE"});
  for (const [name, values] of Object.entries(rows)) board.rows[name] = {...board.rows[name], ...values};
  const sent = new Date(Date.parse(document.body.dataset.now) + performance.now()).toISOString();
  const frame = {type: "delta", seq: 2, at: "2026-01-01T16:41:00.000Z", sent_at: sent, rows, ...rest};
  document.dispatchEvent(new CustomEvent("bitnerve:frame", {detail: {frame, board}}));
}"""


def tell(page, rows=None, **rest):
    """Give a page a frame as live.js would, once it has put it together."""
    page.evaluate(TELL, [rows or {}, rest])


def all_rows(page) -> dict[str, dict[str, object]]:
    names = page.eval_on_selector_all("[data-board] tbody tr", "rows => rows.map(row => row.dataset.entry)")
    return {name: {"rank": place, "equity": f"{10_000 - place}.5"} for place, name in enumerate(names, start=1)}


@NORMAL
def test_a_frame_makes_a_stale_page_live(site, open_page):
    page = open_page(site.url + BOARD)
    assert page.inner_text("[data-chip] b") == "stale"
    tell(page, {"random": {"equity": "12345.675", "total_return": 0.2345675, "excess_return": -0.01, "sharpe": None}})
    assert page.inner_text("[data-chip] b") == "live"
    row = page.locator('tr[data-entry="random"]')
    assert row.locator('[data-field="equity"]').inner_text() == "12\u202f345.68"
    assert row.locator('[data-field="equity"]').get_attribute("title") == "12345.675"
    assert row.locator('[data-field="total_return"]').inner_text().endswith("+23.46\u202f%")
    assert "up" in row.locator('[data-field="total_return"]').get_attribute("class")
    assert "dn" in row.locator('[data-field="excess_return"]').get_attribute("class")
    assert row.locator('[data-field="sharpe"]').inner_text() == "\u2013"
    assert page.evaluate("getComputedStyle(document.querySelector('.flash')).animationDuration") == "0.6s"


@NORMAL
def test_an_open_socket_and_a_repeated_frame_make_nothing_fresh(site, open_page):
    page = open_page(site.url + BOARD, feed=True)
    page.wait_for_timeout(1500)
    tell(page, {"random": {"sharpe": None}}, at="2026-01-01T16:40:00.000Z")
    assert page.inner_text("[data-chip] b") == "stale"
    tell(page, at="2026-01-01T16:40:01.000Z")
    assert page.inner_text("[data-chip] b") == "live"


@NORMAL
def test_nothing_flashes_for_whoever_wants_no_motion(site, open_page):
    page = open_page(site.url + BOARD, reduced_motion="reduce")
    tell(page, {"random": {"equity": "9"}})
    assert page.evaluate("getComputedStyle(document.querySelector('.flash')).animationName") == "none"


@NORMAL
def test_rows_change_places_but_never_the_one_in_hand(site, open_page):
    page = open_page(site.url + BOARD)
    rows = all_rows(page)
    names = list(rows)
    held = names[3]
    page.locator(f'tr[data-entry="{held}"]').focus()
    turned = {name: {"rank": len(names) - place} for place, name in enumerate(names)}
    tell(page, rows)
    tell(page, turned)
    expect(page.locator("[data-board] tbody tr").first).to_have_attribute("data-entry", names[-1])
    order = page.eval_on_selector_all("[data-board] tbody tr", "rows => rows.map(row => row.dataset.entry)")
    assert order[3] == held
    assert [name for name in order if name != held] == [name for name in reversed(names) if name != held]
    assert page.evaluate("document.activeElement.dataset.entry") == held
    # The next change of places waits; the cells do not.
    tell(page, rows)
    assert page.locator(f'tr[data-entry="{names[0]}"] [data-field="rank"]').inner_text() == "1"
    assert page.eval_on_selector("[data-board] tbody tr", "row => row.dataset.entry") == names[-1]
    assert re.search(r"is now \d+", page.inner_text("[data-announce]"))


@NORMAL
def test_a_pause_holds_everything_back_and_gives_it_back(site, open_page):
    page = open_page(site.url + BOARD)
    before = page.inner_text('tr[data-entry="random"] [data-field="equity"]')
    page.get_by_role("button", name="Pause updates").click()
    tell(page, {"random": {"equity": "1.5"}})
    tell(page, {"cash": {"equity": "2.5"}})
    assert page.inner_text('tr[data-entry="random"] [data-field="equity"]') == before
    page.get_by_role("button", name="Resume updates").click()
    assert page.inner_text('tr[data-entry="random"] [data-field="equity"]') == "1.50"
    assert page.inner_text('tr[data-entry="cash"] [data-field="equity"]') == "2.50"


@NORMAL
def test_a_lost_connection_is_said_and_the_table_stays(site, open_page):
    page = open_page(site.url + BOARD)
    lose = "state => document.dispatchEvent(new CustomEvent('bitnerve:connection', {detail: state}))"
    rows = page.locator("[data-board] tbody tr").count()
    page.evaluate(lose, {"state": "lost", "retry_in_seconds": 4})
    banner = page.locator("[data-lost]")
    assert "Live updates lost, retrying in 4 s" in banner.inner_text()
    assert banner.get_by_role("button", name="Refresh now").is_visible()
    page.evaluate(lose, {"state": "connecting"})
    assert banner.is_visible()
    page.evaluate(lose, {"state": "open"})
    assert banner.is_hidden()
    assert page.locator("[data-board] tbody tr").count() == rows


@NORMAL
def test_decisions_slide_in_and_push_no_reader_away(site, open_page):
    page = open_page(site.url + "/arenas/open/decisions/")
    one = {"entry": "random", "at": "2026-01-01T16:40:00Z", "action": "BUY", "reason": "<b>so</b>", "confidence": 0.7}
    tell(page, decisions=[{**one, "id": 10**9}])
    first = page.locator("[data-feed] li").first
    assert first.get_attribute("data-decision") == str(10**9)
    assert "<b>so</b>" in first.inner_text()
    page.evaluate("window.scrollTo(0, 900)")
    tell(page, decisions=[{**one, "id": 10**9 + 1}])
    assert page.locator("[data-feed] li").first.get_attribute("data-decision") == str(10**9)
    page.get_by_role("button", name="1 new").click()
    assert page.locator("[data-feed] li").first.get_attribute("data-decision") == str(10**9 + 1)


@NORMAL
def test_a_skipped_tick_is_said_while_the_page_is_open(site, open_page):
    page = open_page(site.url + "/")
    tick = {"number": 201, "at": "2026-01-01T16:45:00Z", "next_at": "2026-01-01T16:50:00Z"}
    tell(page, tick={**tick, "state": "SKIPPED", "reason": "prices are old"}, speed=60.0)
    assert "Tick 201 was skipped, nobody traded: prices are old" in page.inner_text(".banner.notice")
    assert page.inner_text("[data-next-at]") == "16:50"
    assert re.fullmatch(r"in \d+ s", page.inner_text("[data-countdown]")) or page.wait_for_timeout(1100) is None
    tell(page, tick={**tick, "number": 202, "state": "CLOSED", "reason": ""})
    assert page.locator(".banner.notice").count() == 0


@NORMAL
def test_a_new_point_lengthens_the_race(site, open_page):
    page = open_page(site.url + "/arenas/open/")
    page.wait_for_selector(".plot.drawn canvas")
    tell(page, points={"at": "2026-01-01T16:45:00Z", "random": "11111.11", "cash": "10000"})
    legend = page.locator('[data-legend] [data-line="random"] b')
    expect(legend).to_contain_text("111.11")
