"""A season in one file: its rules, market, decisions, books and roots. Exit code 2: refused, with the reason."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.common.command import HouseCommand, open_console
from apps.common.database import running_database
from apps.leaderboard.services import proving


class Command(HouseCommand):
    help = "Write a season as it is now into one new file that anybody can verify."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which season, where to, and who reads the answer."""
        parser.add_argument("season", metavar="SLUG")
        parser.add_argument("file", type=Path, metavar="FILE", help="a file that is not there yet")
        parser.add_argument("--json", action="store_true", help="answer in one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, and say how much."""
        file: Path = options["file"]
        with open_console(stderr=True).status("reading") as status, running_database(status.update):
            rows = proving.export_season(slug=options["season"], file=file, report=status.update)
        if options["json"]:
            self.stdout.write(json.dumps({"file": str(file), "bytes": file.stat().st_size, "rows": rows}))
            return
        counted = ", ".join(f"{count} {name}" for name, count in rows.items())
        self.stdout.write(f"{counted}\n{file}: {file.stat().st_size} bytes; verify it: manage.py verify_season {file}")
