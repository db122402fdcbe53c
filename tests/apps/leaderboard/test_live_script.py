"""Does a page in a real browser stay true to the season, whatever happens to the line?"""

import json
import random
import shutil
import time
from pathlib import Path

import pytest
from channels.routing import ProtocolTypeRouter

from apps.asgi import make_application
from tests.apps.leaderboard.serving import PATIENCE, Served, make_season, publish
from tests.house.checkout import ROOT

pytestmark = pytest.mark.chromium

FILES = {
    "/": ("text/html", "<!doctype html><title>t</title><script src=/record.js></script>"
          "<script src=/live.js defer></script><body data-live-url=/ws/v1/public/arenas/nerve>"),
    "/record.js": ("text/javascript", """
        window.told = []; window.states = [];
        document.addEventListener("bitnerve:frame", (event) => told.push(JSON.stringify(event.detail)));
        document.addEventListener("bitnerve:connection", (event) => states.push(event.detail));
    """),
    "/live.js": ("text/javascript", Path(ROOT / "static" / "js" / "live.js").read_text(encoding="utf-8")),
}  # fmt: skip
CSP = b"default-src 'none'; script-src 'self'; connect-src 'self'"


async def page_of_the_test(scope, receive, send):
    """Answer with a page that loads the script as our pages do, under our policy."""
    kind, text = FILES.get(scope["path"], ("text/plain", ""))
    headers = [(b"content-type", kind.encode()), (b"content-security-policy", CSP)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def serve(bus, port=0):
    routes = make_application(bus=bus).application_mapping
    return Served(bus, port=port, app=ProtocolTypeRouter({**routes, "http": page_of_the_test}))


@pytest.fixture
def server(committed_db, bus, quick):
    server = serve(bus)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium():
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, monkeypatch):
    # Playwright runs a loop in this thread, and Django would take every query for one from inside it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    page = chromium.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def visit(page, server):
    page.goto(f"http://127.0.0.1:{server.port}/")


def told(page):
    """Return every frame that the page was told, with the board as it was then."""
    return [json.loads(detail) for detail in page.evaluate("told")]


def wait_for(page, expression):
    """Wait until an expression is true in the page; our policy forbids what Playwright's own waiting is made of."""
    deadline = time.monotonic() + PATIENCE
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, (expression, page.evaluate("[states, told.at(-1)]"))
        page.wait_for_timeout(50)


def wait_for_seq(page, seq):
    wait_for(page, f"told.length > 0 && JSON.parse(told.at(-1)).board.seq >= {seq}")


def wait_for_state(page, state):
    wait_for(page, f"states.length > 0 && states.at(-1).state === '{state}'")


def random_board(dice):
    names = dice.sample(["ada", "bob", "__proto__", "constructor", "Ωmega"], dice.randint(1, 5))
    return {name: {"rank": dice.randint(1, 3), "equity": str(dice.randint(1, 9)), "sharpe": None} for name in names}


def test_every_board_of_a_season_is_put_together_right(page, server, bus):
    season, dice, truth = make_season(), random.Random(7), {}
    publish(season, bus, {})
    visit(page, server)
    wait_for_seq(page, 1)
    decision, rows = 0, {}
    for _ in range(60):
        fresh = [{"id": (decision := decision + 1), "entry": "ada"} for _ in range(dice.randint(0, 3))]
        # Now and then somebody is gone, which only a snapshot can tell.
        rows = random_board(dice) if dice.random() < 0.2 else rows | random_board(dice)
        prices = {dice.choice(["BTCUSDT", "ETHUSDT"]): str(dice.randint(1, 9))}
        seq = publish(season, bus, rows, decisions=fresh, prices=prices, points={"at": str(decision), "ada": "1"})
        truth[seq] = rows
        time.sleep(0.06)
    wait_for_seq(page, 61)

    heard = told(page)
    assert len(heard) > 30
    assert {detail["frame"]["type"] for detail in heard} == {"snapshot", "delta"}
    for detail in heard[1:]:
        assert detail["board"]["rows"] == truth[detail["board"]["seq"]]
    assert set(heard[-1]["board"]["prices"]) == {"BTCUSDT", "ETHUSDT"}
    ids = [entry["id"] for detail in heard for entry in detail["frame"]["decisions"]]
    assert ids == list(range(1, decision + 1)), "each decision is told once"
    points = [detail["frame"]["points"]["at"] for detail in heard if "points" in detail["frame"]]
    assert points == sorted(set(points), key=int), "and so are the points"
    assert [entry["id"] for entry in heard[-1]["board"]["decisions"]] == ids[-20:]


def test_a_server_that_goes_and_comes_back_costs_no_row_and_no_reload(page, server, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}, "bob": {"equity": "1"}})
    visit(page, server)
    wait_for_seq(page, 1)
    page.evaluate("window.sameDocument = true")
    server.stop()
    wait_for_state(page, "lost")
    for equity in ("2", "3"):
        publish(season, bus, {"ada": {"equity": equity}, "bob": {"equity": "1"}, "eve": {"equity": equity}})
    page.wait_for_timeout(3000)
    successor = serve(bus, port=server.port)
    wait_for_seq(page, 3)
    wait_for_state(page, "open")
    publish(season, bus, {"ada": {"equity": "4"}, "bob": {"equity": "1"}, "eve": {"equity": "3"}})
    wait_for_seq(page, 4)

    last = told(page)[-1]
    assert last["board"]["rows"] == {"ada": {"equity": "4"}, "bob": {"equity": "1"}, "eve": {"equity": "3"}}
    assert page.evaluate("window.sameDocument")
    waits = [state["retry_in_seconds"] for state in page.evaluate("states") if state["state"] == "lost"]
    assert len(waits) >= 2
    assert all(1 <= wait <= 4 for wait in waits), "never longer than it may take to be back"
    successor.stop()


def test_silence_is_a_cut_until_something_new_is_heard(page, server, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    visit(page, server)
    wait_for_state(page, "open")
    wait_for_state(page, "lost")
    frames = page.evaluate("told.length")
    # It is connected again by then, and shown the same board: that is no sign of life.
    wait_for(page, f"told.length > {frames}")
    assert page.evaluate("states.at(-1).state") != "open"
    publish(season, bus, {"ada": {"equity": "2"}})
    wait_for_state(page, "open")
    assert told(page)[-1]["board"]["rows"] == {"ada": {"equity": "2"}}


def test_a_season_that_stands_still_may_be_silent(page, server, bus):
    publish(make_season(), bus, {"ada": {"equity": "1"}}, speed=0.0)
    visit(page, server)
    wait_for_state(page, "open")
    page.wait_for_timeout(8000)
    assert [state["state"] for state in page.evaluate("states")] == ["connecting", "open"]


def test_a_lost_delta_is_never_built_upon(page, server, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}, "bob": {"equity": "1"}})

    def lossy(line):
        upstream = line.connect_to_server()
        upstream.on_message(lambda text: None if '"seq":3,' in text and '"delta"' in text else line.send(text))

    page.route_web_socket("**/ws/**", lossy)
    visit(page, server)
    wait_for_seq(page, 1)
    for number in range(2, 6):
        rows = {"ada": {"equity": "1"}, "bob": {"equity": str(number)}}
        publish(season, bus, rows | {f"new {late}": {"rank": late} for late in range(2, number + 1)})
        page.wait_for_timeout(200)
    wait_for_seq(page, 5)

    boards = {detail["board"]["seq"]: detail["board"]["rows"] for detail in told(page)}
    assert sorted(boards) == [1, 2, 5]
    newcomers = {f"new {late}": {"rank": late} for late in range(2, 6)}
    assert boards[5] == {"ada": {"equity": "1"}, "bob": {"equity": "5"}} | newcomers


def test_who_comes_back_to_the_network_does_not_wait(page, server, bus):
    publish(make_season(), bus, {})
    visit(page, server)
    wait_for_state(page, "open")
    server.stop()
    wait_for_state(page, "lost")

    state = page.evaluate("dispatchEvent(new Event('online')), states.at(-1).state")

    assert state == "connecting"


def test_a_season_that_is_over_is_left_alone(page, server, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    visit(page, server)
    wait_for_state(page, "open")
    season.state = "FINAL"
    season.save()
    publish(season, bus, {"ada": {"equity": "2"}})
    wait_for_seq(page, 2)
    page.wait_for_timeout(3000)

    assert [state["state"] for state in page.evaluate("states")] == ["connecting", "open"]
    assert told(page)[-1]["board"]["season_state"] == "FINAL"


def test_a_page_that_sleeps_in_the_cache_wakes_up_with_the_season(page, server, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    visit(page, server)
    wait_for_state(page, "open")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    publish(season, bus, {"ada": {"equity": "2"}})
    page.wait_for_timeout(500)
    assert told(page)[-1]["board"]["seq"] == 1
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    wait_for_seq(page, 2)
    assert told(page)[-1]["board"]["rows"] == {"ada": {"equity": "2"}}
