"""Do the books of an exported season hold? Exit code 0: clean; 1: a difference, named; 2: no export to check."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.accounts.services import checking as accounts
from apps.common.command import HouseCommand, open_console
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.checker import Report
from bitnerve.domain.ledger.difference import BrokenBooks

CLEAN, BROKEN, REFUSED = 0, 1, 2


class Command(HouseCommand):
    help = "Recompute the books of an exported season from its files alone; name the first difference and exit 1."

    def add_arguments(self, parser: CommandParser) -> None:
        """The folder, and who reads the answer."""
        parser.add_argument("folder", type=Path, metavar="DIR", help="the folder that replay --export wrote")
        parser.add_argument("--json", action="store_true", help="answer in one line of JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, and say what was found."""
        answer, code = self._check(options["folder"])
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
        elif code == CLEAN:
            rows = ", ".join(f"{count} {name}" for name, count in answer["rows"].items())
            self.stdout.write(f"{rows}\nbooks_sha256 {answer['books_sha256']}\nclean")
        else:
            self.stderr.write(answer["message"])
        if code != CLEAN:
            raise SystemExit(code)

    def _check(self, folder: Path) -> tuple[dict[str, Any], int]:
        with open_console(stderr=True).status("reading") as status:
            try:
                return _clean(accounts.check_export(folder=folder, report=status.update)), CLEAN
            except BrokenBooks as broken:
                return _broken(broken), BROKEN
            except Refusal as refusal:
                return {"status": "refused", "code": refusal.code, "message": str(refusal)}, REFUSED


def _clean(report: Report) -> dict[str, Any]:
    return {"status": "clean", "rows": report.rows, "books_sha256": report.books_sha256}


def _broken(broken: BrokenBooks) -> dict[str, Any]:
    return {
        "status": "broken",
        "file": broken.file,
        **broken.where,
        "field": broken.field,
        "stored": broken.stored,
        "recomputed": broken.recomputed,
        "message": str(broken),
    }
