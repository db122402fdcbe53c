"""What the race on the built-in market tells about itself."""

import pytest

from apps.arenas import services as arenas
from bitnerve.domain.decisions.decision import BUY, Decision, OrderRequest, hold
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent

DAY_MS = 86_400_000


class Once(Strategy):
    """Buys one lot at a tick of the day, and at all later ones asks for what the governor refuses."""

    name = "once"

    def __init__(self, tick):
        super().__init__()
        self.tick = tick

    def decide(self, view, signals):
        tick = view.at % DAY_MS // arenas.BAR_MS
        if tick < self.tick:
            return hold("too early")
        # Later ones ask for a leverage that no venue has.
        order = OrderRequest(view.symbols[0], BUY, 10_000, leverage=2 if tick == self.tick else 1_000)
        return Decision("BUY", "at last", (order,))


@pytest.mark.parametrize(("trades_at", "busy"), [(0, 0), (100, 100), (300, 287)])
def test_a_tick_is_busy_when_an_order_was_not_refused(trades_at, busy):
    season = arenas.SimulatedSeason(symbol_count=2, days=1, seed=3)
    run = arenas.run_season(season=season, recording=arenas.make_market(season), agents=[Agent("ada", Once(trades_at))])
    assert arenas.last_busy_tick(run) == busy
    asked = [words for _, words in arenas.orders_at(run, busy)]
    assert len(asked) == (trades_at < 288)
    # The governor refuses without a word to the venue; what was asked after the last busy tick left no order.
    verdicts = [run.decisions.texts[code] for code in run.decisions.verdict[:, 0]]
    assert all("REFUSED" in verdict for verdict in verdicts[trades_at + 1 :])
