"""Do the contracts hold, and would they notice if they did not?"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.checkout import ROOT

BIN = Path(sys.executable).parent

HEAVY = ("litellm", "ccxt", "statsmodels", "arch", "statsforecast", "lightgbm", "matplotlib", "scipy")


def lint_imports(house: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BIN / "lint-imports", "--no-cache"], cwd=house, capture_output=True, text=True, check=False)


def lint_style(source: str, *, pretending: str) -> set[str]:
    """Return the codes that ruff raises for a file that pretends to stand somewhere in the house."""
    outcome = subprocess.run(
        [BIN / "ruff", "check", "--output-format=json", "--stdin-filename", pretending, "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return {finding["code"] for finding in json.loads(outcome.stdout)}


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of what the contracts cover, to be damaged."""
    for package in ("bitnerve", "apps"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def test_the_contracts_hold():
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout
    assert "0 broken" in outcome.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("bitnerve/domain/errors.py", "import bitnerve.adapters", "The floors"),
        ("bitnerve/domain/errors.py", "import bitnerve.domain.units", "The rooms of the domain"),
        ("bitnerve/domain/units.py", "import bitnerve.domain.timeframe", "The rooms of the domain"),
        ("bitnerve/domain/whim.py", "", "The rooms of the domain"),
        ("bitnerve/domain/units.py", "import django.utils.timezone", "The domain and the engine know"),
        ("bitnerve/engine/whim.py", "import httpx", "The domain and the engine know"),
        ("bitnerve/adapters/whim.py", "import django", "The adapters know"),
        ("bitnerve/settings/base.py", "import bitnerve.domain.units", "The settings import nothing"),
        ("apps/accounts/whim.py", "import apps.arenas.apps", "The apps"),
        ("apps/whim.py", "", "The apps"),
    ],
)
def test_a_contract_notices(house: Path, module: str, line: str, contract: str):
    path = house / module
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")

    outcome = lint_imports(house)

    assert outcome.returncode == 1
    assert re.search(rf"^{contract}.* BROKEN$", outcome.stdout, re.MULTILINE), outcome.stdout


@pytest.mark.parametrize("floor", ["bitnerve/domain/market", "bitnerve/engine"])
@pytest.mark.parametrize(
    "source",
    [
        "from datetime import UTC, datetime\n\nAT = datetime.now(UTC)\n",
        "import time\n\nAT = time.time()\n",
        "from uuid import uuid4\n\nID = uuid4()\n",
        "import random\n\nDIE = random.random()\n",
    ],
)
def test_the_pure_floors_ask_no_clock_and_roll_no_dice(floor: str, source: str):
    assert "TID251" in lint_style(source, pretending=f"{floor}/whim.py")


@pytest.mark.parametrize("floor", ["bitnerve/adapters", "apps/arenas", "tests/house"])
def test_the_outer_floors_may_ask_the_clock(floor: str):
    assert "TID251" not in lint_style("import time\n\nAT = time.time()\n", pretending=f"{floor}/whim.py")


def test_the_web_process_loads_nothing_heavy():
    program = f"import sys, apps.asgi, apps.urls; print([name for name in {HEAVY!r} if name in sys.modules])"
    env = {"DJANGO_SETTINGS_MODULE": "bitnerve.settings.test", "PATH": str(BIN)}

    outcome = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )

    assert outcome.stdout.strip() == "[]", outcome.stderr
