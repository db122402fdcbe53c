"""Does every room of the house hold what the plan says, and nothing else?"""

import re
from pathlib import Path

import pytest

from tests.house.checkout import ROOT, committed_files, docstring_of, modules_of

ROOMLESS = {"utils.py", "util.py", "helpers.py", "tasks.py", "signals.py", "common.py", "misc.py"}

# Written so that they do not match themselves.
PATHS_OF_A_MACHINE = re.compile(r"(?<![\w.])/(?:work|farm|root|home|Users|opt)/\w")
HOSTS_OF_AN_INDEX = re.compile(r"pypi\.org|pythonhosted\.org|--(?:extra-)?index-url|--find-link[s]")

NOT_TEXT = {".parquet", ".npz", ".png", ".ico", ".woff2"}
TEXTS = [path for path in committed_files() if path.suffix not in NOT_TEXT]
PURE_MODULES = [
    path
    for package in ("bitnerve.domain", "bitnerve.engine")
    for path in modules_of(package)
    if path.name != "__init__.py"
]


def test_the_ground_floor_opens_with_an_empty_file():
    assert (ROOT / "bitnerve" / "__init__.py").read_bytes() == b""


def test_the_lists_below_are_not_empty():
    assert len(TEXTS) > 30
    assert len(PURE_MODULES) > 5


def test_apps_hold_no_rooms_outside_the_plan():
    astray = [path.relative_to(ROOT).as_posix() for path in modules_of("apps") if path.name in ROOMLESS]
    assert astray == []


@pytest.mark.parametrize("app", sorted(path.parent.name for path in (ROOT / "apps").glob("*/apps.py")))
def test_every_app_is_named_for_its_folder(app: str):
    from django.apps import apps

    config = apps.get_app_config(app)
    assert config.name == f"apps.{app}"
    assert config.__doc__


def test_every_folder_of_apps_is_an_installed_app():
    from django.apps import apps

    folders = {path.parent.name for path in (ROOT / "apps").glob("*/__init__.py")}
    installed = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}
    assert folders - {"common"} == installed - {"common"}


@pytest.mark.parametrize("path", PURE_MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_pure_module_opens_with_the_question_it_answers(path: Path):
    docstring = docstring_of(path)
    assert docstring
    assert docstring.splitlines()[0].rstrip().endswith((".", "?")), "the first line is a whole sentence"


@pytest.mark.parametrize("word", [PATHS_OF_A_MACHINE, HOSTS_OF_AN_INDEX], ids=["path", "index"])
def test_no_committed_file_tells_of_the_machine_it_was_written_on(word: re.Pattern[str]):
    telling = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if word.search(line)
    ]
    assert telling == []


@pytest.mark.parametrize(
    ("line", "tells"),
    [
        ("open('/" + "root/notes')", True),
        ("see /" + "home/ada/x", True),
        ("data under /var/lib/bitnerve/", False),
        ("../shared/data", False),
        ("bars/" + "work/x", False),
    ],
)
def test_the_path_check_can_tell(line: str, tells: bool):
    assert bool(PATHS_OF_A_MACHINE.search(line)) is tells
