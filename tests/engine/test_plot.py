"""Drawings of made-up runs: whether they are sound, say what happened, and fit."""

import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bitnerve.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from bitnerve.domain.trading import marking
from bitnerve.domain.units import SCALE
from bitnerve.engine import plot, plot_style, scales
from bitnerve.engine.plot import draw_race
from bitnerve.engine.race import BENCHMARKS, FEATURED_MAX, read_race
from bitnerve.engine.run import AgentCard, Run

CAPITAL = 10_000
START = parse_instant("2025-02-15", field="start")
SVG = "{http://www.w3.org/2000/svg}"


def run_of(worth, *, names=None, strategies=None, symbols=("BTCUSDT", "ETHUSDT"), bitcoin=None, tick_ms=5 * MINUTE_MS):
    """A run whose accounts were worth this, [tick][agent], in the quote asset."""
    worth = np.asarray(worth)
    ticks, agents = worth.shape
    if worth.dtype == object:
        units = np.array([[one if one is None else one * SCALE for one in row] for row in worth], dtype=object)
    else:
        units = np.rint(worth * SCALE)
        units = units.astype(np.int64) if np.isfinite(units).all() else units
    equity = np.zeros((ticks, agents, marking.EQUITY_COLUMNS), dtype=units.dtype)
    equity[..., marking.EQUITY] = units
    mark = np.full((ticks, len(symbols)), 100 * SCALE, dtype=np.int64)
    if bitcoin is not None:
        mark[:, 0] = np.asarray(bitcoin) * SCALE
    names = names or [f"agent-{number:03}" for number in range(agents)]
    strategies = strategies or ["mean-reversion"] * agents
    candles = SimpleNamespace(start_at=START, interval_ms=tick_ms)
    return Run(
        recording=SimpleNamespace(symbols=tuple(symbols), candles=candles, mark=mark),
        rules=None,
        capital=CAPITAL * SCALE,
        tick_ms=tick_ms,
        seed=1,
        agents=tuple(AgentCard(name, strategy, {}) for name, strategy in zip(names, strategies, strict=True)),
        exchange=None,
        marks=marking.Marks(equity=equity, positions=None, used=None),
        ticks=START + tick_ms * np.arange(ticks, dtype=np.int64),
        decisions=None,
    )


def walks(ticks, agents, seed=0):
    steps = np.random.default_rng(seed).normal(0, 0.002, (ticks, agents))
    steps[0] = 0
    return CAPITAL * np.exp(np.cumsum(steps, axis=0))


def group(svg, name):
    root = ET.fromstring(svg)
    return next(part for part in root.iter(f"{SVG}g") if part.get("class") == name)


def texts(svg, name):
    return [part.text or "" for part in group(svg, name).iter(f"{SVG}text")]


def points(data):
    """The corners of a path: all its verbs but `z` are read."""
    x = y = 0.0
    found = []
    for verb, numbers in re.findall(r"([MLHVlhvz])([^MLHVlhvz]*)", data):
        values = [float(text) for text in re.findall(r"-?(?:\d+\.\d+|\.\d+|\d+)", numbers)]
        width = 1 if verb in "HVhv" else 2
        for start in range(0, len(values), width):
            move = values[start : start + width]
            if verb in "ML":
                x, y = move
            elif verb == "H":
                x = move[0]
            else:
                dx, dy = {"h": (move[0], 0), "v": (0, move[0]), "l": tuple(move)}[verb]
                x, y = x + dx, y + dy
            found.append((x, y))
    return found


def race_lines(svg):
    """Name → corners of the lines of the race."""
    found = {}
    for part in group(svg, "lines").iter(f"{SVG}path"):
        title = part.find(f"{SVG}title")
        if title is not None:
            found[title.text.partition(":")[0]] = points(part.get("d"))
    return found


def boxes(svg, name):
    """Where the words of a layout stand: (left, top, right, bottom, text)."""
    for part in group(svg, name).iter(f"{SVG}text"):
        size, x, y = (float(part.get(key)) for key in ("font-size", "x", "y"))
        kinds = (part.get("class") or "").split()
        width = scales.text_width(part.text or "", size)
        left = x - width if "e" in kinds else x - width / 2 if "c" in kinds else x
        if part.text:
            yield left, y - 0.75 * size, left + width, y + 0.15 * size, part.text


def assert_tidy(svg):
    root = ET.fromstring(svg)
    height = float(root.get("viewBox").split()[3])
    for layout in ("wide", "narrow"):
        found = list(boxes(svg, layout))
        for left, top, right, bottom, text in found:
            assert left >= 0, text
            assert top >= 0, text
            assert right <= plot.WIDTH + 1, text
            assert bottom <= height, text
        for one, other in itertools.combinations(found, 2):
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (layout, one, other)


MANY = 80_000
EIGHT = walks(MANY, 8)
ODD = {
    "one agent": run_of(walks(50, 1)),
    "one agent without Bitcoin": run_of(walks(50, 1), symbols=("ETHUSDT",)),
    "one tick": run_of(walks(2, 3)),
    "one row": run_of(walks(1, 3)),
    "no row": run_of(np.zeros((0, 2))),
    "nobody": run_of(np.zeros((5, 0))),
    "flat": run_of(np.full((40, 3), float(CAPITAL))),
    "flat at nothing": run_of(np.zeros((40, 3))),
    "negative": run_of(np.linspace([CAPITAL, CAPITAL], [-4000, 12_000], 60)),
    "rich": run_of(np.linspace([CAPITAL, CAPITAL], [3e9, 12_000], 60)),
    "cents": run_of(np.linspace([CAPITAL, CAPITAL], [CAPITAL + 0.02, CAPITAL - 0.01], 60)),
    "missing": run_of(np.where(np.arange(90)[:, None] % 30 < [0, 5, 30, 29], np.nan, walks(90, 4))),
    "plain Python": run_of(np.array([[CAPITAL, None, CAPITAL], [CAPITAL + 1, None, None]], dtype=object)),
    "long names": run_of(walks(90, 3), names=["x" * 300, "W" * 80, "名" * 50]),
    "thirteen": run_of(walks(90, 13)),
    "two hundred": run_of(walks(300, 200)),
    "years": run_of(walks(900, 4), tick_ms=DAY_MS),
    "seconds": run_of(walks(9, 4), tick_ms=1000),
    "many markets": run_of(walks(90, 4), symbols=[f"COIN{number}USDT" for number in range(200)]),
    "benchmarks only": run_of(walks(90, 4), names=list(BENCHMARKS), strategies=list(BENCHMARKS)),
}


@pytest.mark.parametrize("name", ODD)
def test_any_run_gives_a_sound_and_tidy_drawing(name):
    svg = draw_race(ODD[name])
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert "nan" not in re.sub(r"<(title|desc|text)[^>]*>[^<]*", "", svg)
    assert "inf" not in re.sub(r"<(title|desc|text)[^>]*>[^<]*", "", svg)
    assert_tidy(svg)


def test_the_same_run_gives_the_same_text():
    assert draw_race(run_of(EIGHT[:5000])) == draw_race(run_of(EIGHT[:5000].copy()))


def test_accounts_of_plain_python_integers_give_the_same_drawing():
    worth = walks(500, 3)
    run = run_of(worth)
    plain = run_of(worth)
    plain = replace(plain, marks=plain.marks._replace(equity=plain.marks.equity.astype(object)))
    assert draw_race(plain) == draw_race(run)


def test_a_drawing_asks_for_nothing_and_runs_nothing():
    svg = draw_race(ODD["two hundred"]).replace('xmlns="http://www.w3.org/2000/svg"', "")
    for word in ("http", "href", "url(", "@import", "@font-face", "<script", "onload", "<image", "foreignObject"):
        assert word not in svg


def test_names_cannot_break_out_of_the_drawing():
    evil = ["</text><script>alert(1)</script>", 'a"b&c<d>\x00\x1b\ud800', "]]>--><!--"]
    svg = draw_race(run_of(walks(40, 3), names=evil))
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert 'a"b&c<d>���' in texts(svg, "wide")
    assert evil[2] in root.find(f"{SVG}desc").text
    svg.encode()


def test_a_drawing_names_itself_for_those_who_cannot_see_it():
    root = ET.fromstring(draw_race(ODD["thirteen"]))
    assert root.get("role") == "img"
    ids = [root.find(f"{SVG}title").get("id"), root.find(f"{SVG}desc").get("id")]
    assert root.get("aria-labelledby").split() == ids
    assert root.find(f"{SVG}title").text == "13 agents on BTCUSDT and ETHUSDT, 15 Feb 2025, 00:00 – 07:25"
    assert root.find(f"{SVG}desc").text.count("worst drawdown") == FEATURED_MAX


def test_eight_agents_over_eighty_thousand_points_fit():
    assert len(draw_race(run_of(EIGHT)).encode()) <= 150_000
    wild = CAPITAL * (1 + np.random.default_rng(1).random((MANY, 8)))
    assert len(draw_race(run_of(wild)).encode()) <= 150_000


def test_two_hundred_agents_fit():
    assert len(draw_race(run_of(walks(20_000, 200))).encode()) <= 300_000


def test_a_spike_of_a_single_tick_is_drawn_to_its_full_height():
    worth = np.full((MANY, 2), float(CAPITAL))
    worth[31_417, 0] = 15_000
    worth[53_001, 0] = 4_000
    svg = draw_race(run_of(worth, names=["spiky", "calm"]))
    lines = race_lines(svg)
    heights = [y for _, y in lines["spiky"]]
    level = lines["calm"][0][1]
    per_unit = (max(heights) - min(heights)) / 11_000
    assert level - min(heights) == pytest.approx(5_000 * per_unit, abs=0.2)
    assert max(heights) - level == pytest.approx(6_000 * per_unit, abs=0.2)
    at = {y: x for x, y in lines["spiky"]}
    width = lines["calm"][-1][0]
    assert at[min(heights)] / width == pytest.approx(31_417 / MANY, abs=0.002)
    assert at[max(heights)] / width == pytest.approx(53_001 / MANY, abs=0.002)
    assert f"{scales.MINUS}73.33{scales.NARROW_SPACE}%" in texts(svg, "wide")


@pytest.mark.parametrize("columns", [1, 7, 100])
def test_an_envelope_keeps_the_extremes_of_every_column_and_both_ends(columns):
    values = np.random.default_rng(columns).normal(size=5_001)
    shares = np.linspace(0, 1, values.size)
    at, kept = scales.envelope(shares, values, columns=columns)
    assert kept.size == 2 * columns + 2
    assert (at[0], kept[0], at[-1], kept[-1]) == (0, values[0], 1, values[-1])
    assert (np.diff(at) >= 0).all()
    cells = np.minimum((shares * columns).astype(int), columns - 1)
    for column in range(columns):
        inside = values[cells == column]
        assert set(kept[1 + 2 * column : 3 + 2 * column]) == {inside.min(), inside.max()}


def test_an_unknown_stretch_is_a_gap_and_not_a_bridge():
    worth = walks(MANY, 2)
    worth[20_000:60_000, 0] = np.nan
    svg = draw_race(run_of(worth, names=["absent", "present"]))
    data = next(
        part.get("d")
        for part in group(svg, "lines").iter(f"{SVG}path")
        if part.find(f"{SVG}title") is not None and part.find(f"{SVG}title").text.startswith("absent")
    )
    first, second = (points("M" + stretch) for stretch in data.split("M")[1:])
    width = race_lines(svg)["present"][-1][0]
    assert first[-1][0] / width == pytest.approx(0.25, abs=0.002)
    assert second[0][0] / width == pytest.approx(0.75, abs=0.002)


def test_labels_stand_in_the_order_of_final_values():
    worth = np.full((20, 12), float(CAPITAL))
    worth[-1] += np.arange(12) * 0.01
    svg = draw_race(run_of(worth, symbols=("ETHUSDT",)))
    labels = [
        (float(part.get("y")), part.text)
        for part in group(svg, "wide").iter(f"{SVG}text")
        if re.fullmatch(r"agent-\d+", part.text or "")
    ][:12]
    assert labels == sorted(labels)
    assert [text for _, text in labels] == [f"agent-{number:03}" for number in reversed(range(12))]
    assert np.diff([y for y, _ in labels]).min() >= plot.LABEL_GAP - 0.11


@pytest.mark.parametrize("seed", range(20))
def test_spread_labels_stay_apart_in_bounds_and_in_place_where_they_can(seed):
    dice = np.random.default_rng(seed)
    wanted = np.sort(dice.uniform(0, 400, dice.integers(1, 20)))
    placed = scales.spread_labels(wanted.tolist(), gap=18, low=0, high=400)
    assert min(np.diff(placed), default=18) >= 18 - 1e-9
    assert -1e-9 <= placed[0] <= placed[-1] <= 400 + 1e-9
    if min(np.diff(wanted), default=18) >= 18:
        assert placed == pytest.approx(wanted)


def test_of_two_hundred_the_best_twelve_bear_names_and_all_are_drawn():
    run = run_of(walks(300, 200), symbols=("ETHUSDT",))
    svg = draw_race(run)
    final = run.marks.equity[-1, :, marking.EQUITY]
    best = [run.agents[a].name for a in np.argsort(-final)[:FEATURED_MAX]]
    assert [line.name for line in read_race(run).featured] == best
    words = texts(svg, "wide")
    assert [word for word in words if re.fullmatch(r"agent-\d+", word)] == best * 2
    assert any("12 of 200 named" in word for word in words)
    faint = next(part for part in group(svg, "lines") if part.get("class") == "faint")
    assert faint.get("d").count("M") == 188


def test_buy_and_hold_is_named_even_when_it_is_not_among_the_best():
    worth = walks(300, 200)
    worth[:, 7] = np.linspace(CAPITAL, 1, 300)
    strategies = ["buy-and-hold" if number == 7 else "mean-reversion" for number in range(200)]
    race = read_race(run_of(worth, strategies=strategies))
    assert len(race.featured) == FEATURED_MAX
    assert race.featured[-1].name == "agent-007"
    assert "ahead of holding Bitcoin (−99.99\N{NARROW NO-BREAK SPACE}%)" in race.summary


def test_without_an_agent_that_holds_bitcoin_its_marks_stand_in():
    race = read_race(run_of([[CAPITAL], [11_000]], names=["alice"], bitcoin=[100, 150]))
    assert [line.name for line in race.featured] == ["hold BTCUSDT", "alice"]
    space = scales.NARROW_SPACE
    assert race.summary == (
        f"hold BTCUSDT (+50.00{space}%) beats every competitor; the best, alice, ends with 11{space}000.00"
        f" (+10.00{space}%), 40.00 percentage points behind it."
    )


def test_without_bitcoin_nobody_holds_it():
    race = read_race(run_of(walks(9, 2), strategies=["x", "buy-and-hold"], symbols=("ETHUSDT",)))
    assert not any(line.hold for line in race.featured)
    assert "Bitcoin" not in race.summary


def test_those_who_share_the_lead_are_counted_even_where_they_are_not_named():
    race = read_race(run_of(np.full((9, 30), float(CAPITAL)), symbols=("ETHUSDT",)))
    assert race.summary.startswith("30 agents together lead with")


def test_where_benchmarks_take_all_places_one_of_them_leads():
    worth = np.linspace([CAPITAL] * 20, [CAPITAL - number for number in range(20)], 9)
    race = read_race(run_of(worth, strategies=["random"] * 18 + ["x"] * 2, symbols=("ETHUSDT",)))
    assert race.summary.startswith("agent-000 leads with")


@pytest.mark.parametrize(
    ("finals", "strategies", "sentence"),
    [
        ((12_000, 9_000, 8_000), "abc", "a leads with 12 000.00 (+20.00 %)."),
        ((12_000, 12_000, 8_000), "abc", "a and b lead with 12 000.00 (+20.00 %)."),
        ((10_000, 10_000, 10_000), "abc", "3 agents together lead with 10 000.00 (0.00 %)."),
        (
            (12_000, 9_000, 8_000),
            ("x", "buy-and-hold", "cash"),
            "a ends with 12 000.00 (+20.00 %), 30.00 percentage points ahead of holding Bitcoin (−10.00 %).",
        ),
        (
            (9_000, 9_500, 10_000),
            ("x", "buy-and-hold", "cash"),
            "c (0.00 %) beats every competitor; the best, a, ends with 9 000.00 (−10.00 %),"
            " 5.00 percentage points behind holding Bitcoin (−5.00 %).",
        ),
    ],
)
def test_the_summary_says_who_leads_and_how_far_from_bitcoin(finals, strategies, sentence):
    symbols = ("BTCUSDT",) if "buy-and-hold" in strategies else ("ETHUSDT",)
    run = run_of([[CAPITAL] * 3, finals], names=["a", "b", "c"], strategies=strategies, symbols=symbols)
    assert read_race(run).summary.replace(scales.NARROW_SPACE, " ") == sentence


def test_lines_differ_in_color_and_dashes_together_and_in_dashes_alone():
    race = read_race(run_of(walks(40, 12), symbols=("ETHUSDT",)))
    looks = [plot_style.look(line) for line in race.featured]
    assert len({dashes for _, dashes in looks}) == 12
    assert len({color for color, _ in looks}) == plot_style.COLORS


def linear(color):
    channels = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    low, high = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(light):
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    share = np.array(matrix) @ np.clip(light, 0, 1) / [0.95047, 1, 1.08883]
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira and Fernandes (2009), severity 1: what the red-blind, the green-blind, and others see.
SIGHTS = {
    "full": np.eye(3),
    "red-blind": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green-blind": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


@pytest.mark.parametrize("palette", [plot_style.LIGHT, plot_style.DARK], ids=["light", "dark"])
def test_colors_have_contrast_and_stay_apart_under_red_green_blindness(palette):
    lines = [palette[f"c{number}"] for number in range(plot_style.COLORS)]
    for color in (*lines, palette["grey"], palette["start"]):
        assert contrast(color, palette["bg"]) >= 3
    for color in (palette["text"], palette["muted"]):
        assert contrast(color, palette["bg"]) >= 4.5
    for sight in SIGHTS.values():
        seen = [lab(np.array(sight) @ linear(color)) for color in (*lines, palette["grey"])]
        assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) >= 20


def test_the_drawing_follows_the_color_scheme():
    svg = draw_race(ODD["one agent"])
    assert "@media (prefers-color-scheme:dark)" in svg
    for name, color in plot_style.DARK.items():
        assert f"--race-{name}:{color}" in svg


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 10, (0, 2, 4, 6, 8, 10)), (6130, 13_120, (7000, 8000, 9000, 10_000, 11_000, 12_000, 13_000)), (3, 3, (3,))],
)
def test_value_ticks_are_round(low, high, ticks):
    assert scales.value_ticks(low, high, count_max=7) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("length_ms", "labels"),
    [
        (0, ["15 Feb, 00:00"]),
        (30 * 60_000, ["00:05", "00:15"]),
        (6 * HOUR_MS, ["15 Feb", "01:00", "03:00"]),
        (5 * DAY_MS, ["15 Feb", "16 Feb"]),
        (74 * DAY_MS, ["17 Feb", "3 Mar"]),
        (200 * DAY_MS, ["Mar 2025", "Apr"]),
        (400 * DAY_MS, ["Mar 2025", "May", "Jul", "Sep", "Nov", "Jan 2026"]),
        (9000 * DAY_MS, ["Jan 2030"]),
    ],
)
def test_time_ticks_stand_at_round_utc_instants(length_ms, labels):
    found = scales.time_ticks(START, START + length_ms, count_max=7)
    assert len(found) <= 7
    said = [label for _, label in found]
    assert all(label in said for label in labels), said
    assert [at for at, _ in found] == sorted(at for at, _ in found)
    assert all(START <= at <= START + length_ms for at, _ in found)
