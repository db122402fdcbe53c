"""What the tests run under: strict like production, secret to nobody."""

import secrets

from bitnerve.settings.base import *  # noqa: F403

SECRET_KEY = secrets.token_urlsafe(64)
ALLOWED_HOSTS = ["testserver"]
