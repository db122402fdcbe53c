"""What a server runs that serves pages alone: `gunicorn apps.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitnerve.settings.production")

application = get_wsgi_application()
