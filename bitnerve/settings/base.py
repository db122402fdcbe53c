"""What holds in every place the house stands: plain data, read from the environment where places differ."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parents[2]

env = environ.Env()

DEBUG = False

INSTALLED_APPS = [
    "apps.accounts",
    "apps.arenas",
    "apps.research",
]

ROOT_URLCONF = "apps.urls"

# Nothing is stored in a database yet: a replay lives in memory and writes its journal under var/.
DATABASES: dict[str, dict[str, object]] = {}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

# Market recordings, read only and no part of the checkout; a command that misses them says so.
RECORDINGS_DIR = Path(env.str("BITNERVE_RECORDINGS", default="") or BASE_DIR.parent / "shared" / "data")

# Whatever the house makes for itself while it runs: compiled kernels, journals, exports.
VAR_DIR = Path(env.str("BITNERVE_VAR", default="") or BASE_DIR / "var")
