"""Does a price that has strayed from its mean come back? Trades as if it did.

For every symbol: z = (close − mean) ÷ standard deviation over a window, which is where the close lies between the
Bollinger bands. Enter against |z| ≥ entry × an adaptive factor that rises when volatility does, leave near the mean,
and stop at a wider z; the stop rests with the venue, the exit is decided here.
"""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.decisions.decision import BUY, SELL, Decision, OrderRequest, close, hold
from bitnerve.domain.risk.sizing import lots_for_share
from bitnerve.domain.signals.indicators import Floats, bollinger_bands, realized_volatility
from bitnerve.domain.strategies.base import History, Strategy, View
from bitnerve.domain.units import SCALE, price_ceiling, price_floor

CALM = hold("nothing has strayed far enough")


class Signals(NamedTuple):
    """`[bar, symbol]`, NaN until the windows are full."""

    z: Floats
    threshold: Floats
    """The |z| that opens a position."""
    deviation: Floats
    """One standard deviation ÷ close."""
    excess: Floats
    """|z| − threshold where one deviation is worth its costs, else NaN."""
    widest: npt.NDArray[np.int64]
    """`[bar]`: the column of the largest excess, -1 where nothing exceeds."""


class MeanReversion(Strategy):
    """Fades two-sigma moves, carefully when the market is wild."""

    name = "mean-reversion"
    summary = "Buys below and sells above the Bollinger bands, exits at the mean, stops beyond; wider bands in storms."
    defaults: ClassVar[dict[str, str]] = {
        "window": "576",
        "calm_window": "2016",
        "entry": "2",
        "exit": "0.25",
        "stop": "4",
        "share": "0.3",
        "leverage": "2",
        "positions_max": "4",
        "deviation_min": "0.01",
    }

    def signals(self, history: History) -> Signals:
        """Compute z, its threshold and the size of a deviation for every bar that is asked for."""
        window = self.counts["window"]
        bands = bollinger_bands(history.close, window=window, since=history.since)
        with np.errstate(invalid="ignore", divide="ignore"):
            deviation = (bands.upper - bands.middle) / 2.0
            z = np.where(deviation > 0.0, (history.close - bands.middle) / deviation, np.nan)
            now = realized_volatility(history.close, window=window, since=history.since)
            usual = realized_volatility(history.close, window=self.counts["calm_window"], since=history.since)
            wildness = np.clip(np.where(usual > 0.0, now / usual, np.nan), 0.75, 2.0)
            threshold = self.numbers["entry"] * wildness
            share = deviation / history.close
            # The way back to the mean must be worth more than the round trip: two spreads, two fees, two impacts.
            excess = np.where(share >= self.numbers["deviation_min"], np.abs(z) - threshold, np.nan)
        known = np.where(np.isnan(excess), -1.0, excess)
        widest = np.where(known.max(axis=1) >= 0.0, known.argmax(axis=1), -1)
        return Signals(z=z, threshold=threshold, deviation=share, excess=excess, widest=widest)

    def decide(self, view: View, signals: Signals) -> Decision:
        """Close what has come back, then fade the widest stray."""
        if view.bar == 0:
            return hold("no bar yet")
        now = view.bar - 1
        held = view.held
        closing = [c for c in held if self._is_back(float(signals.z[now, c]), view.quantity(c))]
        orders = [close(view.symbols[c], SELL if view.quantity(c) > 0 else BUY) for c in closing]
        column = int(signals.widest[now])
        free = len(held) < self.counts["positions_max"]
        if column >= 0 and free and not view.quantity(column) and not view.has_orders(column):
            z = float(signals.z[now, column])
            entry = self._entry(view, column, z, float(signals.deviation[now, column]))
            if entry:
                reason = f"{entry.symbol} strayed {z:+.2f} deviations"
                confidence = min(1.0, abs(z) / self.numbers["stop"])
                return Decision("SELL" if entry.side == SELL else "BUY", reason, (*orders, entry), confidence)
        if orders:
            return Decision("CLOSE", "back near the mean", tuple(orders))
        return CALM

    def _is_back(self, z: float, quantity: int) -> bool:
        side = 1 if quantity > 0 else -1
        return not math.isnan(z) and side * z >= -self.numbers["exit"]

    def _entry(self, view: View, column: int, z: float, deviation: float) -> OrderRequest | None:
        instrument = view.instruments[column]
        mark = view.mark(column)
        side = SELL if z > 0 else BUY
        lots = lots_for_share(equity=view.equity, share=self.rates["share"], price=mark, instrument=instrument)
        # The stop lies where z would be at its limit; the distance becomes a rate once, here.
        distance = round(max(0.002, (self.numbers["stop"] - abs(z)) * deviation) * SCALE)
        if lots < instrument.min_quantity or distance >= SCALE:
            return None
        raw = mark * (SCALE - side * distance) // SCALE
        stop = price_ceiling(raw, instrument.tick_size) if side == BUY else price_floor(raw, instrument.tick_size)
        return OrderRequest(
            symbol=view.symbols[column], side=side, quantity=lots, leverage=self.counts["leverage"], stop_loss=stop
        )
