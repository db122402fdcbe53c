"""What is known once a run is over: the market it ran on, the agents, and everything that happened to them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bitnerve.domain.market.recording import Recording
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.domain.trading.marking import Marks

REPLAY = "replay"
"""The name of a season that no arena has held."""
UNSTATED = -1
"""The confidence of a decision that states none."""


@dataclass(frozen=True, slots=True)
class AgentCard:
    """Who ran: an agent's name, its strategy's name, and the parameters as text."""

    name: str
    strategy: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """Every decision of a run, [tick, agent]; texts are stored once and named by their index."""

    action: npt.NDArray[np.int32]
    """Index into `texts`."""
    confidence: npt.NDArray[np.int64]
    """Rate units, or UNSTATED."""
    reason: npt.NDArray[np.int32]
    verdict: npt.NDArray[np.int32]
    texts: tuple[str, ...]
    snapshots: tuple[str, ...]
    """sha256 of what could be seen at each tick, as hex."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished replay. Accounts are in the order of `agents`, which is by name."""

    recording: Recording
    rules: Rules
    capital: int
    tick_ms: int
    seed: int
    agents: tuple[AgentCard, ...]
    exchange: Exchange
    marks: Marks
    ticks: npt.NDArray[np.int64]
    """The instants of the equity rows in milliseconds; the last one has no decisions."""
    decisions: DecisionLog
    season: str = REPLAY
    """The season's name in the names of its accounts."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in column order."""
        return self.recording.symbols
