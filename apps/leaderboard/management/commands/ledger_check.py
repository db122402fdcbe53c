"""Do the books hold? Exit code 0: clean; 1: a difference, named; 2: nothing to check."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.services import checking as accounts
from apps.common.command import HouseCommand, open_console
from apps.common.database import running_database
from apps.leaderboard.services import proving
from apps.leaderboard.services.answers import BROKEN, CLEAN, REFUSED, broken_answer, refused_answer, verified_answer
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.difference import BrokenBooks


class Command(HouseCommand):
    help = (
        "Recompute the books of every season in the database, or of an exported replay from its files alone; name the "
        "first difference and exit 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """What is checked, and who reads the answer."""
        parser.add_argument(
            "folder",
            type=Path,
            metavar="DIR",
            nargs="?",
            help="a folder that replay --export wrote; none: the database",
        )
        parser.add_argument("--season", metavar="SLUG", help="check one season of the database")
        parser.add_argument("--json", action="store_true", help="answer in one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, and say what was found."""
        answer, code = self._check(options["folder"], options["season"])
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        elif code != CLEAN:
            self.stderr.write(answer["message"])
        elif options["folder"]:
            rows = ", ".join(f"{count} {name}" for name, count in answer["rows"].items())
            self.stdout.write(f"{rows}\nbooks_sha256 {answer['books_sha256']}\nclean")
        else:
            for season in answer["seasons"]:
                rows = ", ".join(f"{count} {name}" for name, count in season["rows"].items())
                self.stdout.write(f"{season['season']}: {rows}")
            self.stdout.write("clean" if answer["seasons"] else "no season has entries; clean")
        if code != CLEAN:
            raise SystemExit(code)

    def _check(self, folder: Path | None, season: str | None) -> tuple[dict[str, Any], int]:
        with open_console(stderr=True).status("reading") as status:
            try:
                if folder is not None:
                    report = accounts.check_export(folder=folder, report=status.update)
                    return {"status": "clean", "rows": report.rows, "books_sha256": report.books_sha256}, CLEAN
                with running_database(status.update):
                    checked = proving.check_database(slug=season, report=status.update)
                seasons = [{"season": one.slug, **verified_answer(one.verified)} for one in checked]
                return {"status": "clean", "seasons": seasons}, CLEAN
            except BrokenBooks as broken:
                return broken_answer(broken), BROKEN
            except Refusal as refusal:
                return refused_answer(refusal), REFUSED
