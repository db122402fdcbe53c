"""Bitcoin is the signal, altcoins are the trade: who amplifies Bitcoin's moves, and is now the time?

Bitcoin's momentum (0..100) says when, the beta-amplification scan says what. While momentum is high and the regime
allows, hold the top amplifiers with a trailing stop behind each; when momentum fades, close everything at once, because
alts fall harder than they rise. Bitcoin itself is never traded.

The facts beside the thesis, measured on recordings: amplification above 5× on the same day is rare (0.2 to 2.5 % of
alt-days), betas are lower in rallies than in falls, and there is no lag to exploit. The strategy does what it says;
nothing promises that it pays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.decisions.decision import BUY, SELL, CancelRequest, Decision, OrderRequest, close, hold
from bitnerve.domain.market.instrument import is_bitcoin
from bitnerve.domain.risk.sizing import lots_for_share
from bitnerve.domain.signals.beta import RULES as SCAN_RULES
from bitnerve.domain.signals.beta import BetaScan
from bitnerve.domain.signals.indicators import Floats
from bitnerve.domain.signals.momentum import momentum
from bitnerve.domain.signals.regime import Regime, regimes
from bitnerve.domain.strategies.base import History, Strategy, View
from bitnerve.domain.units import SCALE

_ENTRY_REGIMES = (int(Regime.TRANSITION), int(Regime.BULL))
_OVERHEATED = int(Regime.OVERHEATED)

_CHUNK = 512
"""Bars scanned at a time: the scan of a bar has many columns of which a strategy keeps two."""


class Signals(NamedTuple):
    """`[bar]` and `[bar, symbol]`; NaN or UNKNOWN until the windows are full."""

    momentum: Floats
    momentum_before: Floats
    """The highest score of the fade window before the bar."""
    regime: npt.NDArray[np.int8]
    score: Floats
    """Explained beta (beta × R²) of the ranking window; NaN of whoever is not eligible."""
    beta_up: Floats


class Amplification(Strategy):
    """Buys the strongest amplifiers of Bitcoin while its momentum is high."""

    name = "amplification"
    summary = "Bitcoin is the signal, altcoins are the trade: top amplifiers in, everything out when momentum fades."
    defaults: ClassVar[dict[str, str]] = {
        "enter_above": "70",
        "exit_below": "50",
        "fade": "25",
        "fade_window": "12",
        "overheated_factor": "0.5",
        "rank_window": "288",
        "top": "3",
        "share": "0.25",
        "leverage": "2",
        "trailing_rate": "0.03",
    }
    profiles: ClassVar[dict[str, dict[str, str]]] = {
        "conservative": {
            "enter_above": "75", "exit_below": "55", "top": "2", "share": "0.2", "leverage": "1",
            "trailing_rate": "0.02", "overheated_factor": "0",
        },
        "moderate": {},
        "aggressive": {
            "enter_above": "65", "exit_below": "45", "fade": "35", "top": "4", "share": "0.75", "leverage": "5",
            "trailing_rate": "0.05", "overheated_factor": "1",
        },
    }  # fmt: skip

    @property
    def signals_key(self) -> tuple[Any, ...]:
        """Profiles share momentum, regime and scan: only the windows matter."""
        return (Amplification, self.parameters["rank_window"], self.parameters["fade_window"])

    def universe(self, symbols: Sequence[str]) -> frozenset[str]:
        """Everything but Bitcoin, under whatever name it is listed."""
        return frozenset(symbol for symbol in symbols if not is_bitcoin(symbol))

    def signals(self, history: History) -> Signals | None:
        """Compute momentum and regime for every bar and the scan where asked for; None in a market without Bitcoin."""
        if history.bitcoin < 0:
            return None
        bitcoin = np.ascontiguousarray(history.close[:, history.bitcoin])
        alts = np.delete(history.close, history.bitcoin, axis=1)
        reading = momentum(
            close=bitcoin,
            turnover=np.ascontiguousarray(history.turnover[:, history.bitcoin]),
            alt_close=alts if alts.shape[1] else None,
        )
        labels = regimes(close=bitcoin, momentum=reading, first_bar=history.first_bar)
        score, beta_up = self._scan(history)
        return Signals(
            momentum=reading.score,
            momentum_before=_highest_before(reading.score, self.counts["fade_window"]),
            regime=labels.label,
            score=score,
            beta_up=beta_up,
        )

    def _scan(self, history: History) -> tuple[Floats, Floats]:
        window = SCAN_RULES.windows.index(self.counts["rank_window"])
        scan = BetaScan(symbols=len(history.symbols), bitcoin=history.bitcoin)
        scores, betas = np.full((2, *history.close.shape), np.nan)
        for start in range(0, len(history.close), _CHUNK):
            close, turnover = (values[start : start + _CHUNK] for values in (history.close, history.turnover))
            keep = min(len(close), max(0, start + len(close) - history.since))
            part = scan.extend(first_bar=history.first_bar + start, close=close, turnover=turnover, keep=keep)
            rows = slice(start + len(close) - keep, start + len(close))
            scores[rows], betas[rows] = part.score[:, window], part.beta_up[:, window]
        return scores, betas

    def decide(self, view: View, signals: Signals | None) -> Decision:
        """Leave everything when momentum fades; else fill the free places with the top amplifiers."""
        if signals is None or view.bar == 0:
            return hold("no Bitcoin to take the signal from" if signals is None else "no bar yet")
        now = view.bar - 1
        score = float(signals.momentum[now])
        confidence = score / 100.0 if score == score else None
        fading = self._fading(score, float(signals.momentum_before[now]))
        held, pending = view.held, view.pending
        if fading and (held or pending):
            # An entry that is still at work would open again behind the exit.
            cancels = (CancelRequest(view.symbols[column]) for column in pending)
            closes = (close(view.symbols[column], SELL if view.quantity(column) > 0 else BUY) for column in held)
            return Decision("EXIT_ALL", fading, (*cancels, *closes), confidence)
        label = int(signals.regime[now])
        share = self._share(label)
        free = self.counts["top"] - len({*held, *pending})
        if not score >= self.numbers["enter_above"] or fading or not share or free <= 0:
            return hold(self._why_wait(score, label, share, free), confidence)
        entries = tuple(self._entries(view, signals.score[now].tolist(), share, free))
        if not entries:
            return hold("no amplifier is liquid enough and free", confidence)
        names = ", ".join(order.symbol for order in entries)
        return Decision("BUY", f"momentum {score:.0f}, {Regime(label).name}: {names}", entries, confidence)

    def _fading(self, score: float, before: float) -> str:
        """Return why everything must be closed, or nothing; an unknown score is a reason too."""
        if not score >= self.numbers["exit_below"]:
            return f"momentum {score:.0f} is below {self.parameters['exit_below']}"
        if before - score >= self.numbers["fade"]:
            return f"momentum fell from {before:.0f} to {score:.0f}"
        return ""

    def _share(self, label: int) -> int:
        """Return the share of equity for one entry in a regime, in rate units; 0 where it is not allowed."""
        if label == _OVERHEATED:
            return self.rates["share"] * self.rates["overheated_factor"] // SCALE
        return self.rates["share"] if label in _ENTRY_REGIMES else 0

    def _why_wait(self, score: float, label: int, share: int, free: int) -> str:
        if not score >= self.numbers["enter_above"]:
            return f"momentum {score:.0f} is not above {self.parameters['enter_above']}"
        if not share:
            return f"the regime {Regime(label).name if label >= 0 else 'is unknown and'} allows no entry"
        return "all places are taken" if free <= 0 else "momentum is fading"

    def _entries(self, view: View, scores: Sequence[float], share: int, free: int) -> list[OrderRequest]:
        allowed = self.universe(view.symbols)
        ranked = sorted(
            (-scores[c], c) for c, symbol in enumerate(view.symbols) if scores[c] == scores[c] and symbol in allowed
        )
        entries: list[OrderRequest] = []
        for _, column in ranked[: self.counts["top"]]:
            instrument, mark = view.instruments[column], view.mark(column)
            if len(entries) == free or view.quantity(column) or view.has_orders(column):
                continue
            lots = lots_for_share(equity=view.equity, share=share, price=mark, instrument=instrument)
            if lots >= instrument.min_quantity:
                entries.append(
                    OrderRequest(
                        symbol=view.symbols[column],
                        side=BUY,
                        quantity=lots,
                        leverage=self.counts["leverage"],
                        trailing_rate=self.rates["trailing_rate"],
                    )
                )
        return entries


def _highest_before(score: Floats, window: int) -> Floats:
    """Return the highest known score of the `window` bars before each bar, NaN without one."""
    padded = np.concatenate([np.full(window, np.nan), score[:-1] if len(score) else score])
    rows = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(score)]
    known = np.where(np.isnan(rows), -np.inf, rows).max(axis=1)
    return np.where(np.isinf(known), np.nan, known)
