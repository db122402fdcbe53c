import sys

import pytest

from bitnerve.domain import strategies
from bitnerve.domain.errors import Refusal
from bitnerve.domain.strategies.base import BadParameter
from bitnerve.domain.strategies.benchmarks import Cash
from bitnerve.domain.strategies.catalog import UnknownAgent, choose_agents, list_agents, list_strategies

ROSTER = (
    "amplification-aggressive",
    "amplification-conservative",
    "amplification-moderate",
    "buy-and-hold",
    "cash",
    "equal-weight",
    "mean-reversion",
    "random",
)

NEWCOMER = '''
"""Does nothing, in a file of its own."""

from bitnerve.domain.decisions.decision import hold
from bitnerve.domain.strategies.base import Strategy


class Newcomer(Strategy):
    name = "newcomer"
    summary = "Waits."

    def decide(self, view, signals):
        return hold("new here")
'''


def test_the_roster_is_exactly_the_eight():
    assert tuple(agent.name for agent in list_agents()) == ROSTER
    assert tuple(agent.name for agent in choose_agents("all")) == ROSTER


def test_every_strategy_says_what_it_does():
    for kind in list_strategies():
        assert kind.summary.endswith(".")
        assert kind.__doc__


def test_a_new_file_is_found_without_being_listed(tmp_path):
    (tmp_path / "newcomer.py").write_text(NEWCOMER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
        found = [kind.name for kind in list_strategies()]
        (agent,) = choose_agents("newcomer")
    # A class is found as long as it lives, so it must leave the folder again.
    sys.modules.pop("bitnerve.domain.strategies.newcomer")
    type(agent.strategy).__module__ = "elsewhere"
    assert found == sorted({*found, "newcomer"})
    assert agent.strategy.decide(None, None).reason == "new here"
    assert tuple(agent.name for agent in list_agents()) == ROSTER


def test_agents_are_chosen_by_name_in_the_order_of_names():
    assert [agent.name for agent in choose_agents(" random, cash ")] == ["cash", "random"]


@pytest.mark.parametrize(
    ("asked", "hint"), [("amplification-agressive", "amplification-aggressive"), ("by-and-hold", "buy-and-hold")]
)
def test_an_unknown_name_gets_the_nearest(asked, hint):
    with pytest.raises(UnknownAgent) as refused:
        choose_agents(f"cash,{asked}")
    assert f"{asked!r}" in str(refused.value)
    assert str(refused.value).endswith(f"did you mean {hint}?")
    assert all(name in str(refused.value) for name in ROSTER)


def test_a_name_like_no_other_gets_no_hint():
    with pytest.raises(UnknownAgent, match="'zzz' is not one of") as refused:
        choose_agents("zzz")
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("names", ["cash,cash", "", " , "])
def test_nobody_or_somebody_twice_is_refused(names):
    with pytest.raises(UnknownAgent, match="names nobody, or somebody twice"):
        choose_agents(names)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"shares": "1"}, "no parameter 'shares'"), ({"leverage": "-1"}, "leverage"), ({"leverage": "1e2"}, "1e2")],
)
def test_a_parameter_that_does_not_exist_or_is_no_number_is_refused(parameters, message):
    kind = next(kind for kind in list_strategies() if kind.name == "random")
    with pytest.raises(Refusal, match=message) as refused:
        kind(parameters)
    assert refused.value.code in ("BAD_PARAMETER", "BAD_NUMBER")


def test_a_strategy_without_parameters_says_so():
    with pytest.raises(BadParameter, match="cash: no parameter 'x'; it has none"):
        Cash({"x": "1"})
