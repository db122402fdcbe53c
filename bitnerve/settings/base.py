"""What holds in every place the house stands: plain data, read from the environment where places differ."""

from pathlib import Path

import environ
from csp.constants import NONE, SELF

from bitnerve.settings.database import connect, locate_private_server

BASE_DIR = Path(__file__).resolve().parents[2]

env = environ.Env()

DEBUG = False

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.staticfiles",
    "django_htmx",
    "csp",
    "apps.common",
    "apps.users",
    "apps.market",
    "apps.accounts",
    "apps.agents",
    "apps.arenas",
    "apps.trades",
    "apps.leaderboard",
    "apps.research",
    "worker",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "apps.urls"
ASGI_APPLICATION = "apps.asgi.application"
WSGI_APPLICATION = "apps.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": ["django.template.context_processors.request"],
            "builtins": ["django.templatetags.static", "django.templatetags.i18n"],
        },
    }
]

AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]

# Scripts, styles and sockets come from here and nowhere else; nothing is ever run from inside a page.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Market recordings, read only and no part of the checkout; a command that misses them says so.
RECORDINGS_DIR = Path(env.str("BITNERVE_RECORDINGS", default="") or BASE_DIR.parent / "shared" / "data")

# Whatever the house makes for itself while it runs: compiled kernels, its private database, exports.
VAR_DIR = Path(env.str("BITNERVE_VAR", default="") or BASE_DIR / "var").resolve()
STATIC_ROOT = VAR_DIR / "static"
# Files are named by their content and compressed once, so that browsers may keep them for ever.
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}

# Without DATABASE_URL a private server is started by whoever needs it; without REDIS_URL all runs in one process.
PRIVATE_SERVER = locate_private_server(VAR_DIR, "postgres")
HAS_OWN_SERVER = not env.str("DATABASE_URL", default="")
DATABASES = connect(env, PRIVATE_SERVER)
DATABASE_ROUTERS = ["bitnerve.settings.database.OwnerMigrates"]
REDIS_URL = env.str("REDIS_URL", default="")

# How many sockets one address may hold in one process: an office shares one, a benchmark raises it.
SOCKETS_PER_ADDRESS_MAX = env.int("BITNERVE_SOCKETS_PER_ADDRESS", default=20)
