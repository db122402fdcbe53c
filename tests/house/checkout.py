"""What the house is made of, as the tests of the house see it."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Where machines keep what they make; never part of the house, whether or not this is a git checkout.
MADE = ("var", "exports", "staticfiles", "__pycache__")


def committed_files() -> list[Path]:
    """Return the files under version control, or every file that looks like one where git cannot tell."""
    try:
        # A checkout may belong to somebody else than the one who tests it.
        command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        paths = [path for path in ROOT.rglob("*") if not _is_made(path.relative_to(ROOT))]
    else:
        paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def modules_of(package: str) -> list[Path]:
    """Return the Python files of a package, given by its dotted name."""
    folder = ROOT.joinpath(*package.split("."))
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def docstring_of(path: Path) -> str | None:
    """Return the docstring that a module opens with."""
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def _is_made(path: Path) -> bool:
    return any(part in MADE or part.startswith(".venv") or part == ".git" for part in path.parts)
