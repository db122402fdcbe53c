"""What must the outside be able to do for the engine?"""

from __future__ import annotations

from typing import Any, Protocol

from bitnerve.domain.market.recording import Recording


class Feed(Protocol):
    """Where a market's prices come from, in bars counted from its first one."""

    @property
    def bar_count(self) -> int | None:
        """The number of bars after which the market ends, None for one that never does."""
        ...

    @property
    def with_quotes(self) -> bool:
        """Whether there are quotes between bar ends."""
        ...

    def recording(self, bars: int) -> Recording:
        """Return the market with at least its first `bars` bars, or with all where it has fewer."""
        ...

    def tape(self, bar: int, every_ms: int) -> Any:
        """Return a bar's quotes, one per symbol in every `every_ms`, as `domain.trading.tape` lays them out."""
        ...
