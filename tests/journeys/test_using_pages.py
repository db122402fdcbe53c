"""Can the pages be used by keyboard alone, without a script, and do both ways of writing figures agree?"""

from decimal import Decimal

import pytest
from playwright.sync_api import expect

from apps.leaderboard.templatetags import figures

pytestmark = pytest.mark.chromium

BOARD = "/arenas/open/leaderboard/"
SITE = pytest.mark.parametrize("site", ["stale"], indirect=True)


@SITE
def test_the_board_is_walked_by_keys(site, open_page):
    page = open_page(site.url + BOARD)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.eval_on_selector("[data-board] tbody tr", "row => row.dataset.entry")
    assert page.evaluate("document.activeElement.dataset.entry") == first
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("j?")
    assert page.input_value("#q") == "j?"
    assert page.locator("dialog").is_hidden()


@SITE
def test_a_row_opens_with_enter(site, open_page):
    page = open_page(site.url + BOARD)
    page.keyboard.press("j")
    name = page.evaluate("document.activeElement.dataset.entry")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/agents/{name}/")


@SITE
def test_single_keys_can_be_switched_off(site, open_page):
    page = open_page(site.url + BOARD)
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Single keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "q"


@SITE
def test_a_header_sorts_and_the_address_says_so(site, open_page):
    page = open_page(site.url + BOARD)
    page.get_by_role("button", name="Trades").click()
    page.wait_for_selector('th[aria-sort="descending"]')
    page.wait_for_url("**/leaderboard/?sort=-trades")
    trades = page.eval_on_selector_all('[data-field="trades"]', "all => all.map(one => Number(one.textContent))")
    assert trades == sorted(trades, reverse=True)
    assert page.evaluate("document.activeElement.id") == "by-trades"
    page.get_by_label("Brain").select_option("EXTERNAL")
    page.wait_for_url("**brain=EXTERNAL**")
    expect(page.locator("[data-board] tbody tr")).to_have_count(1)
    assert "sort=-trades" in page.url
    page.go_back()
    expect(page.locator("[data-board] tbody tr").nth(1)).to_be_attached()


@SITE
def test_the_crosshair_moves_by_keys_and_tells_its_values(site, open_page):
    page = open_page(site.url + "/arenas/open/")
    page.wait_for_selector(".plot.drawn canvas")
    page.locator("[data-plot]").focus()
    page.keyboard.press("ArrowLeft")
    at = page.inner_text("[data-legend-at]")
    assert at.startswith("2026-01-01 16:3")
    assert at in page.inner_text("[data-announce]")
    page.keyboard.press("Home")
    assert page.inner_text("[data-legend-at]") == "2026-01-01 00:00"


@SITE
def test_the_race_can_be_told_in_per_cent_and_the_address_keeps_it(site, open_page):
    page = open_page(site.url + "/arenas/open/")
    page.wait_for_selector(".plot.drawn canvas")
    page.get_by_label("%", exact=True).check()
    page.get_by_label("log", exact=True).check()
    assert "unit=pct" in page.url
    assert "scale=log" in page.url
    assert page.locator("[data-legend] b").first.inner_text().endswith("%")


@SITE
def test_without_a_script_every_page_has_its_content(site, open_page):
    for path in site.pages:
        page = open_page(site.url + path, java_script_enabled=False)
        assert page.locator("h1").inner_text()
        assert not page.locator("[data-pause], [data-help], [data-fresh]").locator("visible=true").count()
        page.context.close()


@SITE
def test_without_a_script_the_race_is_drawn_and_the_board_sorts(site, open_page):
    page = open_page(site.url + "/arenas/open/?unit=pct&scale=log", java_script_enabled=False)
    assert page.locator(".drawing.wide .lines path").count() == 10
    assert page.locator(".drawing.wide .ends text").first.is_visible()
    page.get_by_role("button", name="Show").click()
    assert "unit=pct" in page.url
    page = open_page(site.url + BOARD + "?q=a", java_script_enabled=False)
    page.get_by_role("button", name="Account value").click()
    assert page.url.endswith("?sort=-equity&q=a")
    assert page.locator('th[aria-sort="descending"]').count() == 1


VALUES = ["0", "-0.004", "0.005", "0.015", "-1234567.885", "12345.675", "99999999.99999999", "-0.1", "1e-9", "1000"]
SPANS = [0, 1, 59, 60, 61, 3599, 3600, 5400, 36000, 86399, 86400, 90000, 864000]


@SITE
def test_script_and_server_write_the_same_figures(site, open_page):
    page = open_page(site.url + "/arenas/")
    for name in ("money", "change", "ratio"):
        server = [getattr(figures, name)(Decimal(f"{Decimal(value):f}")) for value in VALUES]
        plain = [f"{Decimal(value):f}" for value in VALUES]
        script = page.evaluate(f"values => values.map(one => BitNerve.figures.{name}(one))", plain)
        assert script == server
    for name in ("percent", "share", "points", "times"):
        floats = [float(value) / 997 for value in VALUES]
        script = page.evaluate(f"values => values.map(one => BitNerve.figures.{name}(one))", floats)
        assert script == [getattr(figures, name)(value) for value in floats]
    script = page.evaluate("values => values.map(one => BitNerve.figures.duration(one))", SPANS)
    assert script == [figures.duration(span) for span in SPANS]
    assert page.evaluate("BitNerve.figures.money(null)") == figures.money(None)
