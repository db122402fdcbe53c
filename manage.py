#!/usr/bin/env python3
"""The front door: every command of the house is started here."""

import os
import sys

from requirements import supported


def main() -> None:
    supported.require_python()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitnerve.settings.dev")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ModuleNotFoundError as missing:
        if missing.name != "django":
            raise
        sys.exit("Django is not installed for this Python: use .venv/bin/python, or the Makefile.")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as wrong:
        sys.stderr.write(f"CommandError: {wrong}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
