"""M5: numbers that no venue can write down are refused at the door, in both modes of the kernels, and nothing else
happens.
"""

import pytest

from bitnerve.adapters.simulated import simulate
from bitnerve.domain.decisions.decision import BUY, SELL, Decision, OrderRequest, hold
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import HOUR_MS, parse_instant
from bitnerve.domain.trading import marking, orders
from bitnerve.domain.units import SCALE
from bitnerve.engine.replay import replay
from tests.engine.worker import Worker

START = parse_instant("2025-06-01", field="start")


class Reckless(Strategy):
    """Buys at the second tick and sends what a test has made up at the fourth."""

    name = "reckless"
    summary = "Has no sense of size."

    def __init__(self, terms):
        super().__init__()
        self.terms = terms

    def decide(self, view, signals):
        if view.bar == 1:
            return Decision("BUY", "to have something", (OrderRequest("ETHUSDT", BUY, 500),))
        if view.bar == 3:
            return Decision("SELL", "without measure", (OrderRequest("ETHUSDT", SELL, **self.terms),))
        return hold("waits")


def play(terms):
    """The verdicts and the equities of a short race, as plain data."""
    market = simulate(seed=5, start_at=START, bar_count=6, symbol_count=2, interval_ms=HOUR_MS)
    agents = [Agent("ada", Reckless(terms))]
    run = replay(recording=market, agents=agents, capital=10_000 * SCALE, tick_ms=HOUR_MS, seed=1)
    verdicts = [run.decisions.texts[code] for code in run.decisions.verdict[:, 0]]
    return [verdicts, [int(equity) for equity in run.marks.equity[:, 0, marking.EQUITY]]]


REDUCES = {"reduce_only": True, "quantity": 100}


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        (REDUCES | {"quantity": 2**63}, '"REFUSED","rule":"TOO_LARGE","asked":"quantity of 64 bits"'),
        (REDUCES | {"quantity": 10**30}, '"REFUSED","rule":"TOO_LARGE","asked":"quantity of 100 bits"'),
        (REDUCES | {"quantity": -(2**64)}, '"REFUSED","rule":"TOO_LARGE","asked":"quantity of 65 bits"'),
        (REDUCES | {"quantity": 2**63 - 1}, '"REJECTED","rule":"TOO_LARGE"'),
        (REDUCES | {"quantity": -(2**63) + 1}, '"REJECTED","rule":"BAD_QUANTITY"'),
        (
            REDUCES | {"type": orders.STOP_MARKET, "trigger_price": 2**80},
            '"REFUSED","rule":"TOO_LARGE","asked":"trigger_price of 81 bits"',
        ),
        (REDUCES | {"type": orders.STOP_MARKET, "trigger_price": 2**62}, '"REJECTED","rule":"OFF_TICK"'),
        (REDUCES | {"type": orders.LIMIT, "limit_price": 2**63 - 1}, '"REJECTED","rule":"OFF_TICK"'),
        (
            {"quantity": 100, "type": orders.TRAILING_STOP, "callback_rate": 2**64},
            '"REFUSED","rule":"TOO_LARGE","asked":"callback_rate of 65 bits"',
        ),
        (
            {"quantity": 100, "type": orders.TRAILING_STOP, "callback_rate": 2**62},
            '"REJECTED","rule":"BAD_PROTECTION"',
        ),
        ({"quantity": 100, "stop_loss": 2**64}, '"REFUSED","rule":"TOO_LARGE","asked":"stop_loss of 65 bits"'),
        ({"quantity": 100, "take_profit": 2**62}, '"REJECTED","rule":"OFF_TICK"'),
        ({"quantity": 100, "trailing_rate": 2**62}, '"REJECTED","rule":"BAD_PROTECTION"'),
        (REDUCES | {"leverage": 10**20}, '"REFUSED","rule":"TOO_LARGE","asked":"leverage of 67 bits"'),
    ],
)
def test_M5_what_does_not_fit_is_refused_in_both_modes(terms, said):
    verdicts, equities = play(terms)
    assert said in verdicts[3]
    assert verdicts[1] == "ACCEPTED"
    assert [verdicts, equities] == Worker.shared().call("tests.engine.test_doors", "play", [[terms]])[0]
    untouched = play(REDUCES | {"quantity": -1})
    assert equities == untouched[1], "what was refused changed nothing"
