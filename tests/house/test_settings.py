"""Does the house refuse to open to strangers with a key that anybody could guess?"""

import re
import secrets
import subprocess
import sys

import pytest

from tests.house.checkout import ROOT, modules_of


def load(place: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Start a process that sets Django up in a place and prints its secret key."""
    program = "import django; django.setup(); from django.conf import settings; print(settings.SECRET_KEY)"
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": f"bitnerve.settings.{place}", **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "must hold 50 or more"),
        (secrets.token_urlsafe(24), "must hold 50 or more"),
        ("django-insecure-" + secrets.token_urlsafe(64), "sample or a pattern"),
        ("change-me-" + secrets.token_urlsafe(64), "sample or a pattern"),
        ("abc" * 40, "sample or a pattern"),
    ],
    ids=["missing", "short", "django's sample", "our sample", "pattern"],
)
def test_production_refuses_a_weak_key(key: str, complaint: str):
    outcome = load("production", SECRET_KEY=key, ALLOWED_HOSTS="bitnerve.example")

    assert outcome.returncode != 0
    assert complaint in outcome.stderr
    assert not key or key not in outcome.stderr, "a refusal does not print the secret"


def test_production_refuses_to_answer_for_every_host():
    outcome = load("production", SECRET_KEY="k" + secrets.token_urlsafe(64))

    assert outcome.returncode != 0
    assert "ALLOWED_HOSTS" in outcome.stderr


def test_production_opens_with_a_key_of_its_own():
    key = "k" + secrets.token_urlsafe(64)

    outcome = load("production", SECRET_KEY=key, ALLOWED_HOSTS="bitnerve.example")

    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.strip() == key


@pytest.mark.parametrize("place", ["dev", "test"])
def test_elsewhere_every_process_draws_a_key(place: str):
    keys = {load(place).stdout.strip() for _ in range(2)}

    assert len(keys) == 2
    assert min(map(len, keys)) >= 50


def test_the_sample_lists_every_variable_that_the_house_reads():
    sample = (ROOT / ".env.example").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([A-Z_]+)=", sample, re.MULTILINE))
    sources = [*modules_of("bitnerve"), *modules_of("apps"), ROOT / "Makefile"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    read = set(re.findall(r"\bBITNERVE_[A-Z_]+\b", text))

    assert len(read) >= 3
    assert read - listed == set()


def test_the_key_of_the_sample_is_refused():
    sample = (ROOT / ".env.example").read_text(encoding="utf-8")
    key = re.findall(r"^SECRET_KEY=(.*)$", sample, re.MULTILINE)[0]

    assert load("production", SECRET_KEY=key * 10, ALLOWED_HOSTS="bitnerve.example").returncode != 0
