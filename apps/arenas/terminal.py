"""What does a race look like in a terminal: while it runs, and when it is over?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from apps.common.command import WIDE
from bitnerve.domain.timeframe import instant_text
from bitnerve.domain.units import SCALE
from bitnerve.engine.world import World

GAIN = "blue"
LOSS = "dark_orange"
BAR_WIDTH = 25


def money(units: int, *, signed: bool = False) -> str:
    """Return money units with two decimals and thin thousands."""
    sign = "+" if signed and units > 0 else ""
    return f"{sign}{units / SCALE:,.2f}".replace(",", "\N{THIN SPACE}")


def percent(ratio: float | None) -> Text:
    """Return a ratio as a signed percentage: sign, arrow and color say the same thing."""
    if ratio is None:
        return Text("–", style="dim")
    style, arrow = ("dim", " ") if round(ratio, 4) == 0 else (GAIN, "▲") if ratio > 0 else (LOSS, "▼")
    return Text(f"{arrow}{ratio:+.2%}", style=style)


def standings_table(leaderboard: Mapping[str, Any], title: str, *, width: int = WIDE) -> Table:
    """Return the final standings; where there is little width, the costs stay away and the ranking remains."""
    wide = width >= WIDE
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    table.add_column("#", no_wrap=True)
    table.add_column("agent", no_wrap=True)
    costs = ("fees", "funding", "liq.") if wide else ()
    for name in ("value", "return", "vs BTC", "max dd", "Sharpe", "trades", "won", *costs):
        table.add_column(name, justify="right", no_wrap=True)
    for row in leaderboard["standings"]:
        sharpe, won = row["sharpe"], row["win_rate"]
        cells = [
            str(row["rank"]),
            row["agent"],
            _amount(row["equity"]),
            percent(row["total_return"]),
            percent(row["excess_return"]),
            f"{row['drawdown_max']:.1%}",
            "–" if sharpe is None else f"{sharpe:+.2f}",
            str(row["trades"]),
            "–" if won is None else f"{won:.0%}",
        ]
        if wide:
            cells += [_amount(row["fees"]), _amount(row["funding"], "+"), str(row["liquidations"])]
        table.add_row(*cells)
    return table


def _amount(text: str, sign: str = "") -> str:
    return f"{float(text):{sign},.2f}".replace(",", "\N{THIN SPACE}")


class Race:
    """A live table of a replay in progress, with a progress bar beneath; plain lines where there is no terminal."""

    def __init__(self, console: Console, title: str, *, refresh_per_second: int = 12) -> None:
        """Prepare a race shown on `console`, which should be the error stream: the answer has the other."""
        self._console = console
        self._title = title
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), console=console
        )
        self._task = self._progress.add_task("getting ready", total=None)
        self._live = Live(console=console, refresh_per_second=refresh_per_second, transient=True)
        self._told = -1

    @contextmanager
    def shown(self) -> Iterator[Race]:
        """Show the race while the block runs."""
        if not self._console.is_terminal:
            yield self
            return
        self._live.update(self._progress)
        with self._live:
            yield self

    def __call__(self, world: World, done: int, total: int) -> None:
        """Take note of a tick; costs next to nothing between two refreshes."""
        step = max(1, total // 400)
        if done % step and done != total:
            return
        if self._console.is_terminal:
            self._progress.update(self._task, completed=done, total=total, description=instant_text(self._at(world)))
            self._live.update(Group(self._board(world), self._progress))
        elif done * 10 // total != self._told:
            self._told = done * 10 // total
            leader = max(range(len(world.agents)), key=lambda a: world.equities[a])
            self._console.print(
                f"{done / total:4.0%}  {instant_text(self._at(world))}  "
                f"{world.agents[leader].name} leads with {money(world.equities[leader])}",
                highlight=False,
            )

    @staticmethod
    def _at(world: World) -> int:
        return world.recording.bar_at(world.bar)

    def _board(self, world: World) -> Table:
        table = Table(title=self._title, title_justify="left", header_style="bold", box=None, pad_edge=False)
        table.add_column("agent", no_wrap=True)
        for name in ("value", "return"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("")
        table.add_column("open", justify="right")
        order = sorted(range(len(world.agents)), key=lambda a: (-world.equities[a], world.agents[a].name))
        widest = max(0.01, *(abs(equity / world.capital - 1) for equity in world.equities))
        for a in order:
            ratio = world.equities[a] / world.capital - 1
            held = sum(1 for quantity in world.quantities[a] if quantity)
            length = round(abs(ratio) / widest * BAR_WIDTH)
            bar = Text("█" * length, style=GAIN if ratio >= 0 else LOSS)
            table.add_row(world.agents[a].name, money(world.equities[a]), percent(ratio), bar, str(held or "flat"))
        return table
