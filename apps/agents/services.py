"""Register agents and their versions."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils.text import slugify

from apps.agents.models import Agent, AgentVersion
from apps.users.models import Team
from bitnerve.domain.ledger import chain


@transaction.atomic
def register_agent(*, team: Team, name: str, strategy: str, parameters: Mapping[str, str]) -> AgentVersion:
    """Return the agent's version that decides by a strategy with these parameters: the newest one, or a new one."""
    agent, _ = Agent.objects.get_or_create(name=name, defaults={"team": team, "slug": slugify(name)})
    content = {"brain": AgentVersion.Brain.STRATEGY.value, "strategy": strategy, "parameters": dict(parameters)}
    sha256 = chain.version_sha256(**content)
    newest = agent.versions.order_by("-number").first()
    if newest is not None and newest.sha256 == sha256:
        return newest
    return AgentVersion.objects.create(agent=agent, number=newest.number + 1 if newest else 1, sha256=sha256, **content)
