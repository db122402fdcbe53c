"""Competitors, and the versions that every result is tied to."""

from typing import ClassVar

from django.db import models

from apps.users.models import Team


class Agent(models.Model):
    """A named competitor of a team."""

    team = models.ForeignKey(Team, models.PROTECT, related_name="agents")
    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class AgentVersion(models.Model):
    """What decides for an agent, for ever the same."""

    append_only = True

    class Brain(models.TextChoices):
        STRATEGY = "STRATEGY"
        LLM = "LLM"
        COUNCIL = "COUNCIL"
        CONSENSUS = "CONSENSUS"
        ENSEMBLE = "ENSEMBLE"
        EXTERNAL = "EXTERNAL"
        HUMAN = "HUMAN"

    agent = models.ForeignKey(Agent, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    brain = models.CharField(max_length=16, choices=Brain.choices)
    strategy = models.CharField(max_length=64)
    parameters = models.JSONField()
    """The strategy's parameters, decimals as text."""
    sha256 = models.CharField(max_length=64)
    """Of all that above, as canonical JSON."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["agent", "number"], name="one_version_a_number")]

    def __str__(self) -> str:
        return f"{self.agent} v{self.number}"
