"""One developer, one machine, nothing secret: every process makes a key of its own."""

import secrets

from bitnerve.settings.base import *  # noqa: F403
from bitnerve.settings.base import env

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = secrets.token_urlsafe(64)
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
