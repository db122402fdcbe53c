"""Can everybody use every page: without sight, without a mouse, without a script, on the smallest screen?"""

import gzip

import pytest

from tests.journeys.conftest import AXE

pytestmark = pytest.mark.chromium

STATES = ["empty", "begun", "normal", "stale", "full", "final"]
ALL_STATES = pytest.mark.parametrize("site", STATES, indirect=True)
LIVE_SCRIPT = 3_000
"""What the feed's script may weigh; it is looked at by its own tests."""
AXE_RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"],
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
  return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary}`));
}"""


@ALL_STATES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(site, open_page, scheme):
    source = AXE.read_text()
    page = open_page(site.url, color_scheme=scheme)
    found = []
    for path in site.pages:
        page.goto(site.url + path)
        if page.locator("[data-plot]").count():
            page.wait_for_selector(".plot.drawn")
        page.evaluate(source)
        found += [f"{path}: {barrier}" for barrier in page.evaluate(AXE_RUN)]
    assert found == []


@ALL_STATES
def test_no_page_scrolls_sideways_on_the_smallest_screen(site, open_page):
    page = open_page(site.url, viewport={"width": 320, "height": 640})
    wide = {}
    for path in site.pages:
        page.goto(site.url + path)
        wide[path] = page.evaluate("document.documentElement.scrollWidth")
    assert {path: width for path, width in wide.items() if width > 320} == {}


@pytest.mark.parametrize("site", ["normal"], indirect=True)
def test_a_page_weighs_no_more_than_it_may(site, open_page):
    page = open_page(site.url)
    for path, scripts_max in (("/", 55_000), ("/arenas/open/leaderboard/", 30_000), ("/arenas/open/", 55_000)):
        page.goto(site.url + path)
        loaded = page.evaluate(
            "() => [...document.querySelectorAll('script[src], link[rel=stylesheet]')].map(e => e.src || e.href)"
        )
        weight = {
            name: len(gzip.compress(page.request.get(name).body(), 9)) for name in loaded if "live.js" not in name
        }
        scripts = sum(size for name, size in weight.items() if name.endswith(".js"))
        assert scripts + LIVE_SCRIPT <= scripts_max, path
        assert sum(size for name, size in weight.items() if name.endswith(".css")) <= 12_000, path
        assert len(loaded) + 2 <= 10, "requests at the first view, the page and its icon with them"
