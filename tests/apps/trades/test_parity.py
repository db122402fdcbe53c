"""One recording through services and database gives the books of a replay, to the last unit."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from apps.market import services as markets
from apps.market.services import make_instant
from apps.trades import selectors
from bitnerve.adapters.simulated.market import simulate
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.strategies.catalog import list_agents
from bitnerve.domain.timeframe import DAY_MS, parse_instant
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import replay
from tests.apps.trades.arena import BAR_MS, CAPITAL, drive, open_season, recorded_market

START = parse_instant("2026-01-01", field="start")
WARM_BARS = 14 * DAY_MS // BAR_MS


@pytest.mark.parametrize(("chunk", "hours", "ahead"), [(None, 24, True), (3, 3, False)])
def test_a_season_in_the_database_has_the_books_of_a_replay(committed_db, tmp_path, chunk, hours, ahead):
    """Whether the candles are stored bar by bar or long before changes nothing, nor does the size of a chunk."""
    bars = hours * 12
    recording = simulate(seed=5, symbol_count=6, start_at=START - WARM_BARS * BAR_MS, bar_count=WARM_BARS + bars)
    market = recorded_market(recording, tmp_path)
    recording = markets.open_feed(market).recording(1)
    season = open_season(
        market, starts_at=make_instant(START), ends_at=make_instant(START) + timedelta(hours=hours), seed=5
    )
    if ahead:
        markets.collect(market, until=season.ends_at)

    assert drive(season, chunk=chunk) == bars + 1

    run = selectors.load_run(season)
    wanted = replay(recording=recording, agents=list_agents(), capital=CAPITAL, tick_ms=BAR_MS, start_at=START, seed=5)
    books, replayed = make_books(run=replace(run, season=wanted.season)), make_books(run=wanted)
    assert len(replayed.tables["fills"]["fill_id"]) > 10
    assert books.season["books_sha256"] == replayed.season["books_sha256"]
    assert check_books(books).books_sha256 == replayed.season["books_sha256"]
    assert run.decisions.snapshots == wanted.decisions.snapshots
    for name in ("action", "reason", "verdict"):
        texts, wanted_texts = np.array(run.decisions.texts), np.array(wanted.decisions.texts)
        codes, wanted_codes = getattr(run.decisions, name), getattr(wanted.decisions, name)
        assert (texts[codes] == wanted_texts[wanted_codes]).all()
