"""F1: no signal of any strategy looks ahead; what is known of a bar stays what it was when more bars come."""

from dataclasses import replace

import numpy as np
import pytest

from bitnerve.adapters.simulated import simulate
from bitnerve.domain.strategies.base import History
from bitnerve.domain.strategies.catalog import list_agents
from bitnerve.domain.timeframe import parse_instant
from bitnerve.engine.replay import make_history

DAYS = 16
SEEING = [agent for agent in list_agents() if agent.name in ("amplification-moderate", "mean-reversion")]


@pytest.fixture(scope="module")
def history() -> History:
    start_at = parse_instant("2025-03-01", field="start")
    return make_history(simulate(seed=5, start_at=start_at, bar_count=DAYS * 288, symbol_count=4))


@pytest.fixture(scope="module")
def whole(history):
    return {agent.name: agent.strategy.signals(history) for agent in SEEING}


def cut(history, count):
    names = ("open", "high", "low", "close", "turnover")
    return replace(history, **{name: getattr(history, name)[:count] for name in names})


@pytest.mark.parametrize("count", [1, 577, 3001, 4097, DAYS * 288 - 1])
@pytest.mark.parametrize("agent", SEEING, ids=lambda agent: agent.name)
def test_F1_signals_of_a_part_are_the_first_rows_of_the_whole(history, whole, agent, count):
    part = agent.strategy.signals(cut(history, count))
    for name, mine, all_rows in zip(part._fields, part, whole[agent.name], strict=True):
        assert mine.tobytes() == np.ascontiguousarray(all_rows[:count]).tobytes(), name


def test_the_comparison_is_of_something(whole):
    known = whole["amplification-moderate"]
    assert np.isfinite(known.momentum).mean() > 0.7
    assert np.isfinite(known.score).any()
    assert (known.regime >= 0).any()
    assert np.isfinite(whole["mean-reversion"].z).mean() > 0.8


def test_bitcoin_never_has_a_score(history, whole):
    """M-01"""
    assert np.isnan(whole["amplification-moderate"].score[:, history.bitcoin]).all()


def test_momentum_before_is_the_highest_of_the_window_before(whole):
    """M-06: the fall is measured from the highest of the twelve bars before."""
    known = whole["amplification-moderate"]
    for bar in (2000, 3000, 4000):
        assert known.momentum_before[bar] == np.nanmax(known.momentum[bar - 12 : bar])


@pytest.mark.parametrize("agent", list_agents(), ids=lambda agent: agent.name)
def test_the_other_strategies_look_at_no_signal(history, agent):
    if agent.strategy.name not in ("amplification", "mean-reversion"):
        assert agent.strategy.signals(history) is None


def test_profiles_share_one_computation():
    amplifiers = [agent.strategy for agent in list_agents() if agent.strategy.name == "amplification"]
    assert len({strategy.signals_key for strategy in amplifiers}) == 1
