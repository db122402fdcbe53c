"""One tick in slow motion: what every agent saw, wanted, was allowed, and got."""

from typing import Any

from django.core.management.base import CommandParser
from rich.table import Table

from apps.arenas.services import racing as arenas
from apps.arenas.terminal import money
from apps.common.command import HouseCommand, open_console
from bitnerve.domain.timeframe import instant_text
from bitnerve.domain.trading import marking


class Command(HouseCommand):
    help = "Show the last busy tick of a day on the simulated market: decisions, verdicts, orders."

    def add_arguments(self, parser: CommandParser) -> None:
        """The seed of the market and its size."""
        parser.add_argument("--symbols", type=int, default=12)
        parser.add_argument("--seed", type=int, default=7)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run a day and print one tick of it."""
        console = open_console()
        season = arenas.SimulatedSeason(symbol_count=options["symbols"], days=1, seed=options["seed"])
        run = arenas.run_season(season=season, recording=arenas.make_market(season))
        tick = arenas.last_busy_tick(run)
        log = run.decisions
        console.print(
            f"tick {tick} at {instant_text(int(run.ticks[tick]))}, snapshot {log.snapshots[tick][:16]}…",
            highlight=False,
        )
        table = Table(header_style="bold", box=None, pad_edge=False)
        for name in ("agent", "equity", "decides", "because", "verdict", "equity a tick later"):
            table.add_column(name, justify="right" if name.startswith("equity") else "left")
        for a, card in enumerate(run.agents):
            before, after = (int(run.marks.equity[row, a, marking.EQUITY]) for row in (tick, tick + 1))
            words = (log.texts[column[tick, a]] for column in (log.action, log.reason, log.verdict))
            table.add_row(card.name, money(before), *words, f"{money(after)} ({money(after - before, signed=True)})")
        console.print(table)
        for agent, words in arenas.orders_at(run, tick):
            console.print(f"  {agent}: {words}")
