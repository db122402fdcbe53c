"""Is everything we install pinned, hashed, and free of the address it came from?"""

import re
import tomllib
from pathlib import Path

import pytest

from requirements import supported
from tests.house.checkout import ROOT

FOLDER = ROOT / "requirements"
LAYERS = sorted(path.stem for path in FOLDER.glob("*.in"))
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)(?P<marker> ; [^\\]+)?", re.MULTILINE)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def pins(layer: str) -> dict[tuple[str, str], str]:
    """Return the version of each pinned package, by its name and the environment marker it stands under."""
    text = (FOLDER / f"{layer}.txt").read_text(encoding="utf-8")
    return {(pin["name"], (pin["marker"] or "").strip(" ;")): pin["version"] for pin in PIN.finditer(text)}


def wanted(layer: str) -> set[str]:
    """Return the packages that a layer asks for by name."""
    lines = (FOLDER / f"{layer}.in").read_text(encoding="utf-8").splitlines()
    asked = [line for line in lines if line and not line.startswith(("#", "-"))]
    return {re.split(r"[\[~<>=!; ]", line, maxsplit=1)[0].lower() for line in asked}


def entries(layer: str) -> list[str]:
    """Return the logical lines of a compiled file, comments left out."""
    text = (FOLDER / f"{layer}.txt").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line for line in kept.replace("\\\n", " ").splitlines() if line.strip()]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_entry_is_a_pin_with_a_hash(layer: str):
    loose = [line[:60] for line in entries(layer) if not PIN.match(line) or not HASH.search(line)]
    assert entries(layer)
    assert loose == []


@pytest.mark.parametrize("layer", LAYERS)
def test_everything_asked_for_is_pinned(layer: str):
    assert wanted(layer)
    assert wanted(layer) <= {name for name, _ in pins(layer)}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_names_no_address(layer: str):
    text = (FOLDER / f"{layer}.txt").read_text(encoding="utf-8")
    assert not re.search(r"://|^-[fie]\b|^--", text, re.MULTILINE)


def test_tests_run_on_exactly_what_users_run():
    base, dev = pins("base"), pins("dev")
    assert {key: dev.get(key) for key in base} == base


def test_books_cannot_depend_on_the_python_they_were_kept_with():
    forked = [name for name, marker in pins("base") if "python" in marker]
    assert forked == []


def test_every_package_has_its_reason():
    decisions = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    reasoned = set(re.findall(r"`([a-z0-9-]+)`", decisions))
    assert set().union(*(wanted(layer) for layer in LAYERS)) - reasoned == set()


def test_the_door_and_the_metadata_name_the_same_pythons():
    project = tomllib.loads(Path(ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest, newest = supported.OLDEST, supported.NEWEST
    assert project["requires-python"] == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
