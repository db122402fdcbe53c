"""What the tests run under: strict like production, secret to nobody."""

import secrets

from bitnerve.settings.base import *  # noqa: F403
from bitnerve.settings.base import VAR_DIR, env
from bitnerve.settings.database import connect, locate_private_server

SECRET_KEY = secrets.token_urlsafe(64)
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]

# A server of the tests' own: a demo that runs beside them keeps its data and its peace.
PRIVATE_SERVER = locate_private_server(VAR_DIR, "postgres-test")
DATABASES = connect(env, PRIVATE_SERVER)

# Pages find their files where they lie; nothing is collected for a test.
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
