"""People, and the teams that everything of theirs belongs to."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who can sign in."""


class Team(models.Model):
    """The tenant: every private row belongs to exactly one."""

    class Kind(models.TextChoices):
        PERSONAL = "PERSONAL"
        PLATFORM = "PLATFORM"

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
