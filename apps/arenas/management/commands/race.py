"""The roster races over a month of the simulated market, in the terminal."""

import time
from typing import Any

from django.core.management.base import CommandParser

from apps.arenas.services import racing as arenas
from apps.arenas.terminal import Race, standings_table
from apps.common.command import HouseCommand, open_console
from bitnerve.domain.ledger.checker import check_books
from bitnerve.engine.export import make_books


class Command(HouseCommand):
    help = "Run the eight agents of the house over the built-in market and show the race."

    def add_arguments(self, parser: CommandParser) -> None:
        """Days, symbols and the seed of the market."""
        parser.add_argument("--days", type=int, default=30)
        parser.add_argument("--symbols", type=int, default=24, help="how many symbols, Bitcoin among them")
        parser.add_argument("--seed", type=int, default=7)

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the market, run the race, print the standings."""
        began = time.monotonic()
        screen, out = open_console(stderr=True), open_console()
        season = arenas.SimulatedSeason(symbol_count=options["symbols"], days=options["days"], seed=options["seed"])
        with screen.status("making the market"):
            recording = arenas.make_market(season)
        title = f"{season.days} days, {season.symbol_count} symbols, simulated market (seed {season.seed})"
        with Race(screen, title).shown() as race:
            run = arenas.run_season(season=season, recording=recording, progress=race)
        with screen.status("recomputing the books"):
            books = make_books(run=run)
            check_books(books)
        out.print(standings_table(books.leaderboard, title, width=out.width))
        fills = len(books.tables["fills"]["sequence"])
        out.print(
            f"\n{fills} fills in {len(run.ticks) - 1} ticks; books balanced to the last unit, "
            f"books_sha256 {books.season['books_sha256'][:16]}…  ({time.monotonic() - began:.0f} s)",
            highlight=False,
        )
        out.print("Simulated prices hold no edge for anybody: what you see is risk, costs and luck.", style="dim")
