"""Where strangers can reach it. Refuses a secret that is missing, short or copied from a sample."""

from django.core.exceptions import ImproperlyConfigured

from bitnerve.settings.base import *  # noqa: F403
from bitnerve.settings.base import env

SECRET_KEY_LENGTH_MIN = 50
SECRET_KEY_SAMPLES = ("change-me", "django-insecure", "secret", "example", "sample")

SECRET_KEY = env.str("SECRET_KEY", default="")
if len(SECRET_KEY) < SECRET_KEY_LENGTH_MIN:
    raise ImproperlyConfigured(f"SECRET_KEY must hold {SECRET_KEY_LENGTH_MIN} or more random characters.")
if SECRET_KEY.lower().startswith(SECRET_KEY_SAMPLES) or len(set(SECRET_KEY)) < 10:
    raise ImproperlyConfigured("SECRET_KEY is a sample or a pattern: make your own, at random.")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts of this site, separated by commas.")

SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365
