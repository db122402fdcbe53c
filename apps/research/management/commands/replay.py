"""Replay a recorded market: agents trade it tick after tick, and leave books that anybody can recompute."""

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from rich.console import Console

from apps.arenas.terminal import Race, standings_table
from apps.common.command import HouseCommand, open_console
from apps.research import services as research
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.timeframe import instant_text, parse_instant, parse_interval
from bitnerve.domain.units import money_units, parse_decimal

SEED_MAX = 2**63 - 1


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > SEED_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {SEED_MAX}")
    return int(text)


class Command(HouseCommand):
    help = "Run agents over recorded candles; the same call gives the same books, byte for byte."

    def add_arguments(self, parser: CommandParser) -> None:
        """The files of the market, the window, the agents, and what to leave behind."""
        files = {"type": Path, "nargs": "+", "metavar": "FILE"}
        parser.add_argument("--candles", required=True, help="Parquet files of bars", **files)
        parser.add_argument("--funding", default=[], help="funding rates", **files)
        parser.add_argument("--mark", default=[], help="mark price bars", **files)
        parser.add_argument("--tiers", type=Path, metavar="FILE", help="leverage and margin tiers")
        parser.add_argument("--filters", type=Path, metavar="FILE", help="tick, lot and minimum sizes")
        parser.add_argument("--symbols", help="comma-separated; default all with candles")
        parser.add_argument("--from", dest="start", metavar="DATE", help="first tick; what is before is warm-up")
        parser.add_argument("--to", dest="end", metavar="DATE", help="last equity row, exclusive for decisions")
        parser.add_argument("--agents", default="all", help="all, or comma-separated names")
        parser.add_argument("--capital", default="10000", help="of each agent, in the quote asset")
        parser.add_argument("--tick", default="5m", help="a multiple of the bars' interval")
        parser.add_argument("--seed", type=_seed, default=0)
        parser.add_argument("--export", type=Path, metavar="DIR", help="write the books into a new folder")
        parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the race and the drawdowns")
        parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, replay, export, and print the standings."""
        request = self._request(options)
        screen = open_console(stderr=True, quiet=options["json"])
        with screen.status("reading the market"):
            recording = research.open_market(request)
        self._tell(screen, recording)
        title = f"{len(recording.symbols)} symbols, {instant_text(recording.bar_at(0))[:10]} on"
        with screen.status("replaying") as status, Race(screen, title).shown() as race:
            status.stop()
            result = research.run_replay(
                request=request,
                recording=recording,
                progress=race,
                report=lambda step: screen.print(step, style="dim"),
            )
        self._answer(result, options)

    def _request(self, options: dict[str, Any]) -> research.ReplayRequest:
        symbols = options["symbols"]
        return research.ReplayRequest(
            candles=options["candles"],
            funding=options["funding"],
            mark=options["mark"],
            tiers=options["tiers"],
            filters=options["filters"],
            symbols=None if symbols is None else [one.strip() for one in symbols.split(",") if one.strip()],
            start_at=parse_instant(options["start"], field="from") if options["start"] else None,
            until=parse_instant(options["end"], field="to") if options["end"] else None,
            agents=options["agents"],
            capital=money_units(parse_decimal(options["capital"], field="capital"), field="capital"),
            tick_ms=parse_interval(options["tick"], field="tick"),
            seed=options["seed"],
            export=options["export"],
            plot=options["plot"],
        )

    def _tell(self, screen: Console, recording: Recording) -> None:
        """Say what is missing: gaps are kept as gaps."""
        for gap in recording.gaps[:5]:
            screen.print(
                f"gap: {gap.symbol} has no bars from {instant_text(gap.start_at)} to {instant_text(gap.until)} "
                f"({gap.bars}); nothing fills there",
                style="yellow",
                highlight=False,
            )
        if len(recording.gaps) > 5:
            screen.print(f"... and {len(recording.gaps) - 5} more gaps", style="yellow")
        inferred = [one.symbol for one in recording.instruments if one.inferred]
        if inferred:
            screen.print(
                f"no filters or tiers: sizes and margins inferred for {', '.join(inferred)}",
                style="yellow",
                highlight=False,
            )

    def _answer(self, result: research.ReplayResult, options: dict[str, Any]) -> None:
        run, books = result.run, result.books
        window = f"{instant_text(int(run.ticks[0]))} to {instant_text(int(run.ticks[-1]))}"
        if options["json"]:
            answer = {
                "from": instant_text(int(run.ticks[0])),
                "to": instant_text(int(run.ticks[-1])),
                "ticks": len(run.ticks) - 1,
                "symbols": list(run.symbols),
                "gaps": len(run.recording.gaps),
                "books_sha256": books.season["books_sha256"],
                **books.leaderboard,
            }
            self.stdout.write(json.dumps(answer, indent=2))
            return
        console = open_console()
        title = f"{', '.join(run.symbols)}: {window}"
        console.print(standings_table(books.leaderboard, title, width=console.width))
        console.print(f"\nbooks_sha256 {books.season['books_sha256']}")
        if options["export"]:
            console.print(f"books in {options['export']}; check them: manage.py ledger_check {options['export']}")
