"""Make people and teams."""

from apps.users.models import Team


def platform_team() -> Team:
    """Return the team that the agents of the house belong to."""
    team, _ = Team.objects.get_or_create(slug="bitnerve", defaults={"name": "BitNerve", "kind": Team.Kind.PLATFORM})
    return team
