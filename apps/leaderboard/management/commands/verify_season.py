"""Is a season's file true? Needs no database. Exit code 0: yes; 1: a difference, named; 2: not a season's file."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.common.command import HouseCommand, open_console
from apps.leaderboard.services import proving
from apps.leaderboard.services.answers import BROKEN, CLEAN, REFUSED, broken_answer, refused_answer, verified_answer
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.difference import BrokenBooks


class Command(HouseCommand):
    help = (
        "Recompute a season's books, chains, roots and standings from its file, and replay every decision; name the "
        "first difference and exit 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The file, and who reads the answer."""
        parser.add_argument("file", type=Path, metavar="FILE", help="a file that export_season wrote")
        parser.add_argument("--json", action="store_true", help="answer in one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, and say what was found."""
        answer, code = self._verify(options["file"])
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        elif code == CLEAN:
            rows = ", ".join(f"{count} {name}" for name, count in answer["rows"].items())
            self.stdout.write(
                f"{rows}\n{answer['replayed']} decisions of {answer['ticks']} ticks replayed to the same books, "
                f"{answer['roots']} day roots recomputed\nbooks_sha256 {answer['books_sha256']}\nclean"
            )
        else:
            self.stderr.write(answer["message"])
        if code != CLEAN:
            raise SystemExit(code)

    def _verify(self, file: Path) -> tuple[dict[str, Any], int]:
        with open_console(stderr=True).status("reading") as status:
            try:
                verified = proving.verify_file(file=file, report=status.update)
            except BrokenBooks as broken:
                return broken_answer(broken), BROKEN
            except Refusal as refusal:
                return refused_answer(refusal), REFUSED
            return {
                "status": "clean",
                **verified_answer(verified),
                "books_sha256": verified.report.books_sha256,
            }, CLEAN
