"""Can everybody use every page: without sight, without a mouse, without a script, on the smallest screen?"""

from pathlib import Path

import pytest

from tests.journeys.conftest import AXE

pytestmark = pytest.mark.chromium

STATES = ["empty", "begun", "normal", "stale", "full", "final"]
ALL_STATES = pytest.mark.parametrize("site", STATES, indirect=True)
SHOTS = Path(__file__).parents[2] / "var" / "shots"
AXE_RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"],
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
  return found.violations.flatMap(v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary}`));
}"""


@ALL_STATES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(site, open_page, scheme):
    source = AXE.read_text()
    for path in site.pages:
        page = open_page(site.url + path, color_scheme=scheme)
        page.wait_for_timeout(150)
        page.evaluate(source)
        assert page.evaluate(AXE_RUN) == [], f"{site.state} {path}"
        page.context.close()


@ALL_STATES
def test_no_page_scrolls_sideways_on_the_smallest_screen(site, open_page):
    for path in site.pages:
        page = open_page(site.url + path, viewport={"width": 320, "height": 640})
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320, f"{path} is {wide} px wide"
        page.context.close()
