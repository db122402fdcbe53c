"""Where each address leads: the roof of this floor. No pages yet; the commands come first."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
